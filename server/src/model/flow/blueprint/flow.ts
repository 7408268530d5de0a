// The tree of a scenario of Make as a tree of steps: filters, routers, iterators with their aggregators, error handlers.
import type { Json } from '../definition.ts';
import { conditionOf } from './filters.ts';
import { NEEDLESS, stepOf, type DocumentStep } from './modules.ts';
import { textOf, type Filter, type Module, type Route } from './read.ts';
import { stepName, type Scope, type Told } from './scope.ts';

/** Steps, and what is said above some of them. */
export interface Steps {
  steps: DocumentStep[];
  comments: Map<object, string>;
}

/** The steps of a flow of modules, in order. */
export function stepsOf(flow: readonly Module[], scope: Scope): Steps {
  const comments = new Map<object, string>();
  return { steps: convert(flow, { scope, comments }), comments };
}

interface Converting {
  scope: Scope;
  comments: Map<object, string>;
}

function convert(flow: readonly Module[], converting: Converting): DocumentStep[] {
  const [module, ...rest] = flow;
  if (module === undefined) return [];
  if (module.filter !== null) return gate(module.filter, flow, converting);
  if (NEEDLESS.has(module.kind)) return convert(rest, converting);
  if (module.kind === 'builtin:BasicFeeder') return iterate(module, rest, converting);
  if (module.routes.length > 0) return [routeOf(module, converting), ...convert(rest, converting)];
  if (module.kind.endsWith('Aggregator')) {
    const told = converting.scope.at(module);
    told.lost(
      'an aggregator without its iterator in the same route',
      'gather with collect in the each that gives the items',
    );
  }
  const step = stepOf(module, converting.scope);
  if (module.title !== '') converting.comments.set(step, `${module.id}: ${module.title}`);
  return handled({ module, step, rest }, converting);
}

/** A filter between modules: what follows is done only if it holds. */
function gate(filter: Filter, flow: readonly Module[], converting: Converting): DocumentStep[] {
  const [module, ...rest] = flow as [Module, ...Module[]];
  const told = converting.scope.at(module);
  const condition = conditionOf(filter.rows, told);
  const steps = convert([{ ...module, filter: null }, ...rest], converting);
  if (condition === null) return steps;
  const name = filter.name || `module ${module.id}`;
  return [{ route: [{ name, if: `\${ ${condition} }`, steps: atLeastOne(steps) }] }];
}

/* ── Routes ─────────────────────────────────────────────────────────────────────────────────────────────────── */

/** The condition of a route stands at its first module. */
function routeOf(module: Module, converting: Converting): DocumentStep {
  const told = converting.scope.at(module);
  const isFirstOnly = module.kind === 'builtin:BasicIfElse';
  const marked = fallbackOf(module);
  const names = new Set<string>();
  const branches = module.routes.map((route, at) => {
    const filter = route.filter ?? route.flow[0]?.filter ?? null;
    const [first, ...others] = route.flow;
    const flow =
      first === undefined ? [] : [{ ...first, filter: route.filter === null ? null : first.filter }, ...others];
    const condition = conditionOf(filter?.rows ?? [], told);
    const isElse = route.isFallback || filter?.isFallback === true || at === marked;
    if (isElse && condition !== null) {
      told.lost('the filter of the fallback route', 'put it into the route as a route of its own');
    }
    const name = uniqueName(filter?.name || (isElse ? 'otherwise' : `route ${at + 1}`), names);
    const holds: DocumentStep = isElse ? { else: true } : { if: condition === null ? true : `\${ ${condition} }` };
    const branch: DocumentStep = { name, ...holds, steps: atLeastOne(convert(flow, converting)) };
    return branch;
  });
  const fallbacks = branches.filter((branch) => 'else' in branch).length;
  const always = branches.filter((branch) => branch['if'] === true);
  if (fallbacks === 0 && always.length === 1 && branches.length > 1) {
    told.lost(
      'whether the route without a filter was the fallback',
      'if it was, write else: true in place of if: true',
    );
  }
  if (fallbacks > 1) told.lost('a second fallback route', 'a route has one: join them');
  // One filter and what is left: the same, whichever way it is read.
  const isSimple = isFirstOnly || (branches.length === 2 && fallbacks === 1);
  return { route: isSimple ? branches : { match: 'all', branches } };
}

/** A router may say which of its routes is the fallback: by its place, or by the number of its first module. */
function fallbackOf({ parameters, mapper, routes }: Module): number {
  const said = parameters['else'] ?? mapper['else'];
  if (typeof said !== 'number') return -1;
  const byModule = routes.findIndex(({ flow }: Route) => flow[0]?.id === said);
  return byModule >= 0 ? byModule : said;
}

function uniqueName(name: string, names: Set<string>): string {
  let chosen = name.slice(0, 60);
  for (let count = 2; names.has(chosen); count++) chosen = `${name.slice(0, 56)} ${count}`;
  names.add(chosen);
  return chosen;
}

/* ── Iterators ──────────────────────────────────────────────────────────────────────────────────────────────── */

/** What follows an iterator is done for each item, up to the aggregator that gathers what came of it. */
function iterate(module: Module, rest: readonly Module[], converting: Converting): DocumentStep[] {
  const told = converting.scope.at(module);
  const end = rest.findIndex(
    ({ kind, parameters }) => kind.endsWith('Aggregator') && parameters['feeder'] === module.id,
  );
  const aggregator = rest[end];
  const inner = convert(end < 0 ? rest : rest.slice(0, end), converting);
  if (aggregator !== undefined) inner.push(...gathering(aggregator, converting));
  const step: DocumentStep = {
    name: `each${module.id}`,
    each: {
      of: `\${ ${told.expression(textOf(module.mapper['array'])).code} }`,
      as: stepName(module),
      steps: atLeastOne(inner),
    },
  };
  return handled({ module, step, rest: end < 0 ? [] : rest.slice(end + 1) }, converting);
}

function gathering(aggregator: Module, converting: Converting): DocumentStep[] {
  const told = converting.scope.at(aggregator);
  const { mapper, filter } = aggregator;
  if (textOf(aggregator.parameters['groupBy']) !== '')
    told.lost('the grouping', 'use groupBy(list, x -> key) behind it');
  const value = aggregator.kind === 'util:TextAggregator' ? mapper['value'] : mapper;
  const step: DocumentStep = { collect: told.template(value) };
  const condition = filter === null ? null : conditionOf(filter.rows, told);
  return [condition === null ? step : { if: `\${ ${condition} }`, ...step }];
}

/* ── Errors ─────────────────────────────────────────────────────────────────────────────────────────────────── */

interface Made {
  module: Module;
  step: DocumentStep;
  /** What stands behind it. */
  rest: readonly Module[];
}

/** The step with what its module does on errors, and the steps behind it. */
function handled({ module, step, rest }: Made, converting: Converting): DocumentStep[] {
  const handlers = module.onError;
  if (handlers.length === 0) return [step, ...convert(rest, converting)];
  const { scope } = converting;
  const directive = handlers.find(({ kind }) => DIRECTIVES.has(kind));
  const before = convert(
    handlers.filter(({ kind }) => !DIRECTIVES.has(kind)),
    converting,
  );
  const kind = directive?.kind ?? 'builtin:Ignore';
  const told = scope.at(directive ?? module);
  const after = convert(rest, converting);
  if (kind === 'builtin:Break') return [broken({ step, before }, directive?.mapper ?? {}, told), ...after];
  if (kind === 'builtin:Resume') {
    const resumed = { set: { [scope.variable(`resumed${module.id}`)]: told.template(directive?.mapper ?? {}) } };
    return [{ ...step, onError: [...before, resumed] }, ...after];
  }
  if (kind === 'builtin:Commit') return [{ ...step, onError: [...before, { stop: { as: 'completed' } }] }, ...after];
  if (kind === 'builtin:Rollback') {
    const stop = { stop: { as: 'failed', reason: '${ error.message }' } };
    return [{ ...step, onError: [...before, stop] }, ...after];
  }
  return ignored(module, { step, before, after }, scope);
}

const DIRECTIVES = new Set(['Break', 'Ignore', 'Resume', 'Rollback', 'Commit'].map((word) => `builtin:${word}`));

/** Tried again, and then a run that can be continued. */
function broken(
  { step, before }: { step: DocumentStep; before: DocumentStep[] },
  mapper: Module['mapper'],
  told: Told,
): DocumentStep {
  const [times, minutes] = [Number(mapper['count'] ?? 3), Number(mapper['interval'] ?? 15)];
  const wantsRetry = mapper['retry'] !== false && times >= 1;
  const canRetry = !('each' in step) && !('route' in step);
  if (wantsRetry && !canRetry) told.lost('tries of an iterator', 'put retry at the steps in it');
  const result: DocumentStep = { ...step };
  if (wantsRetry && canRetry) {
    const wait = Math.max(1, Math.min(1_440, Math.floor(minutes) || 1));
    result['retry'] = { times: Math.min(100, Math.floor(times)), wait: `${wait}m` };
  }
  if (before.length > 0) result['onError'] = [...before, { fail: '${ error.message }' }];
  return result;
}

/** What failed is passed over, and what follows it is left out, as Make drops the bundle. */
function ignored(
  module: Module,
  { step, before, after }: { step: DocumentStep; before: DocumentStep[]; after: DocumentStep[] },
  scope: Scope,
): DocumentStep[] {
  if (after.length === 0) return [{ ...step, onError: before.length === 0 ? 'continue' : before }];
  const failed = scope.variable(`failed${module.id}`);
  const rest: Json = [{ name: `module ${module.id} did not fail`, if: `\${ !${failed} }`, steps: after }];
  return [{ ...step, onError: [...before, { set: { [failed]: true } }] }, { route: rest }];
}

function atLeastOne(steps: DocumentStep[]): DocumentStep[] {
  return steps.length === 0 ? [{ noop: {} }] : steps;
}
