// What the command line sees of the world, handed down by cli.ts, and text that is safe and fits on a screen.
import type { Readable, Writable } from 'node:stream';
import { stripVTControlCharacters, styleText } from 'node:util';

/** An output that may be a terminal. */
export type Screen = Writable & { isTTY?: boolean; columns?: number; rows?: number };

/** The world of one command. */
export interface Terminal {
  stdin: Readable & { isTTY?: boolean; setRawMode?(raw: boolean): unknown };
  /** Results; with --json machine output and nothing else. */
  stdout: Screen;
  /** Errors, notes, progress, logs. */
  stderr: Screen;
  env: Readonly<Record<string, string | undefined>>;
  /** The working folder. */
  folder: string;
}

/** How text is styled: names of node:util's styleText. */
export type Style = Parameters<typeof styleText>[0];

/** Styles text where the screen is a terminal and nobody asked for none (NO_COLOR). */
export function painter(screen: Screen, env: Terminal['env']): (style: Style, text: string) => string {
  const colour = screen.isTTY === true && !env['NO_COLOR'] && env['TERM'] !== 'dumb';
  return (style, text) => (colour ? styleText(style, text, { validateStream: false }) : text);
}

/** Columns to fit into: the screen's, or COLUMNS, or any number when the output goes elsewhere. */
export function columnsOf({ stdout, env }: Pick<Terminal, 'stdout' | 'env'>): number {
  const named = Number(env['COLUMNS']);
  return stdout.columns ?? (Number.isInteger(named) && named > 0 ? named : Infinity);
}

/**
 * Text that came from elsewhere, made harmless on a terminal: no control sequences, no letters that reorder a line, and
 * on one line.
 */
export function plain(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  return stripVTControlCharacters(text).replace(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g, ' ');
}

/** Cells that the text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const letter of text) width += /\p{Mn}|\p{Me}|\p{Cf}/u.test(letter) ? 0 : isWide(letter) ? 2 : 1;
  return width;
}

function isWide(letter: string): boolean {
  return /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
    letter,
  );
}

/** The text in at most `width` cells; what is cut off, at its end or at its beginning, is shown by `…`. */
export function clip(text: string, width: number, keepEnd = false): string {
  if (widthOf(text) <= width) return text;
  const letters = Array.from(text);
  if (keepEnd) letters.reverse();
  let used = 1;
  const end = letters.findIndex((letter) => (used += widthOf(letter)) > width);
  const kept = letters.slice(0, end);
  return keepEnd ? `…${kept.reverse().join('')}` : `${kept.join('')}…`;
}

/** The text, filled with spaces up to `width` cells. */
export function pad(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - widthOf(text)));
}

/** How long ago, in the largest unit that fits: `12 s ago`. */
export function ago(instant: string, now: number): string {
  return `${span(now - Date.parse(instant))} ago`;
}

/** How long from now: `in 12 s`, or `now`. */
export function ahead(instant: string, now: number): string {
  const ms = Date.parse(instant) - now;
  return ms < 500 ? 'now' : `in ${span(ms)}`;
}

function span(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}
