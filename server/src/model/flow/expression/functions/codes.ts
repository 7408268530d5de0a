// Functions of codes: hashes as the modules people come from have them (R83), and texts as base64, hex, URLs and JSON.
import { Buffer, isUtf8 } from 'node:buffer';
import { createHash, createHmac } from 'node:crypto';
import type { Json } from '../../../json-value.ts';
import { produce, spend, weigh } from '../budget.ts';
import { ExpressionError } from '../fault.ts';
import { exists, toJson } from '../values.ts';
import { entry, textOf, walkedText, wordOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

const HASHES = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'] as const;

const encodingOf = (value: Argument): 'hex' | 'base64' => wordOf(value, 'encoding', ['hex', 'base64']);
const keyEncodingOf = (value: Argument): 'text' | 'hex' | 'base64' =>
  wordOf(value, 'encoding of the key', ['text', 'hex', 'base64']);

/**
 * A hash, or an HMAC when there is a key. A key that was written and turns out to be nothing is refused: it would
 * quietly make a signature that anybody can make.
 */
function hashBy(algorithm: string): FunctionEntry['run'] {
  return ([value, encoding, key, keyEncoding], call) => {
    const text = walkedText(value, call);
    const output = encodingOf(encoding);
    if (key === undefined) return createHash(algorithm).update(text).digest(output);
    if (!exists(key)) throw new ExpressionError('The key is empty; for a hash without a key leave it out');
    const bytes = bytesOf(textOf(key, call), keyEncodingOf(keyEncoding));
    return createHmac(algorithm, bytes).update(text).digest(output);
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;
const HEX = /^(?:[0-9a-fA-F]{2})*$/;

/** Decodes strictly: what Node would pass over in silence makes another key. Base64 may be that of URLs. */
function bytesOf(text: string, encoding: 'text' | 'hex' | 'base64'): Buffer {
  if (encoding === 'text') return Buffer.from(text);
  const plain = encoding === 'hex' ? text : text.replaceAll('-', '+').replaceAll('_', '/');
  if ((encoding === 'hex' ? HEX : BASE64).test(plain)) return Buffer.from(plain, encoding);
  throw new ExpressionError(`The text is not ${encoding}`);
}

/** Bytes as text; those that are no UTF-8 are refused. */
function textFrom(bytes: Buffer, call: Call): string {
  if (!isUtf8(bytes)) throw new ExpressionError('The bytes are no text in UTF-8');
  produce(call, bytes.length);
  return bytes.toString();
}

function encode(value: Argument, encoding: 'hex' | 'base64', call: Call): string {
  const text = walkedText(value, call);
  produce(call, text.length * 6);
  return Buffer.from(text).toString(encoding);
}

function urlDecode(value: Argument, call: Call): string {
  const text = walkedText(value, call);
  produce(call, text.length);
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    throw new ExpressionError('The text is not encoded as in a URL');
  }
}

function parseJson(value: Argument, call: Call): Json {
  const text = walkedText(value, call);
  if (text.trim() === '') return null;
  // Before it is parsed: values that are small in the text are larger in memory.
  spend(call, text.length / 8);
  let parsed: Json;
  try {
    parsed = JSON.parse(text) as Json;
  } catch {
    throw new ExpressionError('The text is not JSON');
  }
  weigh(call, parsed);
  return parsed;
}

export const CODE_FUNCTIONS: readonly FunctionEntry[] = [
  ...HASHES.map((algorithm) =>
    entry(`${algorithm}(text, encoding?, key?, keyEncoding?)`, hashBy(algorithm), { 1: encodingOf, 3: keyEncodingOf }),
  ),
  entry('base64(text)', ([text], call) => encode(text, 'base64', call)),
  entry('fromBase64(text)', ([text], call) => textFrom(bytesOf(walkedText(text, call), 'base64'), call)),
  entry('hex(text)', ([text], call) => encode(text, 'hex', call)),
  entry('fromHex(text)', ([text], call) => textFrom(bytesOf(walkedText(text, call), 'hex'), call)),
  entry('urlEncode(text)', ([value], call) => {
    const text = walkedText(value, call);
    produce(call, text.length * 9);
    return encodeURIComponent(text.toWellFormed());
  }),
  entry('urlDecode(text)', ([text], call) => urlDecode(text, call)),
  entry('json(value)', ([value], call) => toJson(value as Json, call)),
  entry('parseJson(text)', ([text], call) => parseJson(text, call)),
];
