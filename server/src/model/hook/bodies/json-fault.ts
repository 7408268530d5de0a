// Finds where a text stops being JSON, which the platform's parser tells only at times.

/** What may stand next. */
type Next = 'value' | 'item or end' | 'key or end' | 'key' | 'colon' | 'comma or end';

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const LITERALS = ['true', 'false', 'null'];

/**
 * The index of the first character that RFC 8259 does not allow where it stands; the length of the text where it ends
 * too soon; null for JSON. One pass; never throws.
 */
export function jsonFaultAt(text: string): number | null {
  const open: ('{' | '[')[] = [];
  let next: Next = 'value';
  for (let at = endOfSpace(text, 0); ; at = endOfSpace(text, at)) {
    if (next === 'comma or end' && open.length === 0) return at < text.length ? at : null;
    const character = text[at];
    if (character === undefined) return at;
    const isKey: boolean = next === 'key' || next === 'key or end';
    const closes = character === '}' ? '{' : character === ']' ? '[' : null;
    if (closes !== null) {
      const isFirst = next === (closes === '{' ? 'key or end' : 'item or end');
      if (open.at(-1) !== closes || !(isFirst || next === 'comma or end')) return at;
      open.pop();
      next = 'comma or end';
      at++;
    } else if (next === 'comma or end' || next === 'colon') {
      if (character !== (next === 'colon' ? ':' : ',')) return at;
      next = next === 'comma or end' && open.at(-1) === '{' ? 'key' : 'value';
      at++;
    } else if (isKey || character === '"') {
      const end = character === '"' ? endOfString(text, at) : { ok: false, at };
      if (!end.ok) return end.at;
      next = isKey ? 'colon' : 'comma or end';
      at = end.at;
    } else if (character === '{' || character === '[') {
      open.push(character);
      next = character === '{' ? 'key or end' : 'item or end';
      at++;
    } else {
      const end = endOfScalar(text, at);
      if (end === at) return at;
      next = 'comma or end';
      at = end;
    }
  }
}

function endOfSpace(text: string, at: number): number {
  while (at < text.length && ' \t\n\r'.includes(text[at]!)) at++;
  return at;
}

function endOfScalar(text: string, at: number): number {
  NUMBER.lastIndex = at;
  const length = NUMBER.exec(text)?.[0].length ?? LITERALS.find((word) => text.startsWith(word, at))?.length ?? 0;
  return at + length;
}

/** Behind the string that begins at `at`, or where it is none. */
function endOfString(text: string, at: number): { ok: boolean; at: number } {
  for (at++; at < text.length; at++) {
    const character = text[at]!;
    if (character === '"') return { ok: true, at: at + 1 };
    if (character < ' ') return { ok: false, at };
    if (character !== '\\') continue;
    at++;
    if (text[at] === 'u' && /^[0-9a-fA-F]{4}$/.test(text.slice(at + 1, at + 5))) at += 4;
    else if (!'"\\/bfnrt'.includes(text[at] ?? 'x')) return { ok: false, at: Math.min(at, text.length) };
  }
  return { ok: false, at: text.length };
}
