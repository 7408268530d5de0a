// JSON for signed documents: RFC 8259 in UTF-8, and no object may say the same thing twice.
import { textOf } from './encoding.ts';

/** A parsed document, or what is wrong with it as a sentence. */
export type Json = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly fault: string };

/** Parses bytes. Invalid UTF-8 and duplicate keys are refused: two parsers would read two different documents. */
export function parseJson(bytes: Uint8Array): Json {
  const text = textOf(bytes);
  if (text === undefined) return { ok: false, fault: 'the body is not valid UTF-8' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { ok: false, fault: 'the body is not valid JSON' };
  }
  if (repeatsKey(text)) return { ok: false, fault: 'an object in the body has the same key twice' };
  return { ok: true, value };
}

/** Whether an object anywhere in a text that is known to be JSON has two equal keys. One pass, no recursion. */
function repeatsKey(text: string): boolean {
  // One entry per open bracket: the keys seen in an object, nothing for an array.
  const open: (Set<string> | undefined)[] = [];
  let keyComes = false;
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === '"') {
      const end = stringEnd(text, at);
      if (keyComes) {
        const keys = open.at(-1)!;
        const key = JSON.parse(text.slice(at, end + 1)) as string;
        if (keys.has(key)) return true;
        keys.add(key);
        keyComes = false;
      }
      at = end;
    } else if (character === '{') {
      open.push(new Set());
      keyComes = true;
    } else if (character === '[') {
      open.push(undefined);
      keyComes = false;
    } else if (character === '}' || character === ']') {
      open.pop();
      keyComes = false;
    } else if (character === ',') {
      keyComes = open.at(-1) !== undefined;
    }
  }
  return false;
}

function stringEnd(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}
