// Which branches of a route are taken, and why the others are not (R101, R104): decided here for real runs and for tests.
import type { Json, RouteStep } from './definition.ts';

/** What a route came to, as it stands in its row. */
export interface RouteOutput {
  taken: string[];
  branches: {
    branch: string;
    taken: boolean;
    /** `it holds`, `it does not hold`, `no other branch fits`, … */
    because: string;
    /** The filter, and what it came to, where it was looked at. */
    if: string | null;
    was: Json;
  }[];
}

/** Why a step was left out, as it stands in its row (R104). */
export interface SkippedOutput {
  /** The condition of the step, and what it came to. */
  if: string;
  was: Json;
}

/** What the row of a step says whose condition did not hold. */
export function skippedOutput(condition: string, value: Json): Json {
  return { if: condition, was: shown(value) } satisfies SkippedOutput;
}

/** What a filter's value counts as is shown, but not a whole document. */
const SHOWN = 200;

/**
 * Decides. The branch without a filter is taken when no other one is, wherever it stands (R101). `holds` may throw: a
 * filter that cannot be evaluated fails the route, for the fallback is for what was understood and did not fit.
 */
export function decideRoute(step: RouteStep, holds: (filter: string) => { holds: boolean; value: Json }): Json {
  let anyTaken = false;
  const branches: RouteOutput['branches'] = step.branches.map(({ name, if: filter }) => {
    const bare = { branch: name, taken: false, if: filter, was: null };
    if (filter === null) return { ...bare, because: 'another branch fits' };
    if (anyTaken && step.match === 'first') return { ...bare, because: 'a branch before it fits' };
    const { holds: taken, value } = holds(filter);
    anyTaken ||= taken;
    return { ...bare, taken, was: shown(value), because: taken ? 'its filter holds' : 'its filter does not hold' };
  });
  const fallback = branches.find((branch) => branch.if === null);
  if (fallback && !anyTaken) Object.assign(fallback, { taken: true, because: 'no other branch fits' });
  const output: RouteOutput = { taken: branches.filter(({ taken }) => taken).map(({ branch }) => branch), branches };
  return output as unknown as Json;
}

function shown(value: Json): Json {
  if (typeof value !== 'string' && typeof value !== 'object') return value;
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > SHOWN ? `${text.slice(0, SHOWN)}…` : value;
}
