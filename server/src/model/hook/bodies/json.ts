// Bodies that are JSON: of bounded depth, and no key twice, since two parsers may read such a text differently.
import { asBuffer } from '../../cloud-events/json.ts';
import { countMembers, duplicateKey, scanJson, trimSpan } from '../../json-bytes.ts';
import type { Json } from '../../json-value.ts';
import { decodeText, placeIn } from './decode.ts';

/** What reading JSON gives; `syntax` tells a text that is no JSON from JSON that is not taken. */
export type JsonRead = { ok: true; body: Json; text: string } | { ok: false; reason: string; syntax: boolean };

/**
 * One JSON value (RFC 8259) in the charset named. Refused: what is no JSON, nests deeper than `depth`, or names a key
 * twice in one object. A byte order mark is passed over, as RFC 8259 section 8.1 allows.
 */
export function readJson(bytes: Buffer, charset: string, depth: number): JsonRead {
  const decoded = decodeText(bytes, charset, 'The body');
  if (!decoded.ok) return { ...decoded, syntax: false };
  const { text } = decoded;
  const utf8 = text.length === bytes.length || isUtf8Like(charset) ? bytes : Buffer.from(text);
  const scan = scanJson(utf8);
  if (scan.depth > depth) {
    return { ok: false, reason: `The body nests deeper than ${depth} levels.`, syntax: false };
  }
  let body: Json;
  try {
    body = JSON.parse(text) as Json;
  } catch (error) {
    return { ok: false, reason: `The body is not JSON (${placeOfFault(text, error)}).`, syntax: true };
  }
  if (countMembers(body) === scan.members) return { ok: true, body, text };
  const pointer = duplicateKey(asBuffer(utf8)) ?? '';
  const shown = pointer.length > 200 ? `${pointer.slice(0, 200)}…` : pointer;
  return { ok: false, reason: `The key ${shown} comes twice in its JSON object.`, syntax: false };
}

/** True where the first character is that of a JSON object or array. */
export function beginsAsJson(bytes: Uint8Array): boolean {
  const first = bytes[trimSpan(bytes).start];
  return first === 0x7b || first === 0x5b;
}

/** V8 says where; where it does not, the text ended too soon. Its words quote the body, and are left out. */
function placeOfFault(text: string, error: unknown): string {
  const position = /position (\d+)/.exec((error as Error).message)?.[1];
  return position === undefined ? 'it ends too soon' : placeIn(text, Number(position));
}

function isUtf8Like(charset: string): boolean {
  return charset.startsWith('utf-8') || charset === 'utf8' || charset.endsWith('ascii');
}
