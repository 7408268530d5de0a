// The steps of a job or scenario, as types: each is a map with the word of its action, just as in a document.
import type { Expression, Value } from './paths.ts';

/** A text that may hold expressions, or an expression. */
export type Text = string | Expression;
/** A condition, with or without `${ }`. */
export type Condition = Text | boolean;
/** A span with its unit: `250ms`, `30s`, `10m`, `1h30m`, `2d`. */
export type Span = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}${string}`;
/** Values by name. */
export interface Values {
  readonly [name: string]: Value;
}

/** What every step may have. */
interface Head {
  /** Later steps see its output as `steps.<name>`. */
  name?: string;
  /** The step is skipped unless it holds. */
  if?: Condition;
  /** What a failure leads to: the run fails (unless said otherwise), goes on, or does these steps and then goes on. */
  onError?: 'fail' | 'continue' | readonly Step[];
}

/** What steps that do something may have. */
interface Common extends Head {
  /** How often more it is tried, and after how long. */
  retry?: number | { times: number; wait?: Span };
  /** How long one try may take. */
  timeout?: Span;
  /** What becomes of it when the platform ended in the middle of it. */
  resume?: 'fail' | 'rerun';
}

/** The actions, with what stands behind their words. */
export interface Actions {
  noop: null | Readonly<Record<string, never>>;
  /** Variables that later expressions see by name. */
  set: Values;
  /** What the caller of the hook is answered. */
  reply: number | Reply;
  /** The run ends here. */
  stop: null | { as?: 'completed' | 'failed'; reason?: Text };
  /** Gathers a value of each round of a loop, in its output `collected`. */
  collect: Value;
  /** The run fails. */
  fail: Text;
  wait: Span | { for: Text } | { until: Text | number };
  http: Text | HttpRequest;
  publish: PublishedEvent;
  mail: { to: Text | readonly Text[]; subject: Text; text: Text };
  run: string | readonly (string | number | boolean)[] | Command;
  job: string | { name: string; params?: Values; wait?: boolean };
  /** One row per key, however often it is appended; the key is the request's unless one is given. */
  'sheet.append': { to: Text; row: Cells | readonly Cells[]; key?: Text };
  /** Sets cells of the rows in which all of `where` is so. */
  'sheet.update': { in: Text; where: Cells; set: Cells; upsert?: boolean; key?: Text };
  'sheet.lookup': { in: Text; where?: Cells; limit?: number | Expression };
  sql: { connection: Text; query: string; params?: readonly Value[] };
}

/** A reply. A body that is no text is sent as JSON. */
export interface Reply {
  status: number | Expression;
  headers?: Readonly<Record<string, Text | readonly Text[]>>;
  body?: Value;
}

/** Cells of a row, by the letters or titles of columns. */
export interface Cells {
  readonly [column: string]: string | number | boolean | null | Expression;
}

interface HttpBase {
  url: Text;
  method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS';
  headers?: Readonly<Record<string, Text>>;
  /** Statuses that are a success; 2xx unless said. */
  expect?: Status | readonly Status[];
}
type Status = number | '2xx' | '3xx' | '4xx' | '5xx';

/** A request: with a body, or a form, or neither. */
export type HttpRequest = HttpBase &
  ({ body?: Value; form?: never } | { form: Readonly<Record<string, Text | number | boolean>>; body?: never });

/** An event of the catalog. */
export interface PublishedEvent {
  type: Text;
  source?: Text;
  id?: Text;
  subject?: Text;
  time?: Text;
  dataschema?: Text;
  attributes?: Readonly<Record<string, Text | number | boolean>>;
  data?: Value;
}

type Command = { env?: Readonly<Record<string, Text | number | boolean>>; stdin?: Value } & (
  | { command: string | readonly (string | number | boolean)[]; shell?: never }
  | { shell: string; command?: never }
);

/** Words that no step beside its own may have: it does one thing. */
type Word = keyof Actions | 'route' | 'each';
type Only<Own extends Word> = { [Other in Exclude<Word, Own>]?: never };

/** A step that does something. */
export type ActionStep = {
  [Own in keyof Actions]: Common & { [Name in Own]: Actions[Own] } & Only<Own>;
}[keyof Actions];

/** A branch of a route: taken if its condition holds, or when no other one is. */
export type Branch = { name: string; steps: readonly Step[] } & (
  | { if: Condition; else?: never }
  | { else: true; if?: never }
);

/** Takes the first branch that fits, or all that fit. */
export type RouteStep = Head & {
  route: readonly Branch[] | { match?: 'first' | 'all'; branches: readonly Branch[] };
} & Only<'route'>;

/** Does its steps once for each item. */
export type EachStep = Head & {
  each: { of: Text; as: string; atOnce?: number; steps: readonly Step[] };
} & Only<'each'>;

/** A step. Those that take nothing may be their word alone. */
export type Step = ActionStep | RouteStep | EachStep | 'noop' | 'stop';
