// What the expressions of a flow name, held against what there is: a mistyped name is found before a run meets it.
import { SCOPE_NAMES } from '../actions.ts';
import { didYouMean } from '../../near-names.ts';
import type { NamedShape, Param, Shape } from '../definition.ts';
import type { Use } from './expressions.ts';
import type { Faults, Span } from './fault.ts';

/** What expressions of a scenario know of the request that it works at. */
export const REQUEST_NAMES: readonly string[] = ['body', 'query', 'headers', 'method', 'request'];
const SCENARIO_NAMES = [...REQUEST_NAMES, 'steps', 'run', 'secret', 'error'];

/** The surroundings of a flow's steps: what it is, and what its expressions know from the start. */
export interface Surroundings {
  what: 'job' | 'scenario';
  scope: readonly string[];
  params: Readonly<Record<string, Param>>;
  /** The structures that a body has to fit, so that no other field can be there; null where it may hold anything. */
  shapes: readonly NamedShape[] | null;
}

/** What a job's expressions know. */
export function ofJob(params: Surroundings['params']): Surroundings {
  return { what: 'job', scope: SCOPE_NAMES, params, shapes: null };
}

/** What a scenario's expressions know. */
export function ofScenario(shapes: Surroundings['shapes']): Surroundings {
  return { what: 'scenario', scope: SCENARIO_NAMES, params: {}, shapes };
}

/** What there is beside the surroundings: what `set` and `each` make known, and named steps, anywhere in the flow. */
export interface Known {
  variables: readonly string[];
  steps: readonly string[];
  faults: Faults;
}

/** Tells each use of a name that nothing in the flow has. Whether it has a value by then, only a run can tell. */
export function checkUses(uses: readonly Use[], { what, ...around }: Surroundings, known: Known): void {
  const { variables, steps, faults } = known;
  const names = [...around.scope, ...variables];
  const params = Object.keys(around.params);
  const told = new Set<string>();
  const tell = (at: Span, message: string, words: readonly string[]): void => {
    if (!told.has(message)) faults.add(at, message, words);
    told.add(message);
  };
  for (const { path, at } of uses) {
    const [name, member] = path;
    if (typeof name !== 'string') continue;
    if (!names.includes(name)) tell(at, `nothing here is called "${name}"${hint(name, names)}`, names);
    if (name === 'body' && around.shapes !== null) tellField(path, around.shapes, (message) => tell(at, message, []));
    if (typeof member !== 'string') continue;
    if (name === 'steps' && names.includes(name) && !steps.includes(member)) {
      tell(at, `there is no step called "${member}"${hint(member, steps)}`, steps);
    }
    if (name === 'params' && names.includes(name) && !params.includes(member)) {
      tell(at, `the ${what} has no param called "${member}"${hint(member, params)}`, params);
    }
  }
}

function tellField(path: Use['path'], shapes: readonly NamedShape[], tell: (message: string) => void): void {
  if (shapes.some(({ shape }) => hasField(shape, path.slice(1)))) return;
  const of = shapes.map(({ name }) => name).join(', ');
  tell(`${path.join('.')} is in none of the shapes that a body must fit (${of})`);
}

/** May a value of this structure hold something at the end of the way? */
function hasField(shape: Shape, [first, ...rest]: Use['path']): boolean {
  if (first === undefined || shape.type === 'unknown') return true;
  if (shape.type === 'array') return typeof first === 'number' && hasField(shape.of, rest);
  if (shape.type !== 'collection' || typeof first !== 'string') return false;
  const field = Object.hasOwn(shape.fields, first) ? shape.fields[first] : undefined;
  return field !== undefined && hasField(field, rest);
}

function hint(name: string, known: readonly string[]): string {
  if (known.length === 0) return '; there is none';
  return didYouMean(name, known) || `; there is: ${known.join(', ')}`;
}
