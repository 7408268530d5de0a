// What is wrong with a document, and where: file, line, column, and the words that were expected.
import { didYouMean } from '../../near-names.ts';

/** A part of a file's text: offsets of its first unit and of the one behind its last. */
export interface Span {
  start: number;
  end: number;
}

/** One fault of a document. */
export interface DocumentFault {
  file: string;
  /** From 1, as editors count. */
  line: number;
  /** From 1, in UTF-16 units. */
  column: number;
  /** What stands there, cut to one line. */
  found: string;
  /** What might stand there; empty where that cannot be listed. */
  expected: readonly string[];
  /** The whole in words, without the place. */
  message: string;
}

/** Gathers the faults of one file. */
export interface Faults {
  readonly file: string;
  readonly text: string;
  readonly list: readonly DocumentFault[];
  add(at: Span, message: string, expected?: readonly string[]): void;
  /** The line of an offset, from 1. */
  placeOf(offset: number): { line: number; column: number };
  /** The text of the line an offset is in. */
  lineAt(offset: number): string;
}

/** More of one file are not told: whoever has mended these asks again. */
export const MAX_FAULTS = 50;

const LONGEST_FOUND = 60;

/** Makes the gatherer of a file; `linePos` tells line and column of an offset, both from 1. */
export function createFaults(
  { name, text }: { name: string; text: string },
  linePos: (offset: number) => { line: number; col: number },
): Faults {
  const list: DocumentFault[] = [];
  const placeOf = (offset: number) => {
    const { line, col } = linePos(Math.min(offset, text.length));
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  return {
    file: name,
    text,
    list,
    placeOf,
    add({ start, end }, message, expected = []) {
      if (list.length >= MAX_FAULTS) return;
      const found = (text.slice(start, end).split('\n')[0] ?? '').trim().slice(0, LONGEST_FOUND);
      list.push({ file: name, ...placeOf(start), found, expected, message });
    },
    lineAt(offset) {
      const start = text.lastIndexOf('\n', offset - 1) + 1;
      const end = text.indexOf('\n', offset);
      return text.slice(start, end === -1 ? undefined : end);
    },
  };
}

/** A fault in one line, as compilers say it: `flows/nightly.yaml:4:3: there is no field "timout" …`. */
export function faultLine({ file, line, column, message }: DocumentFault): string {
  return `${file}:${line}:${column}: ${message}`;
}

/** Says that a word is none of those there are: the near ones, or all of them. */
export function notOneOf(what: string, found: string, words: readonly string[]): string {
  return `there is no ${what} "${found}"${didYouMean(found, words) || `; there is: ${words.join(', ')}`}`;
}
