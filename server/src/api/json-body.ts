// The body of a request as JSON, read strictly: what two parsers may read differently is refused.
import { isUtf8 } from 'node:buffer';
import { countMembers, duplicateKey, scanJson } from '../model/json-bytes.ts';
import { refuse } from '../model/problem.ts';

/** Objects and arrays nest at most this deep. */
const MAX_DEPTH = 64;

/** Parses a body. Refuses invalid UTF-8, what is not JSON, keys that come twice, and what nests too deep. */
export function parseBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes)) throw refuse('invalid-utf8', 'The body is not valid UTF-8.');
  const shape = scanJson(bytes);
  if (shape.depth > MAX_DEPTH) throw refuse('nested-too-deep', `The body nests deeper than ${MAX_DEPTH} levels.`);
  const value = parse(bytes);
  if (countMembers(value) !== shape.members) {
    throw refuse('duplicate-key', `The key ${duplicateKey(bytes) ?? ''} comes twice in its JSON object.`);
  }
  return value;
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown;
  } catch (error) {
    const position = /position \d+/.exec((error as Error).message)?.[0];
    throw refuse('invalid-json', `The body is not JSON${position === undefined ? '' : ` (see ${position})`}.`);
  }
}
