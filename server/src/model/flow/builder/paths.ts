// Paths into what expressions see, written as TypeScript: `body.data.user` checks its names and becomes `${ body.data.user }`.
import type { Json } from '../definition.ts';

/** Stands behind paths and expressions; no field of anybody's data is called so. */
const CODE = Symbol.for('bellwire.expression');

/** An expression: stands wherever a document has a value, and in the templates of {@link expr}. */
export interface Expression {
  readonly [CODE]: string;
  /** As in a document: `${ body.id }`. */
  toString(): string;
}

/** A path to a value of a type: its fields and entries are paths, too. */
export type Path<T> = Expression &
  (unknown extends T
    ? { readonly [name: string]: Path<unknown> }
    : NonNullable<T> extends readonly (infer Entry)[]
      ? { readonly [index: number]: Path<Entry> }
      : NonNullable<T> extends object
        ? { readonly [Name in keyof NonNullable<T>]-?: Path<NonNullable<T>[Name]> }
        : unknown);

/** What can stand as a value in a document. */
export type Value = Json | Expression | readonly Value[] | { readonly [name: string]: Value };

/** A path that begins with a name. */
export function path<T>(name: string): Path<T> {
  return node(name) as Path<T>;
}

/**
 * An expression: expr`exists(${body.id}) && ${body.total} > ${limit}`. Paths and expressions stand in it as they are,
 * other values as literals, so that no text can become a part of the expression.
 */
export function expr(texts: TemplateStringsArray, ...values: (Expression | Json)[]): Expression {
  const code = texts.map((text, at) => `${text}${at < values.length ? literal(values[at] as Expression | Json) : ''}`);
  return expressionOf(code.join('').trim());
}

/** The code of an expression, without `${ }`; null for anything else. */
export function codeOf(value: unknown): string | null {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return null;
  const code = (value as { [CODE]?: unknown })[CODE];
  return typeof code === 'string' ? code : null;
}

function literal(value: Expression | Json): string {
  const code = codeOf(value);
  return code ?? JSON.stringify(value);
}

function expressionOf(code: string): Expression {
  return { [CODE]: code, toString: () => `\${ ${code} }` };
}

function node(code: string): Expression {
  return new Proxy(expressionOf(code), {
    get(target, name) {
      if (name === CODE) return target[CODE];
      if (name === Symbol.toPrimitive || name === 'toString') return () => target.toString();
      if (typeof name === 'symbol') return undefined;
      if (/^(?:0|[1-9]\d*)$/.test(name)) return node(`${code}[${name}]`);
      return node(/^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(name) ? `${code}.${name}` : `${code}[${JSON.stringify(name)}]`);
    },
  });
}
