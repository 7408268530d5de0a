// What an endpoint was sent of secrets is taken out of what it answers: many echo their requests when they fail, and
// answers are kept and shown.
import { createMasker, type Masker } from '../model/flow/mask.ts';
import { MASK } from '../model/headers.ts';
import type { Outcome } from '../model/outcome.ts';

/** A value that is shorter stands in answers by chance. */
const SHORTEST = 4;

/** `Bearer value`, `Basic value`: endpoints repeat the value alone, too. */
const SCHEME = /^[A-Za-z][\w-]*\s+(?=\S)/;

/** Takes secrets out of texts, and out of those the part behind a scheme; null where there is none worth it. */
export function maskerOf(values: readonly (string | null)[]): Masker | null {
  const said = values.flatMap((value) => (value === null ? [] : [value, value.replace(SCHEME, '')]));
  const long = said.filter((value) => value.length >= SHORTEST);
  return long.length === 0 ? null : createMasker(long);
}

/** The outcome without them. Bytes that hold none stay as they are. */
export function unsaid<O extends Outcome>(outcome: O, masker: Masker | null): O {
  if (masker === null) return outcome;
  if (outcome.kind === 'failure') return { ...outcome, message: masker.text(outcome.message) };
  const { headers, body } = outcome;
  return {
    ...outcome,
    headers: headers.map(([name, value]) => [name, masker.text(value)]),
    body: body.length === 0 ? body : unsaidBytes(body, masker),
  };
}

// As Latin-1 every byte is a character, and none of them is one of the mask.
function unsaidBytes(body: Uint8Array, masker: Masker): Uint8Array {
  const text = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('latin1');
  const masked = masker.text(text);
  return masked === text ? body : Buffer.from(masked.replaceAll(MASK, MASK_BYTES), 'latin1');
}

const MASK_BYTES = Buffer.from(MASK).toString('latin1');
