// Functions of texts: case, parts, places, and what a text is like, with and without regard to case.
import type { Json } from '../../../json-value.ts';
import { ENTRY, namesOf, produce, spend } from '../budget.ts';
import { isIn, join } from '../values.ts';
import { entry, listOf, textOf, walkedText, wholeOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

const LONGEST = 2 ** 24;

/** A text that was made of others. */
function made(text: string, call: Call): string {
  produce(call, text.length);
  return text;
}

/** The same without upper and lower case: what Unicode folds to the same is the same. */
function folded(value: Argument, call: Call): string {
  return made(walkedText(value, call).toLowerCase(), call);
}

function place(value: Argument, what: string, or: number): number {
  return wholeOf(value, what, { from: -LONGEST, to: LONGEST, or });
}

/** A member of a list, or a part of a text. */
function contains(whole: Argument, part: Argument, call: Call): boolean {
  if (Array.isArray(whole)) return isIn(part ?? null, whole, call);
  return walkedText(whole, call).includes(textOf(part, call));
}

function containsIgnoreCase(whole: Argument, part: Argument, call: Call): boolean {
  const search = folded(part, call);
  if (Array.isArray(whole)) return whole.some((one) => folded(one, call) === search);
  return folded(whole, call).includes(search);
}

function replaceAll(args: readonly Argument[], call: Call): string {
  const [text, search, replacement] = [walkedText(args[0], call), textOf(args[1], call), textOf(args[2], call)];
  if (search === '') return text;
  let found = 0;
  for (let at = text.indexOf(search); at >= 0; at = text.indexOf(search, at + search.length)) found++;
  spend(call, found);
  // Counted before it is made: a short text can become an endless one.
  produce(call, text.length + found * (replacement.length - search.length));
  return text.replaceAll(search, () => replacement);
}

function split(args: readonly Argument[], call: Call): Json[] {
  const [text, separator] = [walkedText(args[0], call), textOf(args[1], call)];
  if (text === '') return [];
  const limit = wholeOf(args[2], 'limit', { from: 1, to: LONGEST, or: LONGEST });
  let parts = 1;
  if (separator === '') parts = text.length;
  else for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, at + separator.length)) parts++;
  spend(call, Math.min(parts, limit));
  produce(call, text.length + ENTRY * Math.min(parts, limit));
  return separator === '' ? Array.from(text).slice(0, limit) : text.split(separator, limit);
}

function pad(args: readonly Argument[], call: Call): { text: string; length: number; filler: string } {
  const length = wholeOf(args[1], 'length', { from: 0, to: LONGEST, or: 0 });
  produce(call, length);
  return { text: walkedText(args[0], call), length, filler: args[2] === undefined ? ' ' : textOf(args[2], call) };
}

function length(value: Argument, call: Call): number {
  if (Array.isArray(value)) return value.length;
  if (typeof value === 'object' && value !== null) return namesOf(call, value).length;
  return textOf(value, call).length;
}

/** Without what stands between `<` and `>` where that can be a tag; each character is looked at once. */
function stripTags(text: string): string {
  let kept = '';
  let at = 0;
  for (let open = text.indexOf('<'); open >= 0; open = text.indexOf('<', at)) {
    const isTag = /[a-z/!]/i.test(text.charAt(open + 1));
    const close = isTag ? text.indexOf('>', open) : open;
    if (close < 0) break;
    kept += text.slice(at, isTag ? open : open + 1);
    at = close + 1;
  }
  return kept + text.slice(at);
}

const HTML: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

export const TEXT_FUNCTIONS: readonly FunctionEntry[] = [
  entry('lower(text)', ([text], call) => folded(text, call)),
  entry('upper(text)', ([text], call) => made(walkedText(text, call).toUpperCase(), call)),
  entry('capitalize(text)', ([value], call) => {
    const text = walkedText(value, call);
    const first = String.fromCodePoint(text.codePointAt(0) ?? 0x20);
    return text === '' ? '' : made(first.toUpperCase() + text.slice(first.length), call);
  }),
  entry('titleCase(text)', ([text], call) =>
    folded(text, call).replaceAll(/[\p{L}\p{N}][\p{L}\p{M}\p{N}'’]*/gu, (word) => {
      const first = String.fromCodePoint(word.codePointAt(0) as number);
      return first.toUpperCase() + word.slice(first.length);
    }),
  ),
  entry('trim(text)', ([text], call) => made(walkedText(text, call).trim(), call)),
  entry('length(value)', ([value], call) => length(value, call)),
  entry('substring(text, from, to?)', ([value, from, to], call) => {
    const text = walkedText(value, call);
    return made(text.slice(Math.max(0, place(from, 'start', 0)), Math.max(0, place(to, 'end', text.length))), call);
  }),
  entry('replace(text, search, replacement)', replaceAll),
  entry('split(text, separator, limit?)', split),
  entry('join(list, separator?)', ([list, separator], call) => {
    const parts = listOf(list);
    spend(call, parts.length);
    return join(
      parts.map((part) => textOf(part, call)),
      separator === undefined ? ', ' : textOf(separator, call),
      call,
    );
  }),
  entry('contains(whole, part)', ([whole, part], call) => contains(whole, part, call)),
  entry('startsWith(text, start)', ([text, start], call) => textOf(text, call).startsWith(walkedText(start, call))),
  entry('endsWith(text, end)', ([text, end], call) => textOf(text, call).endsWith(walkedText(end, call))),
  entry('indexOf(text, part, from?)', ([text, part, from], call) =>
    walkedText(text, call).indexOf(textOf(part, call), place(from, 'start', 0)),
  ),
  entry('padStart(text, length, filler?)', (args, call) => {
    const { text, length, filler } = pad(args, call);
    return text.padStart(length, filler);
  }),
  entry('padEnd(text, length, filler?)', (args, call) => {
    const { text, length, filler } = pad(args, call);
    return text.padEnd(length, filler);
  }),
  entry('equalsIgnoreCase(text, other)', ([text, other], call) => folded(text, call) === folded(other, call)),
  entry('containsIgnoreCase(whole, part)', ([whole, part], call) => containsIgnoreCase(whole, part, call)),
  entry('startsWithIgnoreCase(text, start)', ([text, start], call) =>
    folded(text, call).startsWith(folded(start, call)),
  ),
  entry('endsWithIgnoreCase(text, end)', ([text, end], call) => folded(text, call).endsWith(folded(end, call))),
  entry('escapeHtml(text)', ([value], call) => {
    const text = walkedText(value, call);
    produce(call, text.length * 6);
    return text.replaceAll(/[&<>"']/g, (char) => HTML[char] as string);
  }),
  entry('stripHtml(text)', ([text], call) => made(stripTags(walkedText(text, call)), call)),
];
