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
  // Object.values reads own members only, `__proto__` among them, and costs half of keys and look-ups.
  const inner: unknown[] = Array.isArray(value) ? value : Object.values(value);
  let members = inner === value ? 0 : inner.length;
  for (let at = 0; at < inner.length; at++) {
    const item = inner[at];
    if (typeof item === 'object' && item !== null) members += countMembers(item);
  }
  return members;
}

/** An element of an array: where it lies, and what `scanJson` says about it. */
export type Element = Span & { depth: number; members: number };

/**
 * The elements of a JSON array, each without the white space around it; the first `most` of them. Empty when the bytes
 * hold no array. Never throws; on bytes that are not JSON the parts mean nothing.
 */
export function arrayElements(bytes: Uint8Array, most = Infinity): Element[] {
  const elements: Element[] = [];
  walkParts(bytes, OPEN_BRACKET, ({ start, end, depth, members }) => {
    const span = trimSpan(bytes, start, end);
    if (span.end > span.start) elements.push({ start: span.start, end: span.end, depth, members });
    return elements.length >= most;
  });
  return elements;
}

/**
 * Where the value of a member of a JSON object lies, without the white space around it; undefined when the object has
 * no such member. The name (ASCII) may be written with escapes (`"\u0064ata"`). Of equal names the first is found.
 */
export function memberSpan(bytes: Uint8Array, name: string): Span | undefined {
  let found: Span | undefined;
  walkParts(bytes, OPEN_BRACE, ({ start, end, colon }) => {
    if (colon < 0 || !isKey(bytes, trimSpan(bytes, start, colon), name)) return false;
    found = trimSpan(bytes, colon + 1, end);
    return true;
  });
  return found;
}

/** The names of those members of a JSON object whose value's bytes pass a test; one pass, however many there are. */
export function memberNames(bytes: Uint8Array, test: (bytes: Uint8Array, value: Span) => boolean): string[] {
  const names: string[] = [];
  walkParts(bytes, OPEN_BRACE, ({ start, end, colon }) => {
    if (colon >= 0 && test(bytes, trimSpan(bytes, colon + 1, end))) {
      names.push(readKey(bytes, trimSpan(bytes, start, colon)));
    }
    return false;
  });
  return names;
}

/**
 * Names the first key that comes twice in one object as a JSON pointer (RFC 6901), or undefined when none does. Meant
 * for the error message only: it is slower than the count that found the fault. The bytes must be JSON.
 */
export function duplicateKey(bytes: Uint8Array): string | undefined {
  // One level per open object (with the keys seen) or array (without); `step` is the way through it.
  const levels: { keys: Set<string> | undefined; step: string | number }[] = [];
  let keyNext = false;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    const level = levels.at(-1);
    if (byte === QUOTE) {
      const start = at;
      at = endOfString(bytes, at, bytes.length);
      if (!keyNext || level?.keys === undefined) continue;
      keyNext = false;
      level.step = readKey(bytes, { start, end: at + 1 });
      if (level.keys.has(level.step)) return levels.map(({ step }) => `/${escapePointer(String(step))}`).join('');
      level.keys.add(level.step);
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      keyNext = byte === OPEN_BRACE;
      levels.push({ keys: keyNext ? new Set() : undefined, step: 0 });
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      keyNext = false;
      levels.pop();
    } else if (byte === COMMA && level !== undefined) {
      if (typeof level.step === 'number') level.step++;
      keyNext = level.keys !== undefined;
    }
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

/** What lies between two commas: `colon` is the place of the one that ends a member's key, -1 without one. */
type Part = Element & { colon: number };

/** Calls `visit` for each part of the outermost array or object, until it answers true. */
function walkParts(bytes: Uint8Array, opener: number, visit: (part: Part) => boolean): void {
  const { start, end } = trimSpan(bytes);
  if (bytes[start] !== opener) return;
  let part: Part = { start: start + 1, end, colon: -1, depth: 0, members: 0 };
  let open = 0;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at];
    if (byte === QUOTE) {
      at = endOfString(bytes, at, end);
    } else if (byte === COLON) {
      if (open > 0) part.members++;
      else if (part.colon < 0) part.colon = at;
    } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
      if (++open > part.depth) part.depth = open;
    } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET || byte === COMMA) {
      if (open > 0) {
        if (byte !== COMMA) open--;
        continue;
      }
      part.end = at;
      if (visit(part) || byte !== COMMA) return;
      part = { start: at + 1, end, colon: -1, depth: 0, members: 0 };
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

function isKey(bytes: Uint8Array, span: Span, name: string): boolean {
  const length = span.end - span.start - 2;
  // An escape only makes a key longer: most keys are told apart by their length alone.
  if (length < name.length || (length > name.length && !hasEscape(bytes, span))) return false;
  return readKey(bytes, span) === name;
}

function readKey(bytes: Uint8Array, span: Span): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + span.start, span.end - span.start).toString();
  return hasEscape(bytes, span) ? (JSON.parse(text) as string) : text.slice(1, -1);
}

function hasEscape(bytes: Uint8Array, span: Span): boolean {
  for (let at = span.start; at < span.end; at++) if (bytes[at] === BACKSLASH) return true;
  return false;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}
