// Strict JSON for events: UTF-8, well-formed, no key twice; each failure becomes a fault.
import { isUtf8 } from 'node:buffer';
import type { FaultList } from './faults.ts';
import { countMembers, duplicateKey } from '../json-bytes.ts';

/**
 * Parses bytes that must be one JSON value in UTF-8. Answers undefined and adds a fault, its sentence beginning with
 * `subject`, when they are not; a byte order mark is such a case (RFC 8259 section 8.1). The caller bounds the depth.
 */
export function parseJson(body: Uint8Array, subject: string, faults: FaultList): { value: unknown } | undefined {
  const bytes = asBuffer(body);
  if (!isUtf8(bytes)) {
    faults.add('invalid-utf8', `${subject} is not valid UTF-8.`);
    return undefined;
  }
  try {
    return { value: JSON.parse(bytes.toString()) };
  } catch (error) {
    const place = /position \d+/.exec((error as Error).message)?.[0];
    faults.add('invalid-json', `${subject} is not JSON${place === undefined ? '' : ` (see ${place})`}.`);
    return undefined;
  }
}

/** True when no object in a parsed value lost a member: `members` is what the scan counted in its bytes. */
export function hasUniqueKeys(
  parsed: { value: unknown; members: number; bytes: Uint8Array },
  faults: FaultList,
): boolean {
  if (countMembers(parsed.value) === parsed.members) return true;
  const pointer = duplicateKey(parsed.bytes) ?? '';
  faults.add('duplicate-key', `The key ${pointer} comes twice in its JSON object.`, pointer);
  return false;
}

/** The same bytes as a Buffer, which knows more ways to read them. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
