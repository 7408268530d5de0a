// Judges a stranger's JSON Schema 2020-12 without running it: rewrites it into a core of what is known to be harmless,
// and bounds what compiling and applying that can cost. Pure.
import { costOf, refuseEndless } from './cost.ts';
import { readSchema, Refusal, type CoreSchema } from './reader.ts';

/** Largest schema, as JSON text in bytes. */
export const MAX_SCHEMA_BYTES = 65_536;
/** How deep the JSON of a schema may be: a schema within a schema is up to two levels deeper. */
const MAX_DEPTH = 96;
/** How many values the schema may be made of. */
const MAX_VALUES = 8_000;

/** A schema that may be applied. */
export interface Judged {
  ok: true;
  /** The rewritten schema. */
  core: CoreSchema;
  /** Schemas written down in the core: compiling costs in proportion. */
  written: number;
  /**
   * Rules that may be applied to any one value, all references followed: applying costs at most this times the number
   * of values in the data. Infinite for a schema that refers to itself.
   */
  rules: number;
  /** The same for rules that read texts letter by letter, in steps per letter. */
  reading: number;
}

/** Why a schema is not taken, and where in it (a JSON pointer). */
export interface Refused {
  ok: false;
  reason: string;
  pointer: string;
}

/** Judges a schema. Never throws, and takes no longer than the size of the schema allows. */
export function judgeSchema(schema: unknown): Judged | Refused {
  try {
    measure(schema);
    const { root, core, written } = readSchema(schema);
    refuseEndless(root);
    return { ok: true, core, written, ...costOf(root) };
  } catch (refusal) {
    if (refusal instanceof Refusal) return { ok: false, reason: refusal.message, pointer: refusal.pointer };
    throw refusal;
  }
}

// Before anything recursive looks at the schema: not too deep, not too many values, not too long.
function measure(schema: unknown): void {
  let values = 0;
  const visit = (value: unknown, depth: number): void => {
    if (++values > MAX_VALUES) throw new Refusal(`the schema is made of more than ${MAX_VALUES} values`, '');
    if (depth > MAX_DEPTH) throw new Refusal('the schema is nested too deeply', '');
    if (typeof value !== 'object' || value === null) return;
    for (const name in value) visit((value as Record<string, unknown>)[name], depth + 1);
  };
  visit(schema, 0);
  if (Buffer.byteLength(JSON.stringify(schema) ?? '') > MAX_SCHEMA_BYTES) {
    throw new Refusal(`the schema is larger than ${MAX_SCHEMA_BYTES / 1_024} KiB`, '');
  }
}
