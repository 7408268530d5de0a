// Walks through the steps of a flow without doing anything. What actions would do is left out: each gives what it is told
// to give. Everything between them is the real thing: conditions, routes, loops, templates, what a failure leads to.
//
// The walk of real runs (flow/walk.ts) goes the same way; beside that it writes down how far it is, waits, and goes on after
// a crash, which is most of it and nothing of this one.
import { replyOf } from '../../hook/reply.ts';
import type { HookReply } from '../../hook/exchange.ts';
import { actionFault } from '../actions.ts';
import type { ActionStep, EachStep, Json, RouteStep, Step } from '../definition.ts';
import { compileValue, ExpressionError, isTrue, parseExpression } from '../expression/index.ts';
import { decideRoute, skippedOutput, type RouteOutput } from '../route.ts';
import { collects } from '../step-tree.ts';

/** What actions come to, and the instant that expressions take for now (epoch ms). */
export interface DryWorld {
  /** What named steps give; null unless said. */
  outputs: Readonly<Record<string, Json>>;
  /** Named steps that fail, with the reason. */
  fails: Readonly<Record<string, string>>;
  now: number;
  /** What steps gave before, by their places: it stands in where `outputs` says nothing. */
  before?: ReadonlyMap<string, Json>;
}

/** A step on the way. */
export interface DryStep {
  /** Where it stands, with the rounds of loops: `steps[0].each[2].steps[1]`. */
  place: string;
  name: string | null;
  /** The word of its action, `route` or `each`. */
  action: string;
  state: 'completed' | 'failed' | 'skipped';
  input: Json;
  /** Of a route: the branches, with why each was taken or not. */
  output: Json;
  error: string | null;
}

/** What happened on a walk. */
export interface DryWalk {
  status: 'completed' | 'failed';
  reason: string | null;
  /** The branches taken. */
  route: string[];
  /** Named steps that were not skipped. */
  ran: string[];
  /** What named steps were given. */
  inputs: Map<string, Json>;
  steps: DryStep[];
  reply: HookReply | null;
  /** What would be appended, by the names of sheets. */
  rows: Map<string, Json[]>;
}

/** Names with their values, as expressions see them. */
export type Names = Record<string, Json>;

interface Walking {
  world: DryWorld;
  walk: DryWalk;
}

/** Where a walk is. */
interface Here {
  names: Names;
  place: string;
  /** What the loop around collects; null outside of one. */
  collected: Json[] | null;
}

/** A loop over a million items tells nothing that one over some thousands does not. */
const MAX_WALKED = 10_000;

/** A step failed and nothing catches it. */
class StepFailed extends Error {}
/** A step ended the run; nothing catches it. */
class Stopped extends Error {
  readonly as: DryWalk['status'];

  constructor(as: DryWalk['status'], reason: string) {
    super(reason);
    this.as = as;
  }
}

/** Walks. `names` are what expressions see from the start; `steps` comes to it. Never throws for what a flow does. */
export function walkDry(steps: readonly Step[], names: Names, world: DryWorld): DryWalk {
  const walk: DryWalk = {
    status: 'completed',
    reason: null,
    route: [],
    ran: [],
    inputs: new Map(),
    steps: [],
    reply: null,
    rows: new Map(),
  };
  try {
    walkSteps(steps, { names: { ...names, steps: {} }, place: '', collected: null }, { world, walk });
  } catch (error) {
    if (!(error instanceof StepFailed || error instanceof Stopped)) throw error;
    walk.status = error instanceof Stopped ? error.as : 'failed';
    walk.reason = walk.status === 'failed' ? error.message : null;
  }
  return walk;
}

function walkSteps(steps: readonly Step[], here: Here, walking: Walking): void {
  for (const [at, step] of steps.entries()) walkStep(step, { ...here, place: `${here.place}steps[${at}]` }, walking);
}

function walkStep(step: Step, here: Here, walking: Walking): void {
  const { walk } = walking;
  if (walk.steps.length >= MAX_WALKED) throw new StepFailed(`a test walks ${MAX_WALKED} steps at most`);
  const action = step.kind === 'action' ? step.action : step.kind;
  const head = { place: here.place, name: step.name, action, input: null, output: null, error: null };
  const shown: DryStep = { ...head, state: 'completed' };
  walk.steps.push(shown);
  try {
    const condition = step.if === null ? true : evaluate(step.if, here, walking);
    if (step.if !== null && !isTrue(condition)) {
      Object.assign(shown, { state: 'skipped', output: skippedOutput(step.if, condition) });
      return;
    }
    if (step.name !== null) walk.ran.push(step.name);
    if (step.kind === 'action') walkAction(step, { ...here, shown }, walking);
    else if (step.kind === 'route') walkRoute(step, { ...here, shown }, walking);
    else walkEach(step, { ...here, shown }, walking);
  } catch (error) {
    if (!(error instanceof StepFailed || error instanceof ExpressionError)) throw error;
    const reason = error instanceof StepFailed ? error.message : `${whatOf(step)}: ${error.message}`;
    Object.assign(shown, { state: 'failed', error: reason });
    if (step.onError.then === 'fail') throw new StepFailed(reason);
    ended(step, null, here);
    if (step.onError.then === 'continue') return;
    here.names['error'] = { step: step.name, place: here.place, message: reason };
    walkSteps(step.onError.steps, { ...here, place: `${here.place}.onError.` }, walking);
  }
}

function whatOf(step: Step): string {
  return step.name ?? `${step.path} (${step.kind === 'action' ? step.action : step.kind})`;
}

/** The output of a step, for those that come after it. */
function ended({ name }: Step, output: Json, { names }: Here): void {
  if (name !== null) names['steps'] = { ...(names['steps'] as Names), [name]: output };
}

type AtStep = Here & { shown: DryStep };

function walkAction(step: ActionStep, here: AtStep, walking: Walking): void {
  const { world, walk } = walking;
  const { name, action } = step;
  const { names, shown } = here;
  const input = compileValue(step.input).evaluate(names, { now: world.now });
  shown.input = input;
  if (name !== null) walk.inputs.set(name, input);
  const where = whatOf(step);
  const fault = actionFault(action, input, 'evaluated');
  if (fault !== null) throw new StepFailed(`${where}: ${fault}`);
  const why = name === null ? undefined : world.fails[name];
  if (why !== undefined) throw new StepFailed(`${where}: ${why}`);
  const own = actInside(action, input, { where, here, walk });
  const told =
    name !== null && Object.hasOwn(world.outputs, name)
      ? (world.outputs[name] as Json)
      : (world.before?.get(here.place) ?? null);
  shown.output = own ?? told;
  ended(step, shown.output, here);
  if (action === 'stop') stop(input);
}

/** The actions that reach nothing outside of the run are done; what they give. Null of all others. */
function actInside(action: string, input: Json, at: { where: string; here: AtStep; walk: DryWalk }): Json {
  const { where, here, walk } = at;
  if (action === 'fail') throw new StepFailed(`${where}: ${input as string}`);
  if (action === 'set') Object.assign(here.names, input);
  if (action === 'collect') {
    if (here.collected === null) throw new StepFailed(`${where}: there is no loop here to collect for`);
    here.collected.push(input);
  }
  if (action === 'reply') {
    if (walk.reply !== null) throw new StepFailed(`${where}: the caller was answered before`);
    walk.reply = replyOf(input);
    return { status: walk.reply.status };
  }
  if (action === 'sheet.append') {
    const { to, row } = input as { to: string; row: Json };
    walk.rows.set(to, [...(walk.rows.get(to) ?? []), ...(Array.isArray(row) ? row : [row])]);
  }
  return action === 'set' || action === 'collect' ? input : null;
}

function stop(input: Json): void {
  const isMap = typeof input === 'object' && input !== null && !Array.isArray(input);
  const { as = 'completed', reason = 'it was stopped' } = (isMap ? input : {}) as Partial<Record<string, string>>;
  throw new Stopped(as === 'failed' ? 'failed' : 'completed', reason);
}

function walkRoute(step: RouteStep, here: AtStep, walking: Walking): void {
  const output = decideRoute(step, (filter) => {
    const value = evaluate(filter, here, walking);
    return { holds: isTrue(value), value };
  });
  here.shown.output = output;
  const { branches } = output as unknown as RouteOutput;
  for (const [at, branch] of step.branches.entries()) {
    if (branches[at]?.taken !== true) continue;
    walking.walk.route.push(branch.name);
    walkSteps(branch.steps, { ...here, place: `${here.place}.route[${at}].` }, walking);
  }
  ended(step, output, here);
}

function walkEach(step: EachStep, here: AtStep, walking: Walking): void {
  const items = evaluate(step.of, here, walking);
  if (!Array.isArray(items)) throw new StepFailed(`${whatOf(step)}: what it goes through is not a list`);
  here.shown.input = { of: items };
  const collected: Json[] = [];
  for (const [at, item] of items.entries()) {
    const names = { ...here.names, [step.as]: item };
    walkSteps(step.steps, { names, place: `${here.place}.each[${at}].`, collected }, walking);
  }
  const output: Json = collects(step.steps) ? { items: items.length, collected } : { items: items.length };
  here.shown.output = output;
  ended(step, output, here);
}

function evaluate(text: string, { names }: Here, { world }: Walking): Json {
  return parseExpression(text).evaluate(names, { now: world.now });
}
