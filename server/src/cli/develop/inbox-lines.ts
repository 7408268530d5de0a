// A request as lines for people: method, path, headers, signature, and the body as JSON, text or hex. No byte of it can
// touch the terminal otherwise than as a letter.
import type { Judged, Received } from './inbox-judge.ts';
import { clock } from './exchange-line.ts';
import type { Session } from '../session.ts';
import { plain } from '../terminal.ts';

/** A request that was dealt with. */
export interface Kept {
  received: Received;
  judged: Judged;
  status: number;
  /** How often its `webhook-id` came. */
  repetition: number;
  /** Where its bytes are, or null. */
  file: string | null;
}

const MOST_LINES = 200;
const MOST_LETTERS = 1_000;
const MOST_HEX_LINES = 16;
const BYTES_A_LINE = 16;

/** The lines of a request. */
export function linesOf({ received, judged, status, repetition, file }: Kept, { paint }: Session): string[] {
  const { method, path, headers, body } = received;
  const again = repetition > 1 ? paint('yellow', `  for the ${ordinal(repetition)} time`) : '';
  const style = judged.isGood === null ? 'dim' : judged.isGood ? 'green' : 'red';
  return [
    `${clock(new Date())}  ${paint('bold', plain(`${method} ${path}`))}  ${sizeOf(body.length)}  → ${status}${again}`,
    `  signature  ${paint(style, plain(judged.words))}`,
    ...headers.map(([name, value]) => `  ${paint('dim', plain(`${name}:`))} ${plain(value)}`),
    ...(file === null ? [] : [`  ${paint('dim', `kept in ${plain(file)}`)}`]),
    ...bodyLines(body).map((line) => `  ${line}`),
    '',
  ];
}

function ordinal(times: number): string {
  return `${times}${['th', 'st', 'nd', 'rd'][times % 100 > 10 && times % 100 < 14 ? 0 : times % 10] ?? 'th'}`;
}

function sizeOf(bytes: number): string {
  return bytes === 1 ? '1 byte' : `${bytes} bytes`;
}

/** A body: JSON with its own numbers and its own order, text as it stands, anything else in hex. */
export function bodyLines(body: Uint8Array): string[] {
  if (body.length === 0) return [];
  const text = textOf(body);
  if (text === null) return hexLines(body);
  const shown: string[] = [];
  let count = 0;
  for (const line of isJson(text) ? spread(text) : text.split(/\r?\n/)) {
    if (++count <= MOST_LINES) shown.push(shortened(line));
  }
  return [...shown, ...more(count - MOST_LINES, 'lines')];
}

function shortened(line: string): string {
  return [plain(line.slice(0, MOST_LETTERS)), ...more(line.length - MOST_LETTERS, 'letters')].join(' ');
}

function more(count: number, of: string): string[] {
  return count > 0 ? [`… and ${count} more ${of}`] : [];
}

// NUL is legal UTF-8 and never text.
function textOf(body: Uint8Array): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return text.includes('\0') ? null : text;
  } catch {
    return null;
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON spread over lines by its own letters: parsing it would round large numbers and drop repeated names. */
export function* spread(json: string): Generator<string> {
  let [line, depth, before] = ['', 0, ''];
  for (const token of tokensOf(json)) {
    const isEnd = token === '}' || token === ']';
    const isInside = before === '{' || before === '[';
    if (isEnd) depth--;
    // Brackets with nothing in them stay together.
    if (isEnd ? !isInside : isInside || before === ',') {
      yield line;
      line = '  '.repeat(Math.min(depth, DEEPEST));
    }
    if (token === '{' || token === '[') depth++;
    line += token === ':' ? ': ' : token;
    before = token;
  }
  yield line;
}

/** From here on lines are indented no further: brackets in brackets would cost their number squared. */
const DEEPEST = 40;
const SPACE = ' \t\r\n';
const MARKS = '{}[],:';

// Letter by letter: a string of some megabytes is more than a regular expression bears.
function* tokensOf(json: string): Generator<string> {
  for (let at = 0, end = 0; at < json.length; at = end) {
    const first = json[at]!;
    end = at + 1;
    if (SPACE.includes(first)) continue;
    if (first === '"') {
      while (end < json.length && json[end] !== '"') end += json[end] === '\\' ? 2 : 1;
      end++;
    } else if (!MARKS.includes(first)) {
      while (end < json.length && !SPACE.includes(json[end]!) && !MARKS.includes(json[end]!)) end++;
    }
    yield json.slice(at, end);
  }
}

function hexLines(body: Uint8Array): string[] {
  const rows = Math.ceil(body.length / BYTES_A_LINE);
  const shown = Array.from({ length: Math.min(rows, MOST_HEX_LINES) }, (_, at) => {
    const row = body.subarray(at * BYTES_A_LINE, (at + 1) * BYTES_A_LINE);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    return `${(at * BYTES_A_LINE).toString(16).padStart(8, '0')}  ${hex.padEnd(BYTES_A_LINE * 3 - 1)}  ${letters}`;
  });
  return [...shown, ...more(rows - MOST_HEX_LINES, `lines of ${BYTES_A_LINE} bytes`)];
}
