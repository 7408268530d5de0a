// The steps of a job or scenario, as a document says them: actions by their word, `route` and `each`, what all have in
// common.
import { ACTION_NAMES, actionRule, normalInput, variableFault } from '../actions.ts';
import type { ActionStep, Branch, EachStep, OnError, RouteStep, Step } from '../definition.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import { checkTemplates, expressionOf, type Use } from './expressions.ts';
import {
  booleanOf,
  choiceOf,
  describe,
  fieldsOf,
  integerOf,
  isGiven,
  jsonOf,
  openFields,
  spanOf,
  textOf,
  type Fields,
} from './fields.ts';
import { NAME } from './params.ts';
import { valueAt } from './paths.ts';
import type { Entry, MapValue, Value } from './source.ts';
import { checkUses, type Surroundings } from './uses.ts';

/** Steps nest at most this deep. */
export const MAX_STEP_DEPTH = 20;
/** Steps of one flow, all levels together. */
export const MAX_STEPS = 1_000;

const COMMON = ['name', 'if', 'onError'];
const OF_ACTIONS = ['retry', 'timeout', 'resume'];
const WORDS: readonly string[] = [...ACTION_NAMES, 'route', 'each'];
const DAY_MS = 86_400_000;
/** How long between two tries of a step when the document does not say. */
const WAIT_MS = 10_000;
const MAX_AT_ONCE = 100;

/** What is known while the steps of one flow are read. */
interface Reading {
  faults: Faults;
  around: Surroundings;
  /** What its expressions name. */
  uses: Use[];
  /** What `set` and `each` make known. */
  variables: Set<string>;
  names: Map<string, Span>;
  counter: { steps: number };
}

/** Reads the steps of a flow in these surroundings; `at` is where they are missing when there are none. */
export function readSteps(
  value: Value | null,
  { at, around, faults }: { at: Span; around: Surroundings; faults: Faults },
): readonly Step[] {
  if (!isGiven(value)) {
    faults.add(at, `a ${around.what} needs steps`, ['steps']);
    return [];
  }
  const reading: Reading = {
    faults,
    around,
    uses: [],
    names: new Map(),
    variables: new Set(),
    counter: { steps: 0 },
  };
  const steps = readList(value, { path: 'steps', depth: 1, looped: false }, reading);
  const { uses, variables, names } = reading;
  checkUses(uses, around, { variables: [...variables], steps: [...names.keys()], faults });
  return steps;
}

/** Where a list of steps stands in the tree. */
interface Level {
  path: string;
  depth: number;
  /** Within the steps of an `each`. */
  looped: boolean;
}

function readList(value: Value, { path, depth, looped }: Level, reading: Reading): readonly Step[] {
  const { faults } = reading;
  if (value.kind !== 'list' || value.items.length === 0) {
    faults.add(value, `steps must be a list such as "- ${exampleOf(reading)}", not ${describe(value)}`);
    return [];
  }
  if (depth > MAX_STEP_DEPTH) {
    faults.add(value, `steps nest deeper than ${MAX_STEP_DEPTH} levels here; make a job of its own of them`);
    return [];
  }
  const steps = value.items.flatMap((item, index) => {
    const step = readStep(item, { path: `${path}[${index}]`, depth, looped }, reading);
    return step === null ? [] : [{ item, step }];
  });
  checkOrder(steps, faults);
  return steps.map(({ step }) => step);
}

/** A step that such a flow may have, for those who wrote none. */
function exampleOf({ around }: Reading): string {
  return around.what === 'scenario' ? 'reply: 200' : 'run: ./backup.sh';
}

/** Tells of a step that no run can come to, and of a second reply. */
function checkOrder(steps: readonly { item: Value; step: Step }[], faults: Faults): void {
  const always = steps.filter(({ step }) => step.kind === 'action' && step.if === null) as {
    item: Value;
    step: ActionStep;
  }[];
  const stop = always.find(({ step }) => step.action === 'stop');
  const after = stop && steps[steps.findIndex(({ step }) => step === stop.step) + 1];
  if (after !== undefined) faults.add(after.item, 'nothing here is ever reached: the stop before it ends the run');
  const [, second] = always.filter(({ step }) => step.action === 'reply');
  if (second !== undefined) faults.add(second.item, 'a run replies once, and a reply stands before this one');
}

/** A step: a map with the word of its action; the word alone where the action takes nothing. */
function readStep(value: Value, level: Level, reading: Reading): Step | null {
  const { faults, counter } = reading;
  if (++counter.steps === MAX_STEPS + 1) {
    faults.add(value, `a ${reading.around.what} has at most ${MAX_STEPS.toLocaleString('en')} steps`);
  }
  if (counter.steps > MAX_STEPS) return null;
  const map = mapOf(value);
  if (map === null) {
    faults.add(value, `a step must be a map such as "${exampleOf(reading)}", not ${describe(value)}`, WORDS);
    return null;
  }
  const action = actionOf(map, faults);
  if (action === null) return null;
  checkPlace(action, level, reading);
  const fields = openFields(map);
  const head = readHead(fields, level, reading);
  if (action.name === 'route') return { kind: 'route', ...head, ...readRoute(action.value, level, reading) };
  if (action.name === 'each') return { kind: 'each', ...head, ...readEach(action.value, level, reading) };
  return { kind: 'action', ...head, ...readAction(action, fields, reading) };
}

/** Some actions have a meaning in some places only. */
function checkPlace({ name, at }: Entry, { looped }: Level, { around, faults }: Reading): void {
  if (name === 'reply' && around.what !== 'scenario') faults.add(at, 'only a scenario has somebody to reply to');
  if (name === 'collect' && !looped) faults.add(at, 'collect gathers in the steps of an each, and this is none');
}

function mapOf(value: Value): MapValue | null {
  if (value.kind === 'map') return value;
  if (value.kind === 'list' || typeof value.value !== 'string') return null;
  const { start, end } = value;
  const entry: Entry = { name: value.value, at: { start, end }, value: { kind: 'scalar', value: null, start, end } };
  return { kind: 'map', entries: [entry], start, end };
}

/** The one field of a step that says what it does. */
function actionOf(step: MapValue, faults: Faults): Entry | null {
  const { entries } = step;
  const words = entries.filter(({ name }) => WORDS.includes(name));
  const [first, second] = words;
  const isTree = first?.name === 'route' || first?.name === 'each';
  const known = isTree ? COMMON : [...COMMON, ...OF_ACTIONS];
  for (const { name, at } of entries) {
    if (WORDS.includes(name) || known.includes(name)) continue;
    if (isTree && OF_ACTIONS.includes(name)) faults.add(at, `${first.name} takes no ${name}; its steps do`);
    else if (first === undefined) faults.add(at, notOneOf('action', name, [...WORDS, ...known]), WORDS);
    else faults.add(at, notOneOf('field of a step called', name, known), known);
  }
  if (first === undefined) {
    if (entries.every(({ name }) => known.includes(name))) {
      faults.add(step, `the step does not say what it does; it needs one of ${WORDS.join(', ')}`, WORDS);
    }
    return null;
  }
  if (second !== undefined) faults.add(second.at, `a step does one thing, and this one says ${first.name} already`);
  return first;
}

function readHead(fields: Fields, { path, depth, looped }: Level, reading: Reading) {
  const { faults, names } = reading;
  const written = fields.value('name');
  const name = isGiven(written) ? textOf(written, 'the name of a step', faults, NAME) : null;
  if (name !== null && names.has(name)) {
    const { line } = faults.placeOf((names.get(name) as Span).start);
    faults.add(written as Value, `the step "${name}" stands in line ${line} already`);
  } else if (name !== null) names.set(name, written as Value);
  const condition = fields.value('if');
  return {
    name,
    path,
    if: isGiven(condition) ? expressionOf(condition, 'if', reading) : null,
    onError: readOnError(fields.value('onError'), { path: `${path}.onError.steps`, depth: depth + 1, looped }, reading),
  };
}

function readOnError(value: Value | null, level: Level, reading: Reading): OnError {
  if (!isGiven(value)) return { then: 'fail' };
  if (value.kind === 'list') return { then: 'steps', steps: readList(value, level, reading) };
  if (value.kind === 'map') {
    const fields = fieldsOf(value, 'onError', ['steps'], reading.faults);
    const steps = fields?.value('steps') ?? null;
    return isGiven(steps) ? { then: 'steps', steps: readList(steps, level, reading) } : { then: 'fail' };
  }
  const words = ['fail', 'continue'] as const;
  return { then: choiceOf(value, 'onError', { words, faults: reading.faults }) ?? 'fail' };
}

/* ── Actions ────────────────────────────────────────────────────────────────────────────────────────────────── */

type ActionPart = Pick<ActionStep, 'action' | 'input' | 'retry' | 'timeoutMs' | 'resume'>;

function readAction({ name, value }: Entry, fields: Fields, reading: Reading): ActionPart {
  const { faults, variables } = reading;
  const input = jsonOf(value);
  const before = faults.list.length;
  checkTemplates(value, name, reading);
  if (name === 'set' && value.kind === 'map') {
    for (const entry of value.entries) {
      variables.add(entry.name);
      checkVariable(entry.name, entry.at, reading);
    }
  }
  const fault = faults.list.length > before ? null : (actionRule(name)?.input(input, 'written') ?? null);
  if (fault !== null) faults.add(valueAt(value, fault.path), `${name}${fault.path} ${fault.words}`);
  const timeout = fields.value('timeout');
  const resume = fields.value('resume');
  return {
    action: name,
    // What has a fault is never kept: it need not have a form.
    input: faults.list.length > before ? input : normalInput(name, input),
    retry: readRetry(fields.value('retry'), faults),
    timeoutMs: isGiven(timeout) ? spanOf(timeout, 'timeout', { min: 100, max: 7 * DAY_MS, faults }) : null,
    resume: (isGiven(resume) ? choiceOf(resume, 'resume', { words: ['fail', 'rerun'], faults }) : null) ?? 'fail',
  };
}

/** What the request is called is known to a scenario only, so that only there nothing else may be called so. */
function checkVariable(name: string, at: Span, { around, faults }: Reading): void {
  if (!around.scope.includes(name) || variableFault(name) !== null) return;
  faults.add(at, `"${name}" is what the request is read by; call it otherwise`);
}

/** `retry: { times, wait }`, or the number of times alone. */
function readRetry(value: Value | null, faults: Faults): ActionStep['retry'] {
  if (!isGiven(value)) return { times: 0, waitMs: 0 };
  const bounds = { min: 1, max: 100, faults };
  if (value.kind !== 'map') return { times: integerOf(value, 'retry', bounds) ?? 0, waitMs: WAIT_MS };
  const fields = fieldsOf(value, 'retry', ['times', 'wait'], faults);
  const times = fields?.value('times') ?? null;
  const wait = fields?.value('wait') ?? null;
  if (fields !== null && !isGiven(times)) faults.add(fields.at, 'retry needs times', ['times']);
  return {
    times: (isGiven(times) ? integerOf(times, 'times', bounds) : null) ?? 0,
    waitMs: (isGiven(wait) ? spanOf(wait, 'wait', { min: 0, max: DAY_MS, faults }) : null) ?? WAIT_MS,
  };
}

/* ── route and each ─────────────────────────────────────────────────────────────────────────────────────────── */

/** A list of branches, or `{ match: all, branches }`. */
function readRoute(value: Value, { path, ...level }: Level, reading: Reading): Pick<RouteStep, 'match' | 'branches'> {
  const { faults } = reading;
  const fields = value.kind === 'map' ? fieldsOf(value, 'route', ['match', 'branches'], faults) : null;
  const list = value.kind === 'map' ? (fields?.value('branches') ?? null) : value;
  const match = fields?.value('match') ?? null;
  if (list?.kind !== 'list' || list.items.length === 0) {
    const what = list?.kind === 'list' ? 'an empty one' : describe(list ?? value);
    faults.add(value, `route must be a list of branches, not ${what}`);
    return { match: 'first', branches: [] };
  }
  const branches = list.items.flatMap(
    (item, index) => readBranch(item, { ...level, path: `${path}.route[${index}]`, index }, reading) ?? [],
  );
  const [, second] = list.items.filter(isElse);
  if (second !== undefined) faults.add(second, 'a route has one branch with else at most');
  const names = branches.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) faults.add(list, `the branch "${twice}" is there twice`);
  return {
    match: (isGiven(match) ? choiceOf(match, 'match', { words: ['first', 'all'], faults }) : null) ?? 'first',
    branches,
  };
}

function isElse(branch: Value): boolean {
  return branch.kind === 'map' && branch.entries.some(({ name, value }) => name === 'else' && isGiven(value));
}

function readBranch(value: Value, { index, ...level }: Level & { index: number }, reading: Reading): Branch | null {
  const { path, depth } = level;
  const { faults } = reading;
  const fields = fieldsOf(value, 'a branch', ['name', 'if', 'else', 'steps'], faults);
  if (fields === null) return null;
  const written = fields.value('name');
  const condition = fields.value('if');
  const otherwise = fields.value('else');
  const isRest = isGiven(otherwise) && booleanOf(otherwise, 'else', faults) === true;
  if (isGiven(condition) === isRest) {
    const words = isRest ? 'a branch has if or else, not both' : 'a branch needs if, or else: true';
    faults.add(isRest ? fields.nameAt('else') : fields.at, words, ['if', 'else']);
  }
  const steps = fields.value('steps');
  if (!isGiven(steps)) faults.add(fields.at, 'a branch needs steps', ['steps']);
  return {
    name: (isGiven(written) ? textOf(written, 'the name of a branch', faults) : null) ?? `branch ${index + 1}`,
    if: isGiven(condition) && !isRest ? expressionOf(condition, 'if', reading) : null,
    steps: isGiven(steps) ? readList(steps, { ...level, path: `${path}.steps`, depth: depth + 1 }, reading) : [],
  };
}

type EachPart = Pick<EachStep, 'of' | 'as' | 'atOnce' | 'steps'>;

function readEach(value: Value, { path, depth }: Level, reading: Reading): EachPart {
  const { faults } = reading;
  const fields = fieldsOf(value, 'each', ['of', 'as', 'atOnce', 'steps'], faults);
  const of = fields?.value('of') ?? null;
  const as = fields?.value('as') ?? null;
  const atOnce = fields?.value('atOnce') ?? null;
  const steps = fields?.value('steps') ?? null;
  if (fields !== null && !isGiven(of)) faults.add(fields.at, 'each needs of: an expression that gives a list', ['of']);
  if (fields !== null && !isGiven(steps)) faults.add(fields.at, 'each needs steps', ['steps']);
  const item = isGiven(as) ? textOf(as, 'as', faults, NAME) : 'item';
  const fault = item === null ? null : variableFault(item);
  if (fault !== null) faults.add(as as Value, `as ${fault}`);
  if (item !== null && isGiven(as)) checkVariable(item, as, reading);
  reading.variables.add(item ?? 'item');
  return {
    of: (isGiven(of) ? expressionOf(of, 'of', reading) : null) ?? '',
    as: item ?? 'item',
    atOnce: (isGiven(atOnce) ? integerOf(atOnce, 'atOnce', { min: 1, max: MAX_AT_ONCE, faults }) : null) ?? 1,
    steps: isGiven(steps)
      ? readList(steps, { path: `${path}.each.steps`, depth: depth + 1, looped: true }, reading)
      : [],
  };
}
