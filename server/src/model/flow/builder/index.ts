// Scenarios, jobs and sheets in TypeScript: typed as documents are written, and made into the very documents (bellwire/flows).
//
// What documents refuse is refused by the types where types can; the rest is told when the document is read. A file whose
// default export is one of these, or a list of them, can be handed to `bellwire push` and `bellwire test` (docs/scenarios.md).
import { stringify } from 'yaml';
import type { Json } from '../definition.ts';
import { codeOf, path, type Expression, type Path } from './paths.ts';
import type { Cells, Span, Step, Text, Values } from './steps.ts';

export { expr, type Expression, type Path, type Value } from './paths.ts';
export type {
  ActionStep,
  Actions,
  Branch,
  Cells,
  EachStep,
  HttpRequest,
  Reply,
  RouteStep,
  Span,
  Step,
} from './steps.ts';

const BUILT = Symbol.for('bellwire.document');

/** A document that was built. */
export interface Built {
  readonly [BUILT]: true;
  /** The document as JSON. */
  readonly document: { readonly [field: string]: Json };
}

/** What jobs and scenarios have in common. */
interface Head {
  name: string;
  description?: string;
  group?: string;
  enabled?: boolean;
  timeout?: Span;
  concurrency?: { max?: number; then?: 'queue' | 'skip' | 'replace' | 'fail' };
  /** Names of post-processings. */
  after?: readonly string[] | { completed?: readonly string[]; failed?: readonly string[] };
}

/* ── Scenarios ──────────────────────────────────────────────────────────────────────────────────────────────── */

type PlainPreset =
  | 'greenlake'
  | 'standard-webhooks'
  | 'github'
  | 'stripe'
  | 'slack'
  | 'shopify'
  | 'zoom'
  | 'cloud-automator'
  | 'basic'
  | 'token';

/** Who may call a hook. */
export type Verify =
  | PlainPreset
  | { preset: PlainPreset; header?: string; prefix?: string }
  | {
      preset: 'hmac';
      header: string;
      algorithm?: 'sha1' | 'sha256' | 'sha512';
      prefix?: string;
      encoding?: 'hex' | 'base64';
      timestamp?: string | { header: string; content?: string; unit?: 'seconds' | 'milliseconds' };
    };

interface HookBase {
  /** What asks whether somebody is here: answered by the hook itself, or handed to the steps. */
  challenge?: 'answer' | 'pass';
  challenges?: readonly (string | { name: string; secret?: string })[];
  /** Who may ask for consent by the handshake of CloudEvents; anybody where it is left out. */
  origins?: readonly string[];
  methods?: readonly ('GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE')[];
  /** Names of shapes, or files with samples beside this one. */
  shapes?: readonly string[];
  onMisfit?: 'note' | 'refuse';
  /** The same value again is the same run, and gets its reply. */
  dedupe?: Text;
  /** Runs begin at these instants, not at once. */
  schedule?: string | { at: string; timezone?: string };
  queue?: number;
  replyWithin?: Span;
  maxBody?: string | number;
}

/** What becomes of the requests to a hook. Who verifies names the secrets: one, or several while it is being changed. */
export type HookOptions = HookBase &
  (
    | { verify: Verify; secret: string | readonly string[]; observe?: boolean }
    | { verify?: never; secret?: never; observe?: never }
  );

/** A hook: what starts a scenario. */
export function hook(options: HookOptions = {}): { readonly hook: true | HookOptions } {
  return { hook: Object.keys(options).length === 0 ? true : options };
}

/** A scenario, with the tests it carries. */
export interface ScenarioOptions extends Head {
  on?: { readonly hook: true | HookOptions };
  shapes?: Readonly<Record<string, { samples: string | readonly string[] } | { fields: Values }>>;
  steps?: readonly Step[];
  tests?: readonly ScenarioTest[];
}

/** A request, and what must become of it. */
export interface ScenarioTest extends TestHead {
  /** The body: a file beside this one, or the value itself. */
  send?: Json;
  headers?: Readonly<Record<string, string>>;
  query?: string | Readonly<Record<string, Json>>;
  method?: string;
  expect: StepExpectations & {
    reply?: number | { status?: number; headers?: Readonly<Record<string, string>>; body?: Json };
    rows?: Readonly<Record<string, number | Cells | readonly Cells[]>>;
  };
}

interface TestHead {
  name?: string;
  secrets?: Readonly<Record<string, string>>;
  /** What named steps give. */
  steps?: Readonly<Record<string, Json>>;
  /** Named steps that fail, with the reason. */
  fails?: Readonly<Record<string, string>>;
}

interface StepExpectations {
  status?: 'completed' | 'failed';
  route?: string | readonly string[];
  ran?: string | readonly string[];
  skipped?: string | readonly string[];
  inputs?: Readonly<Record<string, Json>>;
}

interface EveryName {
  steps: Path<Record<string, unknown>>;
  run: Path<Record<string, unknown>>;
  /** The value of a secret: `secret.GREENLAKE`. */
  secret: { readonly [name: string]: Expression };
  error: Path<{ message: string }>;
  /** A variable that `set` or `each` makes known. */
  variable(name: string): Path<unknown>;
}

/** What the expressions of a scenario see; `Body` is the type of what comes, such as one of `bellwire shapes --ts`. */
export interface ScenarioNames<Body> extends EveryName {
  body: Path<Body>;
  query: Path<Record<string, unknown>>;
  headers: Path<Record<string, string>>;
  method: Expression;
  request: Path<{ id: string; receivedAt: string; contentType: string; text: string; from: string; size: number }>;
}

/** Builds a scenario. */
export function scenario({ name, ...rest }: ScenarioOptions): Built {
  return built({ scenario: name, ...rest });
}

/** The names for a scenario's expressions: `const { body, secret } = scenarioNames<Order>();` */
export function scenarioNames<Body = unknown>(): ScenarioNames<Body> {
  return {
    ...everyName(),
    body: path('body'),
    query: path('query'),
    headers: path('headers'),
    method: path('method'),
    request: path('request'),
  };
}

function everyName(): EveryName {
  return {
    steps: path('steps'),
    run: path('run'),
    secret: path<Record<string, string>>('secret'),
    error: path('error'),
    variable: (name) => path(name),
  };
}

/* ── Jobs and sheets ────────────────────────────────────────────────────────────────────────────────────────── */

type Param = 'text' | 'number' | 'integer' | 'boolean';

/** A job, with the tests it carries. */
export interface JobOptions extends Head {
  params?: Readonly<
    Record<string, Param | { type?: Param; default?: Json; oneOf?: readonly Json[]; description?: string }>
  >;
  on?: {
    manual?: true;
    http?: boolean;
    timezone?: string;
    cron?: Several<string | CronTable>;
    event?: Several<string | { type: string; filter?: string; params?: Values }>;
    job?: Several<string | { name: string; status?: Several<string>; params?: Values }>;
  };
  steps: readonly Step[];
  tests?: readonly JobTest[];
}

type Several<One> = One | readonly One[];

interface CronTable {
  at: string;
  timezone?: string;
  skip?: readonly string[];
  startTimeout?: Span;
  catchUp?: 'none' | 'one' | 'all';
  params?: Values;
}

/** What a job is started with, and what it must come to. */
export interface JobTest extends TestHead {
  params?: Readonly<Record<string, Json>>;
  event?: Json;
  expect: StepExpectations;
}

/** What the expressions of a job see. */
export interface JobNames<Params> extends EveryName {
  params: Path<Params>;
  event: Path<{ data: unknown } & Record<string, unknown>>;
}

/** Builds a job. */
export function job({ name, ...rest }: JobOptions): Built {
  return built({ job: name, ...rest });
}

/** The names for a job's expressions: `const { params, steps } = jobNames<{ limit: number }>();` */
export function jobNames<Params = unknown>(): JobNames<Params> {
  return { ...everyName(), params: path('params'), event: path('event') };
}

/** Where rows go. */
export interface SheetOptions {
  name: string;
  description?: string;
  /** Titles, that of A first. */
  columns?: readonly string[];
  /** The column that holds what a row is made for. */
  key?: string;
  in?:
    | 'built-in'
    | { csv: string }
    | { xlsx: string; tab?: string }
    | { sql: string; table: string }
    | { google: string; tab?: string; account: string; api?: string };
}

/** Builds a sheet. */
export function sheet({ name, ...rest }: SheetOptions): Built {
  return built({ sheet: name, ...rest });
}

/* ── Documents ──────────────────────────────────────────────────────────────────────────────────────────────── */

/** Was it built here? */
export function isBuilt(value: unknown): value is Built {
  return typeof value === 'object' && value !== null && (value as { [BUILT]?: unknown })[BUILT] === true;
}

/** The document as JSON, which is a document as it stands. */
export function toDocument({ document }: Built): { readonly [field: string]: Json } {
  return document;
}

/** The documents as YAML, parted by `---`: what a push keeps, and people read. */
export function toYaml(...documents: readonly Built[]): string {
  // Not by aliases: what is used twice in the program means the same, and reads the same, written out.
  const texts = documents.map(({ document }) => stringify(document, { lineWidth: 0, aliasDuplicateObjects: false }));
  return texts.join('---\n');
}

function built(fields: object): Built {
  return { [BUILT]: true, document: jsonOf(fields, []) as Built['document'] };
}

/** Deeper values are circles. */
const DEEPEST = 128;

/** A value with expressions as they stand in documents. What is undefined is left out. Throws a TypeError for no JSON. */
function jsonOf(value: unknown, at: readonly string[]): Json {
  const code = codeOf(value);
  if (code !== null) return `\${ ${code} }`;
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (typeof value !== 'object' || at.length > DEEPEST) {
    throw new TypeError(
      `${at.join('.')} is ${typeof value === 'object' ? 'nested too deep' : `a ${typeof value}`}: no JSON`,
    );
  }
  if (Array.isArray(value)) return value.map((one, index) => jsonOf(one, [...at, String(index)]));
  const given = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(given.map(([name, inner]) => [name, jsonOf(inner, [...at, name])]));
}
