// What can be wrong with an expression: its text when it is saved, or what it meets when it is evaluated.

/** A text that is no expression: said when it is parsed, in words that name the offending token. */
export class ExpressionFault extends Error {
  /** Where the token stands in the text, counted from 0 in UTF-16 units. */
  readonly at: number;
  /** How long it is; 0 at the end of the text. */
  readonly length: number;
  /** Of {@link compileValue}: the way to the text within the value; empty otherwise. */
  readonly path: readonly (string | number)[];

  constructor(place: { at: number; length: number; path?: readonly (string | number)[] }, message: string) {
    super(message);
    this.at = place.at;
    this.length = place.length;
    this.path = place.path ?? [];
  }
}

/**
 * An expression that cannot be evaluated with what it met. The message names the part of the text, and kinds of values,
 * never values themselves: one of them may be a secret.
 */
export class ExpressionError extends Error {
  /** The part of the text it happened in; null until that is known. */
  readonly part: string | null;

  constructor(reason: string, part: string | null = null) {
    super(part === null ? reason : `${reason} (in \`${part}\`)`);
    this.part = part;
  }
}
