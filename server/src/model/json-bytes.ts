// Reads JSON where it lies in bytes: where a value starts and ends, how deep it nests, whether a key comes twice.
//
// JSON.parse answers what a text means; it forgets where things stood and lets the last of two equal keys win.
// A gateway needs both: the bytes of a payload are forwarded as they came, and a text that two parsers may read
// differently is refused. Everything here is a single pass over the bytes.

/** A half-open range of bytes: `start` belongs to it, `end` does not. */
export type Span = { start: number; end: number };

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Counts what JSON.parse does not tell: the deepest nesting and the members (name and value) of all objects together.
 * Never throws; on bytes that are not JSON the numbers mean nothing, save that `depth` is at least the depth a parser
 * would have reached.
 */
export function scanJson(bytes: Uint8Array, start = 0, end = bytes.length): { depth: number; members: number } {
  let open = 0;
  let depth = 0;
  let members = 0;
  for (let at = start; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at, end);
    } else if (byte === COLON) {
      members++;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++open > depth) depth = open;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      open--;
    }
  }
  return { depth, members };
}

/**
 * Counts the members of all objects inside a parsed value. Where the same bytes hold more (`scanJson`), some key
 * came twice in one object: each colon outside a string is one member, and the parser kept the last of equals.
 * Recursive: the caller bounds the depth first.
 */
export function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let members = 0;
  if (Array.isArray(value)) {
    for (const item of value) members += countMembers(item);
    return members;
  }
  for (const key of Object.keys(value)) {
    members++;
    const inner = (value as Record<string, unknown>)[key];
    if (typeof inner === 'object' && inner !== null) members += countMembers(inner);
  }
  return members;
}

/** The elements of a JSON array, each without the white space around it; empty when the bytes hold no array. */
export function elementSpans(bytes: Uint8Array): Span[] {
  const spans: Span[] = [];
  walkTop(bytes, OPEN_BRACKET, (start, end) => {
    const span = trimSpan(bytes, start, end);
    if (span.end > span.start) spans.push(span);
    return false;
  });
  return spans;
}

/**
 * Where the value of a member of a JSON object lies, without the white space around it; undefined when the object has
 * no such member. The name may be written with escapes (`"\u0064ata"`). Of equal names the first is found.
 */
export function memberSpan(bytes: Uint8Array, name: string): Span | undefined {
  let found: Span | undefined;
  walkTop(bytes, OPEN_BRACE, (start, end, colon) => {
    if (colon < 0 || readKey(bytes, start, colon) !== name) return false;
    found = trimSpan(bytes, colon + 1, end);
    return true;
  });
  return found;
}

/**
 * Names the first key that comes twice in one object as a JSON pointer (RFC 6901), or undefined when none does. Meant
 * for the error message only: it is slower than the count that found the fault. The bytes must be JSON.
 */
export function duplicateKey(bytes: Uint8Array, span: Span = { start: 0, end: bytes.length }): string | undefined {
  const part = bytes.subarray(span.start, span.end);
  const seen = new Set<string>();
  let found: string | undefined;
  walkTop(part, OPEN_BRACE, (start, end, colon) => {
    if (colon < 0) return false;
    const key = readKey(part, start, colon);
    const pointer = `/${escapePointer(key)}`;
    const inner = seen.has(key) ? '' : duplicateKey(part, trimSpan(part, colon + 1, end));
    seen.add(key);
    if (inner !== undefined) found = pointer + inner;
    return found !== undefined;
  });
  if (found !== undefined) return found;
  for (const [index, element] of elementSpans(part).entries()) {
    const inner = duplicateKey(part, element);
    if (inner !== undefined) return `/${index}${inner}`;
  }
  return undefined;
}

/** One step of a JSON pointer, escaped as RFC 6901 section 3 says. */
export function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** The range without the white space (RFC 8259 section 2) around it. */
export function trimSpan(bytes: Uint8Array, start = 0, end = bytes.length): Span {
  while (start < end && isSpace(bytes[start])) start++;
  while (end > start && isSpace(bytes[end - 1])) end--;
  return { start, end };
}

/** Calls `visit` for each part between the commas of the outermost array or object, until it answers true. */
function walkTop(
  bytes: Uint8Array,
  opener: number,
  visit: (start: number, end: number, colon: number) => boolean,
): void {
  const { start, end } = trimSpan(bytes);
  if (bytes[start] !== opener) return;
  let open = 0;
  let partStart = start + 1;
  let colon = -1;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at, end);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      open++;
    } else if (open > 0) {
      if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) open--;
    } else if (byte === COLON) {
      if (colon < 0) colon = at;
    } else if (byte === COMMA || byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (visit(partStart, at, colon) || byte !== COMMA) return;
      partStart = at + 1;
      colon = -1;
    }
  }
}

/** The place of the quote that ends the string opened at `at`, or of the last byte when none does. */
function endOfString(bytes: Uint8Array, at: number, end: number): number {
  for (at++; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return end;
}

function readKey(bytes: Uint8Array, start: number, colon: number): string {
  const span = trimSpan(bytes, start, colon);
  const escaped = bytes.subarray(span.start, span.end).includes(BACKSLASH);
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + span.start, span.end - span.start).toString();
  return escaped ? (JSON.parse(text) as string) : text.slice(1, -1);
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
