// A command as a person writes it, split into its words. Templates stay whole: what they give is one word, whatever is in it.

/** A command line that cannot be split; the message says where. */
export class CommandLineFault extends Error {
  override name = 'CommandLineFault';
  /** Offset in the text. */
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

const SPACE = /\s/;

/**
 * Splits by white space; `'…'` and `"…"` hold words together, a backslash takes the next character as it is, and
 * `${ … }` is never split. Nothing is expanded: this is no shell. Throws a {@link CommandLineFault}.
 */
export function splitCommandLine(text: string): string[] {
  const words: string[] = [];
  let word: string | null = null;
  let at = 0;
  while (at < text.length) {
    const char = text[at]!;
    if (char === '$' && text[at + 1] === '{') {
      const end = endOfTemplate(text, at);
      word = (word ?? '') + text.slice(at, end);
      at = end;
    } else if (char === "'" || char === '"') {
      const [quoted, end] = readQuoted(text, at);
      word = (word ?? '') + quoted;
      at = end;
    } else if (char === '\\') {
      if (at + 1 === text.length) throw new CommandLineFault('a backslash at the end has nothing to take as it is', at);
      word = (word ?? '') + text[at + 1]!;
      at += 2;
    } else {
      if (!SPACE.test(char)) word = (word ?? '') + char;
      else if (word !== null) words.push(word);
      if (SPACE.test(char)) word = null;
      at++;
    }
  }
  if (word !== null) words.push(word);
  return words;
}

function readQuoted(text: string, start: number): [quoted: string, end: number] {
  const quote = text[start]!;
  let quoted = '';
  let at = start + 1;
  while (at < text.length) {
    const char = text[at]!;
    if (char === quote) return [quoted, at + 1];
    if (char === '$' && text[at + 1] === '{') {
      const end = endOfTemplate(text, at);
      quoted += text.slice(at, end);
      at = end;
    } else if (char === '\\' && quote === '"' && (text[at + 1] === '"' || text[at + 1] === '\\')) {
      quoted += text[at + 1]!;
      at += 2;
    } else {
      quoted += char;
      at++;
    }
  }
  throw new CommandLineFault(`the quotation mark ${quote} is not closed`, start);
}

// Braces and texts of the expression are counted, so that `${ f({ a: '}' }) }` is one.
function endOfTemplate(text: string, start: number): number {
  let depth = 0;
  let quote: string | null = null;
  for (let at = start + 1; at < text.length; at++) {
    const char = text[at]!;
    if (quote !== null) {
      if (char === '\\') at++;
      else if (char === quote) quote = null;
    } else if (char === "'" || char === '"') quote = char;
    else if (char === '{') depth++;
    else if (char === '}' && --depth === 0) return at + 1;
  }
  throw new CommandLineFault('the expression is not closed: } is missing', start);
}
