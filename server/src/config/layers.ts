// One source of settings: a tree of values flattened to paths, refusing every name the manual does not know.
import { didYouMean } from '../model/near-names.ts';

/** Where a value stands, in words: `default`, a file's path, an environment variable, `command line`. */
export type Origin = string;

/** Values by path (`listen.port`), of one source. */
export interface Layer {
  get(path: string): { raw: unknown; origin: Origin } | undefined;
  names(): ReadonlySet<string>;
}

/** The names that exist, and where to tell of those that do not. */
export interface Door {
  /** Null takes every name: for the manual itself. */
  known: ReadonlySet<string> | null;
  faults: string[];
}

/** Flattens a tree. Unknown names, and values where a section belongs, are added to the faults. */
export function layer(tree: object, origin: Origin, { known, faults }: Door): Layer {
  const values = new Map<string, { raw: unknown; origin: Origin }>();
  const visit = (node: object, prefix: string): void => {
    for (const [name, value] of Object.entries(node)) {
      const path = `${prefix}${name}`;
      if (value === undefined) continue;
      if (known?.has(path) || (known === null && !isSection(value))) values.set(path, { raw: value, origin });
      else if (known === null || isSectionOf(known, path)) {
        if (isSection(value)) visit(value, `${path}.`);
        else if (value !== null) faults.push(`${path} holds settings of its own and takes no value (${origin})`);
      } else faults.push(`${path} is not a setting${didYouMean(path, withSections(known))} (${origin})`);
    }
  };
  visit(tree, '');
  return { get: (path) => values.get(path), names: () => new Set(values.keys()) };
}

function isSection(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isSectionOf(known: ReadonlySet<string>, path: string): boolean {
  for (const name of known) if (name.startsWith(`${path}.`)) return true;
  return false;
}

function withSections(known: ReadonlySet<string>): Set<string> {
  const names = new Set(known);
  for (const path of known) {
    for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) names.add(path.slice(0, dot));
  }
  return names;
}
