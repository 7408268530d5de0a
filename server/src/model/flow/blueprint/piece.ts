// A piece of an expression of ours, and what those who make one of a formula know of the scenario around it.

/** A translated part of a formula; `literal` where it is a text or number that stands there. */
export interface Piece {
  code: string;
  literal?: string | number;
}

/** What a translation needs to know of the scenario around it, and whom it tells what got lost. */
export interface Surroundings {
  /** The expression for what lies behind a module's number: names, and entries counted from 0. */
  reference(module: number, path: readonly (string | number)[]): string;
  /** The expression for a key that stood in the blueprint as text, for `what` it was a key. */
  key(value: string, what: string): string;
  /** Told once for each thing that has no counterpart. */
  lost(what: string, hand: string): void;
}

/** A text as a literal of our language. */
export function quoted(text: string): string {
  const inside = JSON.stringify(text)
    .slice(1, -1)
    .replaceAll(String.raw`\"`, '"')
    .replaceAll("'", String.raw`\'`);
  return `'${inside}'`;
}

/** An expression with the steps of a path behind it. */
export function pathOf(code: string, path: readonly (string | number)[]): string {
  return path.reduce<string>((before, step) => {
    if (typeof step === 'number') return `${before}[${step}]`;
    return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(step) ? `${before}.${step}` : `${before}[${quoted(step)}]`;
  }, code);
}
