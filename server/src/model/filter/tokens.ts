// Cuts a filter's text into tokens, each with its place, so that every complaint can point at one.

/** `word` is a name, operator, number or time; `end` stands after the last token and has no text. */
export type Token = { kind: 'word' | 'string' | 'mark' | 'end'; text: string; position: number };

/** A filter that does not parse: the offending token (empty at the end of the text) and its place, counted from 0. */
export class FilterFault extends Error {
  readonly token: string;
  readonly position: number;

  constructor({ text, position }: { text: string; position: number }, message: string) {
    super(message);
    this.token = text;
    this.position = position;
  }
}

// One alternative per kind of token; white space before it belongs to none.
const TOKEN = /[ \t\r\n]*(?:([(),])|('(?:[^']|'')*'(?!'))|([^\s(),']+)|$)/y;

/** All tokens, an `end` last. Throws a FilterFault at a string without an end or a character that begins no token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  for (;;) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(text);
    if (match === null) throw strayCharacter(text, from);
    const [whole, mark, string, word] = match;
    const found = mark ?? string ?? word ?? '';
    const kind = mark !== undefined ? 'mark' : string !== undefined ? 'string' : word !== undefined ? 'word' : 'end';
    tokens.push({ kind, text: found, position: from + whole.length - found.length });
    if (kind === 'end') return tokens;
  }
}

function strayCharacter(text: string, from: number): FilterFault {
  const position = from + (/^[ \t\r\n]*/.exec(text.slice(from))?.[0].length ?? 0);
  if (text[position] === "'") {
    const token = { text: text.slice(position, position + 40), position };
    return new FilterFault(token, `The string ${token.text} has no closing quote; a quote inside is written ''.`);
  }
  const token = { text: String.fromCodePoint(text.codePointAt(position) ?? 0), position };
  return new FilterFault(token, `The character ${JSON.stringify(token.text)} cannot stand in a filter.`);
}
