// A command line as bash reads it, as far as completing needs it: words with their quotes taken off, and where it cuts.

/** A line up to the cursor. */
export interface CutLine {
  /** Words without their quotes; the last one is unfinished, and empty after a space. */
  words: string[];
  /** The quote that the last word is in, or `''`. */
  quote: '' | "'" | '"';
  /** So many letters of the last word stand before bash's last cut at `:` or `=`: it keeps them as they are. */
  cutAt: number;
}

/** Cuts a line at a position (bytes, as bash counts them). */
export function cutLine(line: string, point: number): CutLine {
  const text = Buffer.from(line).subarray(0, point).toString();
  const words: string[] = [];
  let word = '';
  let isOpen = false;
  let quote: CutLine['quote'] = '';
  let cutAt = 0;
  for (let at = 0; at < text.length; at++) {
    const letter = text[at]!;
    if (quote === '' && /\s/.test(letter)) {
      if (isOpen) words.push(word);
      [word, isOpen, cutAt] = ['', false, 0];
      continue;
    }
    isOpen = true;
    if (letter === '\\' && quote !== "'") word += text[++at] ?? '';
    else if (quote === '' && (letter === "'" || letter === '"')) quote = letter;
    else if (letter === quote) quote = '';
    else {
      word += letter;
      if (quote === '' && /[:=]/.test(letter)) cutAt = word.length;
    }
  }
  words.push(word);
  return { words, quote, cutAt };
}

/** A word as bash takes it verbatim: within a quote that is open already, or with backslashes. */
export function quoteForBash(word: string, quote: CutLine['quote']): string {
  if (quote === "'") return word.replaceAll("'", "'\\''");
  if (quote === '"') return word.replace(/["\\$`]/g, '\\$&');
  return word.replace(/[^\w@%+=:,./\u0080-\uffff-]/g, '\\$&');
}
