// The head of a request: its target, and headers that must be what they seem.
import type { IncomingMessage } from 'node:http';
import { refuse } from '../model/problem.ts';

/** More header lines than this are refused: Node would drop what exceeds a limit without a word. */
const MAX_HEADERS = 200;

/** Headers that, coming twice, would be read as the one by some and as the other by others. */
const SINGLE = new Set(['authorization', 'bellwire-workspace', 'content-type', 'idempotency-key', 'last-event-id']);
/** The shortest and the longest of them: most headers are told apart by their length alone. */
const SHORTEST = 12;
const LONGEST = 18;

/** Path and query of a request target, in origin form or in absolute form (RFC 9112 section 3.2). */
export function targetOf(target: string): { path: string; search: string } {
  if (!target.startsWith('/')) {
    const url = URL.parse(target);
    if (url !== null) return { path: url.pathname, search: url.search.slice(1) };
  }
  const at = target.indexOf('?');
  return at < 0 ? { path: target, search: '' } : { path: target.slice(0, at), search: target.slice(at + 1) };
}

/** Refuses too many headers, and, where they are read here, two of a kind that may come once. */
export function checkHeaders(rawHeaders: readonly string[], areRead: boolean): void {
  if (rawHeaders.length > 2 * MAX_HEADERS) {
    throw refuse('header-too-large', `A request has at most ${MAX_HEADERS} header lines.`);
  }
  if (!areRead) return;
  let seen = '';
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const raw = rawHeaders[at] as string;
    if (raw.length < SHORTEST || raw.length > LONGEST) continue;
    const name = raw.toLowerCase();
    if (!SINGLE.has(name)) continue;
    if (seen.includes(`${name}\n`)) throw refuse('duplicate-header', `The header ${name} comes twice.`);
    seen += `${name}\n`;
  }
}

/** A header by its lower-case name. */
export function headerOf(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value.join(', ') : value;
}

/** Refuses a body that does not say it is JSON in UTF-8. */
export function checkMediaType(contentType: string | undefined): void {
  const [essence = '', ...parameters] = (contentType ?? '').toLowerCase().split(';');
  const charset = parameters.map((one) => one.trim()).find((one) => one.startsWith('charset='));
  const isUtf8 = charset === undefined || /^charset="?utf-?8"?$/.test(charset);
  if (essence.trim() === 'application/json' && isUtf8) return;
  throw refuse('unsupported-media-type', 'The body must be application/json in UTF-8.');
}
