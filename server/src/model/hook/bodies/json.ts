// Bodies that are JSON: of bounded depth, and no key twice, since two parsers may read such a text differently.
import { asBuffer } from '../../cloud-events/json.ts';
import { countMembers, duplicateKey, scanJson, trimSpan } from '../../json-bytes.ts';
import type { Json } from '../../json-value.ts';
import { decodeText, placeIn } from './decode.ts';
import { jsonFaultAt } from './json-fault.ts';

/** What reading JSON gives; `syntax` tells a text that is no JSON from JSON that is not taken. */
export type JsonRead = { ok: true; body: Json; text: string } | { ok: false; reason: string; syntax: boolean };

/** How JSON is read: `subject` begins the sentence of a refusal. */
export interface JsonRules {
  subject: string;
  charset: string;
  /** Objects and arrays nest at most this deep. */
  depth: number;
}

/**
 * One JSON value (RFC 8259) in the charset named. Refused: what is no JSON, nests deeper than `depth`, or names a key
 * twice in one object. A byte order mark is passed over, as RFC 8259 section 8.1 allows.
 */
export function readJson(bytes: Buffer, { charset, depth, subject }: JsonRules): JsonRead {
  const decoded = decodeText(bytes, charset, subject);
  if (!decoded.ok) return { ...decoded, syntax: false };
  const { text } = decoded;
  const utf8 = text.length === bytes.length || isUtf8Like(charset) ? bytes : Buffer.from(text);
  const scan = scanJson(utf8);
  if (scan.depth > depth) {
    return { ok: false, reason: `${subject} nests deeper than ${depth} levels.`, syntax: false };
  }
  let body: Json;
  try {
    body = JSON.parse(text) as Json;
  } catch {
    return { ok: false, reason: `${subject} is not JSON (${placeOfFault(text)}).`, syntax: true };
  }
  if (countMembers(body) === scan.members) return { ok: true, body, text };
  const pointer = duplicateKey(asBuffer(utf8)) ?? '';
  const shown = pointer.length > 200 ? `${pointer.slice(0, 200)}…` : pointer;
  return { ok: false, reason: `${subject} has the key ${shown} twice in its JSON object.`, syntax: false };
}

/** True where the first character is that of a JSON object or array. */
export function beginsAsJson(bytes: Uint8Array): boolean {
  const first = bytes[trimSpan(bytes).start];
  return first === 0x7b || first === 0x5b;
}

function placeOfFault(text: string): string {
  const at = jsonFaultAt(text) ?? text.length;
  return at < text.length ? placeIn(text, at) : 'it ends too soon';
}

function isUtf8Like(charset: string): boolean {
  return charset.startsWith('utf-8') || charset === 'utf8' || charset.endsWith('ascii');
}
