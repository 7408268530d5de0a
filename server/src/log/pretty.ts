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
      const head = [paint('gray', time.slice(11, 23)), paint(COLOURS[level] ?? 'white', level.padEnd(5))];
      const parts = [...head, harmless(message)];
      for (const [name, value] of Object.entries(fields))
        parts.push(`${paint('gray', `${name}=`)}${harmless(shown(value))}`);
      destination.write(`${parts.join(' ')}${harmless(shownError(error))}\n`);
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

// What endpoints and callers said may stand in errors, and a terminal obeys it. Lines of a stack stay lines, set in.
function harmless(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  return text.replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, ' ');
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
