// A request as lines for people: method, path, headers, signature, and the body as JSON, text or hex. No byte of it can
// touch the terminal otherwise than as a letter.
import type { Judged, Received } from './inbox-judge.ts';
import { clock } from './exchange-line.ts';
import type { Session } from './session.ts';
import { plain } from './terminal.ts';

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
  if (text === null) return cut(hexLines(body), MOST_HEX_LINES, 'of 16 bytes');
  const shown = isJson(text) ? spread(text) : text.split(/\r?\n/);
  return cut(shown.map(plain), MOST_LINES, '');
}

function cut(lines: string[], most: number, of: string): string[] {
  if (lines.length <= most) return lines;
  return [...lines.slice(0, most), `… and ${lines.length - most} more lines ${of}`.trimEnd()];
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
export function spread(json: string): string[] {
  const tokens = json.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
  const lines: string[] = [];
  let line = '';
  let depth = 0;
  const end = (): void => {
    if (line.trim() !== '') lines.push(line);
    line = '  '.repeat(depth);
  };
  for (const [at, token] of tokens.entries()) {
    if (token === '{' || token === '[') {
      line += token;
      depth++;
      if (tokens[at + 1] !== '}' && tokens[at + 1] !== ']') end();
    } else if (token === '}' || token === ']') {
      depth--;
      if (tokens[at - 1] !== '{' && tokens[at - 1] !== '[') end();
      line += token;
    } else {
      line += token === ':' ? ': ' : token;
      if (token === ',') end();
    }
  }
  lines.push(line);
  return lines;
}

function hexLines(body: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(body.length / BYTES_A_LINE) }, (_, at) => {
    const row = body.subarray(at * BYTES_A_LINE, (at + 1) * BYTES_A_LINE);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const letters = Array.from(row, (byte) => (byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.')).join('');
    return `${(at * BYTES_A_LINE).toString(16).padStart(8, '0')}  ${hex.padEnd(BYTES_A_LINE * 3 - 1)}  ${letters}`;
  });
}
