// Schemas of event types: vetted when they are registered, applied when events are published (R49, R115).
//
// A schema comes from a stranger. It is first judged by reading it (rules.ts), then compiled and tried in a
// worker under a deadline (checker.ts). Applying takes one of two roads: a schema whose worst case on this
// data is provably small runs here, in microseconds; any other runs in the worker, under a deadline.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { compileSchema, type Validate } from './compile.ts';
import { createChecker } from './checker.ts';
import { judgeSchema, type Judged, type Refused } from './rules.ts';

/** A schema as the catalog keeps it: its JSON text, and the SHA-256 of that in hex. */
export interface KeptSchema {
  hash: string;
  text: string;
}

/** What was found about a schema that is to be registered. */
export type Vetted =
  /** `costly`: it is applied in the worker, at the cost of some 100 µs, whatever the data. */
  | { ok: true; costly: boolean; schema: KeptSchema }
  /** Why it is not taken, and where in the schema that stands (a JSON pointer). `busy`: it was not even judged. */
  | { ok: false; reason: string; pointer: string; busy?: true };

/**
 * Why some data does not pass. `mismatch`: it does not fit, at `pointer`. The others say nothing about the data:
 * `deadline`, applying took too long; `busy`, it was not begun; `failed`, the schema could not be applied.
 */
export interface SchemaFault {
  code: 'mismatch' | 'deadline' | 'busy' | 'failed';
  /** JSON pointer into the data; empty is the whole. */
  pointer: string;
  message: string;
}

/** Vets and applies schemas. */
export interface PayloadSchemas {
  /** Judges a schema that somebody wants to register. Never rejects. */
  vet(schema: unknown): Promise<Vetted>;
  /** The first fault of some data under a schema, or null. Data is a JSON value, or its bytes. Never rejects. */
  check(schema: KeptSchema, data: unknown): Promise<SchemaFault | null>;
  /** Ends the worker. Twice is harmless. */
  close(): Promise<void>;
}

/** Spans in ms. */
export interface PayloadSchemaOptions {
  /** How long compiling a schema and trying it may take. */
  vetTimeoutMs: number;
  /** How long applying it to one event may take. */
  checkTimeoutMs: number;
}

/** Schemas kept ready; the whole of a large catalog fits. */
const KEPT = 1_000;
/** Schemas above this many rules are compiled in the worker only: here they would hold everybody up (0.2 ms a rule). */
const MAX_WRITTEN_HERE = 150;
/** What one check may cost here in the worst case, in steps; measured, hostile schemas take 1 to 4 ns a step (2 ms). */
const MAX_STEPS_HERE = 400_000;

/** A schema that is in use. */
interface Ready {
  judged: Judged | Refused;
  validate: Validate | null;
}

/** Makes the two roads. Nothing is started before the first schema is vetted or a costly one applied. */
export function createPayloadSchemas({ vetTimeoutMs, checkTimeoutMs }: PayloadSchemaOptions): PayloadSchemas {
  const checker = createChecker({ vetMs: vetTimeoutMs, checkMs: checkTimeoutMs });
  const ready = new LRUCache<string, Ready>({ max: KEPT });

  async function vet(schema: unknown): Promise<Vetted> {
    const judged = judgeSchema(schema);
    if (!judged.ok) return judged;
    const text = JSON.stringify(schema);
    const kept = { text, hash: createHash('sha256').update(text).digest('hex') };
    const result = await checker.run({ kind: 'vet', ...kept });
    switch (result.kind) {
      case 'vetted':
        return { ok: true, costly: isCostly(judged), schema: kept };
      case 'deadline':
        return {
          ok: false,
          pointer: '',
          reason: `the schema could not be compiled and tried within ${result.afterMs} ms`,
        };
      case 'busy':
        return { ok: false, pointer: '', reason: `the schema could not be judged: ${result.words}`, busy: true };
      default:
        return {
          ok: false,
          pointer: '',
          reason: `the schema cannot be compiled: ${'words' in result ? result.words : ''}`,
        };
    }
  }

  async function check(schema: KeptSchema, data: unknown): Promise<SchemaFault | null> {
    const known = ready.get(schema.hash) ?? prepare(schema);
    if (!known.judged.ok) return failed(known.judged.reason);
    if (data === undefined)
      return { code: 'mismatch', pointer: '', message: 'must be there, but the event has no data' };
    try {
      const value = data instanceof Uint8Array ? (JSON.parse(Buffer.from(data).toString()) as unknown) : data;
      if (isCostly(known.judged) || !isQuick(known.judged, value)) return await checkInWorker(schema, value);
      known.validate ??= compileSchema(known.judged.core);
      const fault = known.validate(value);
      return fault && { code: 'mismatch', ...fault };
    } catch (error) {
      return failed((error as Error).message);
    }
  }

  async function checkInWorker(schema: KeptSchema, data: unknown): Promise<SchemaFault | null> {
    const result = await checker.run({ kind: 'check', hash: schema.hash, text: schema.text, data });
    switch (result.kind) {
      case 'checked':
        return result.fault && { code: 'mismatch', ...result.fault };
      case 'deadline':
        return {
          code: 'deadline',
          pointer: '',
          message: `the schema could not be applied within ${result.afterMs} ms`,
        };
      case 'busy':
        return { code: 'busy', pointer: '', message: `the schema could not be applied: ${result.words}` };
      default:
        return failed('words' in result ? result.words : '');
    }
  }

  function prepare({ hash, text }: KeptSchema): Ready {
    const fresh: Ready = { judged: judgeSchema(JSON.parse(text)), validate: null };
    ready.set(hash, fresh);
    return fresh;
  }

  return { vet, check, close: () => checker.close() };
}

function failed(words: string): SchemaFault {
  return { code: 'failed', pointer: '', message: `the schema could not be applied: ${words}` };
}

/** Whatever the data: too large to compile here, or without a bound on what applying it costs. */
function isCostly({ rules, written }: Judged): boolean {
  return rules === Infinity || written > MAX_WRITTEN_HERE;
}

/** Is the worst case on this data small enough to run here? Rules meet values, reading rules meet letters. */
function isQuick({ rules, reading }: Judged, data: unknown): boolean {
  const { values, letters } = extentOf(data);
  return rules * values + (reading * letters) / 4 <= MAX_STEPS_HERE;
}

/** Values and letters (names included) of some data; counting ends where it would be too much for here anyway. */
function extentOf(data: unknown): { values: number; letters: number } {
  let values = 0;
  let letters = 0;
  const visit = (value: unknown): void => {
    values++;
    if (typeof value === 'string') letters += value.length;
    if (typeof value !== 'object' || value === null || values > MAX_STEPS_HERE) return;
    if (Array.isArray(value)) return value.forEach(visit);
    for (const name in value) {
      letters += name.length;
      visit((value as Record<string, unknown>)[name]);
    }
  };
  visit(data);
  return { values, letters };
}
