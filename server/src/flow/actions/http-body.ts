// What the body of an answer is, by its content type: JSON, text, or bytes in base64.
import type { Json } from '../../model/flow/definition.ts';
import { scanJson } from '../../model/json-bytes.ts';
import { MAX_DEPTH } from '../bounds.ts';
import type { FetchAnswer } from '../fetch.ts';

const JSON_TYPE = /^(?:application|text)\/(?:[\w.+-]*\+)?json$/;
const TEXT_TYPE = /^(?:text\/|application\/(?:xml|x-www-form-urlencoded|javascript|yaml)$|[\w.-]+\/[\w.+-]*\+xml$)/;

/** The body, and what is wrong with it, as a clause, where it is not what its content type says. */
export interface ReadBody {
  value: Json;
  fault: string | null;
}

/** Reads it. Never throws. A body that is not what it says it is is given as text. */
export function readBody({ headers, body }: Pick<FetchAnswer, 'headers' | 'body'>): ReadBody {
  if (body.length === 0) return { value: null, fault: null };
  const encoding = headers['content-encoding']?.toLowerCase() ?? 'identity';
  // Nobody asked for it, and nothing is unpacked here.
  if (encoding !== 'identity') return { value: { base64: Buffer.from(body).toString('base64') }, fault: null };
  const contentType = headers['content-type'] ?? '';
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  if (JSON_TYPE.test(type)) return readJson(body);
  const charset = /;\s*charset="?([^\s";]+)/i.exec(contentType)?.[1] ?? 'utf-8';
  if (type === '' || TEXT_TYPE.test(type)) return { value: decode(body, charset), fault: null };
  return { value: { base64: Buffer.from(body).toString('base64') }, fault: null };
}

function readJson(body: Uint8Array): ReadBody {
  if (scanJson(body).depth > MAX_DEPTH) return { value: null, fault: `its JSON nests deeper than ${MAX_DEPTH} levels` };
  const text = decode(body, 'utf-8');
  try {
    return { value: JSON.parse(text) as Json, fault: null };
  } catch {
    return { value: text, fault: 'its body is not the JSON that its content type says' };
  }
}

function decode(body: Uint8Array, charset: string): string {
  try {
    return new TextDecoder(charset).decode(body);
  } catch {
    // Nobody knows this charset. What is not UTF-8 shows as replacement characters.
    return new TextDecoder().decode(body);
  }
}
