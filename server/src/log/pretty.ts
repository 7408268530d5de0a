// Log lines for people: time, level, message, then the fields, all on one line; only an error's stack takes more.
import { styleText } from 'node:util';

/** Takes whole lines, newline included: process.stdout, a file, a list in a test. */
export interface LogDestination {
  write(line: string): unknown;
}

const COLOURS = { debug: 'gray', info: 'cyan', warn: 'yellow', error: 'red' } as const;

/** Turns JSON lines into text: `12:30:01.250 info  delivered  webhook=wh_1 durationMs=12`. Times are UTC. */
export function createPrettyLines(destination: LogDestination, colour: boolean): LogDestination {
  const paint = (format: Parameters<typeof styleText>[0], text: string): string =>
    colour ? styleText(format, text, { validateStream: false }) : text;
  return {
    write(line) {
      const { time, level, message, error, ...fields } = JSON.parse(line) as Line;
      const parts = [paint('gray', time.slice(11, 23)), paint(COLOURS[level] ?? 'white', level.padEnd(5)), message];
      for (const [name, value] of Object.entries(fields)) parts.push(`${paint('gray', `${name}=`)}${shown(value)}`);
      destination.write(`${parts.join(' ')}${shownError(error)}\n`);
    },
  };
}

interface Line {
  time: string;
  level: keyof typeof COLOURS;
  message: string;
  error?: unknown;
  [field: string]: unknown;
}

function shown(value: unknown): string {
  if (typeof value === 'string') return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

function shownError(error: unknown): string {
  if (error === undefined) return '';
  const { stack, message } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>;
  if (typeof stack === 'string') return `\n${stack.replace(/^/gm, '    ')}`;
  return ` error=${shown(typeof message === 'string' ? message : error)}`;
}
