// What the expressions of a job name, held against what there is: a mistyped name is found before a run meets it.
import { SCOPE_NAMES } from '../actions.ts';
import { didYouMean } from '../../near-names.ts';
import type { Use } from './expressions.ts';
import type { Faults, Span } from './fault.ts';

/** What expressions of a job may name, beside what every run has. */
export interface Known {
  /** What `set` and `each` make known, anywhere in the job. */
  variables: readonly string[];
  steps: readonly string[];
  params: readonly string[];
  faults: Faults;
}

/** Tells each use of a name that nothing in the job has. Whether it has a value by then, only a run can tell. */
export function checkUses(uses: readonly Use[], { variables, steps, params, faults }: Known): void {
  const names = [...SCOPE_NAMES, ...variables];
  const told = new Set<string>();
  const tell = (at: Span, message: string, known: readonly string[]): void => {
    if (!told.has(message)) faults.add(at, message, known);
    told.add(message);
  };
  for (const { path, at } of uses) {
    const [name, member] = path;
    if (typeof name !== 'string') continue;
    if (!names.includes(name)) tell(at, `nothing here is called "${name}"${hint(name, names)}`, names);
    if (typeof member !== 'string') continue;
    if (name === 'steps' && !steps.includes(member)) {
      tell(at, `there is no step called "${member}"${hint(member, steps)}`, steps);
    }
    if (name === 'params' && !params.includes(member)) {
      tell(at, `the job has no param called "${member}"${hint(member, params)}`, params);
    }
  }
}

function hint(name: string, known: readonly string[]): string {
  if (known.length === 0) return '; there is none';
  return didYouMean(name, known) || `; there is: ${known.join(', ')}`;
}
