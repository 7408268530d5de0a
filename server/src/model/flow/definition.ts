// What a flow is: a job, a policy set or a scenario, as it was written in a document and checked. Pure data, kept as JSON.
//
// A flow is started by a trigger (a scenario by the requests to its hook), runs (a job and a scenario their tree of steps,
// a policy set its rules) and reports when it has ended.
// Spans are ms, instants epoch ms. Texts marked "template" may hold `${ … }` (expression/), parsed when the flow is saved.

import type { Json } from '../json-value.ts';

export type { Json } from '../json-value.ts';

/** What is started: a job, a policy set or a scenario. */
export type FlowKind = 'job' | 'policy-set' | 'scenario';

/** A flow. */
export type Flow = Job | PolicySet | Scenario;

interface FlowHead {
  /** Unique among the workspace's flows of its kind, 1–255 characters. */
  name: string;
  description: string;
  /** The name of the group it belongs to, or null. */
  group: string | null;
  /** Nothing but a hand starts it while it is false. */
  enabled: boolean;
  params: Readonly<Record<string, Param>>;
  on: Triggers;
  /** A run that takes longer is ended, with status `aborted`. */
  timeoutMs: number;
  concurrency: Concurrency;
  after: After;
}

/** A job: a tree of steps. */
export interface Job extends FlowHead {
  kind: 'job';
  steps: readonly Step[];
}

/** A policy set: rules over resources. */
export interface PolicySet extends FlowHead {
  kind: 'policy-set';
  rules: readonly Rule[];
}

/** A scenario: a hook, and a tree of steps that each request to it goes through (R75, R76). It has no `params`. */
export interface Scenario extends FlowHead {
  kind: 'scenario';
  hook: Hook;
  steps: readonly Step[];
}

/** A parameter of a run. */
export interface Param {
  type: 'text' | 'number' | 'integer' | 'boolean';
  /** Absent: it has to be given. */
  default?: Json;
  /** The values allowed, or absent for all of its type. */
  oneOf?: readonly Json[];
  description: string;
}

/** What starts a flow, besides a hand. */
export interface Triggers {
  cron: readonly Cron[];
  /** `POST /trigger/<token>` (R16). */
  http: boolean;
  events: readonly EventTrigger[];
}

/** A time table. */
export interface Cron {
  /** Five or six fields, or one instant in RFC 3339 for once. */
  at: string;
  /** IANA name. */
  timezone: string;
  /** Days of that zone on which nothing starts: `YYYY-MM-DD`. */
  skip: readonly string[];
  /** A start that is later than this is not made any more; null for always. */
  startTimeoutMs: number | null;
  /** What becomes of starts that were missed: none, one, or each of them (the last 100). */
  catchUp: 'none' | 'one' | 'all';
  params: Readonly<Record<string, Json>>;
}

/** An event of the catalog that starts a flow; the end of another job is one, too. */
export interface EventTrigger {
  /** Exact type or pattern, as in subscriptions. */
  type: string;
  /** Filter, as in subscriptions, or null. */
  filter: string | null;
  /** Parameters made of the event: templates over `event` (its attributes and `data`). */
  params: Readonly<Record<string, Json>>;
}

/** Several runs at once. */
export interface Concurrency {
  max: number;
  /** What becomes of a start beyond: it waits, is left out, ends the oldest run, or is a failed run. */
  then: 'queue' | 'skip' | 'replace' | 'fail';
}

/** The post-processings, by name, that a run's end is told to. An aborted run tells those of `failed` (R1). */
export interface After {
  completed: readonly string[];
  failed: readonly string[];
}

/* ── Hooks ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The hook of a scenario: a URL of its own, and what becomes of the requests to it (R77, R78). */
export interface Hook {
  /** Who may call it, or null: anybody (R90). */
  verify: Verify | null;
  /** What asks whether somebody is here: answered by the hook itself, or handed to the steps as any request is. */
  challenge: 'answer' | 'pass';
  /** Named challenges that are answered beside the preset's own (wire facts, section 7). */
  challenges: readonly HookChallenge[];
  /** Who may ask for consent by the handshake of CloudEvents (OPTIONS, `WebHook-Request-Origin`); null is anybody (R20). */
  origins: readonly string[] | null;
  /** Methods that start a run, upper case; others get 405. */
  methods: readonly string[];
  /** Structures of the body, by which it is mapped and checked (R79, R80, R96). */
  shapes: readonly NamedShape[];
  /** A body that fits none of `shapes`: is noted in the run's log, or is refused with 400. */
  onMisfit: 'note' | 'refuse';
  /** A template over the request: the same value again is the same run, and gets its reply (R106). Null: each has its own. */
  dedupe: string | null;
  /** Runs begin at these instants only, all that wait; null is at once (R89). */
  schedule: { at: string; timezone: string } | null;
  /** Most requests that wait for their run; beyond, 429 (R89). */
  queue: number;
  /** A request whose run has not replied after this gets 202 with the run's id (R86). */
  replyWithinMs: number;
  /** Largest body, beyond it 413. */
  bodyBytes: number;
}

/** How the sender of a request is known: a preset of `@bellwire/receiver` with its settings. */
export interface Verify {
  preset: string;
  /** Names of secrets: all are tried, the first answers challenges. */
  secrets: readonly string[];
  /** What would be refused is taken, and the run's log says why it would have been. */
  observe: boolean;
  /** What the presets `token` and `hmac` take beside: header, algorithm, prefix, encoding, timestamp … */
  settings: Readonly<Record<string, Json>>;
}

/** A named challenge with its settings; texts in them are plain, `secret` names a secret. */
export interface HookChallenge {
  name: string;
  settings: Readonly<Record<string, Json>>;
}

/** A structure with its name. */
export interface NamedShape {
  name: string;
  shape: Shape;
}

/** A structure of JSON values (R79). What a sample had as null is `unknown`. */
export type Shape =
  | { type: 'text' | 'number' | 'boolean' | 'date' | 'unknown'; optional?: true; nullable?: true }
  | { type: 'collection'; fields: Readonly<Record<string, Shape>>; optional?: true; nullable?: true }
  | { type: 'array'; of: Shape; optional?: true; nullable?: true };

/* ── Steps ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A step: an action, or a part of the tree. */
export type Step = ActionStep | RouteStep | EachStep;

interface StepHead {
  /** Unique in the flow: later steps see its output as `steps.<name>`; null where nobody has to. */
  name: string | null;
  /** Where it stands in the document: `steps[0].route[1].steps[2]`. */
  path: string;
  /** An expression without `${}`: the step is skipped unless it is true; null is always. */
  if: string | null;
  onError: OnError;
}

/** Does something: `run`, `http`, `publish`, `wait`, `mail`, `noop`, `fail`, `set` … */
export interface ActionStep extends StepHead {
  kind: 'action';
  action: string;
  /** What stands behind the action's word, checked by the action's own rules; its texts are templates. */
  input: Json;
  retry: { times: number; waitMs: number };
  /** One try of it may take so long; null for as long as the run may. */
  timeoutMs: number | null;
  /** What becomes of it when the platform ended in the middle of it. */
  resume: 'fail' | 'rerun';
}

/** The first branch that fits (or all that fit) is taken. */
export interface RouteStep extends StepHead {
  kind: 'route';
  match: 'first' | 'all';
  branches: readonly Branch[];
}

/** A branch of a route. */
export interface Branch {
  name: string;
  /** An expression; null for the branch that is taken when no other one is (R101). */
  if: string | null;
  steps: readonly Step[];
}

/** Its steps once for each item of a list. */
export interface EachStep extends StepHead {
  kind: 'each';
  /** An expression that gives an array. */
  of: string;
  /** The name of the item in its steps. */
  as: string;
  /** How many at once. */
  atOnce: number;
  steps: readonly Step[];
}

/** What a step that failed leads to: the run fails, goes on, or these steps run first and then it goes on. */
export type OnError = { then: 'fail' } | { then: 'continue' } | { then: 'steps'; steps: readonly Step[] };

/* ── Rules ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** A rule of a policy set: every resource is judged by it. Expressions are over the resource's own fields. */
export interface Rule {
  name: string;
  description: string;
  resources: Resources;
  /** An expression: false makes a resource NOT_APPLICABLE; null is always true. */
  applies: string | null;
  /** An expression: true is COMPLIANT, false NON_COMPLIANT, anything else INSUFFICIENT_DATA. */
  compliant: string;
  /** ResultDetailCode of what does not comply: a template, or null. */
  detail: string | null;
}

/** Where a rule's resources come from. `id` and `name` are expressions over one resource. */
export interface Resources {
  from: Source;
  id: string;
  name: string | null;
}

/** A list of resources. Rules of one evaluation that name the same source see the same list. */
export type Source =
  | { kind: 'inline'; items: readonly Json[] }
  /** A JSON file in a folder that the operator allows. */
  | { kind: 'file'; path: string; each: string | null }
  | HttpSource
  | AwsSource;

/**
 * Pages of JSON over HTTP. `each` (an expression that gives the page's resources) and `next` (one that gives the URL of
 * the page after it, or nothing) see the page's fields, `body`, `status` and `headers`. Texts are templates.
 */
export interface HttpSource {
  kind: 'http';
  url: string;
  headers: Readonly<Record<string, string>>;
  each: string;
  next: string | null;
}

/** What there is of a kind in an account at AWS. Texts of `credentials` are templates. */
export interface AwsSource {
  kind: 'aws';
  type: AwsType;
  regions: readonly string[];
  /** Null: those of the machine, where the operator allows it. */
  credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string } | null;
  /** Another address that speaks the protocol, or null. */
  endpoint: string | null;
}

/** Kinds of resources at AWS. */
export const AWS_TYPES = ['ec2.instance', 'ec2.security-group', 'ec2.volume', 's3.bucket'] as const;
/** See {@link AWS_TYPES}. */
export type AwsType = (typeof AWS_TYPES)[number];
