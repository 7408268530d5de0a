// Which header lines may be sent with a delivery: what HTTP can carry, and what is not ours to set already. Pure.

/** RFC 9110 5.6.2: a header's name is a token. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// RFC 9110 5.5 without obs-fold: visible characters, space, tab and Latin-1; so no CR, LF or NUL, and nothing that would
// need an encoding nobody agreed on (R13).
const NOT_VALUE = /[^\t\u0020-\u007e\u0080-\u00ff]/u;
const MAX_NAME_LENGTH = 256;
const MAX_VALUE_LENGTH = 8 * 1024;

// Framing, the connection, and what deliveries carry of their own.
const OURS = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'date',
  'expect',
  'host',
  'hpe-webhook-signature',
  'keep-alive',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);
const OUR_PREFIXES = ['webhook-', 'ce-', 'proxy-'];

/** What stands in the place of a value that is a secret, or may be one. HTTP cannot carry it: nobody's value is this. */
export const MASK = '•••';

/** Headers of a user's own, as they are shown. Whether a value is a credential its name need not say: none is shown. */
export function maskHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.keys(headers).map((name) => [name, MASK]));
}

/** What is wrong with a header line, as one clause for people; null when HTTP can carry it. Never throws. */
export function headerFault(name: string, value: string): string | null {
  if (name === '' || name.length > MAX_NAME_LENGTH || !TOKEN.test(name)) {
    return `${JSON.stringify(name)} is not the name of an HTTP header`;
  }
  if (value.length > MAX_VALUE_LENGTH) return `the value of ${name} is longer than ${MAX_VALUE_LENGTH} characters`;
  const bad = NOT_VALUE.exec(value);
  if (bad) return `the value of ${name} contains ${nameCharacter(bad[0])}, which HTTP cannot carry`;
  if (value !== value.trim()) return `the value of ${name} begins or ends with white space, which HTTP drops`;
  return null;
}

/** The same for a header a user adds to his deliveries: names the platform sets itself are refused as well. */
export function customHeaderFault(name: string, value: string): string | null {
  const lower = name.toLowerCase();
  if (OURS.has(lower) || OUR_PREFIXES.some((prefix) => lower.startsWith(prefix))) {
    return `${name} is set by the platform`;
  }
  return headerFault(name, value);
}

function nameCharacter(character: string): string {
  if (character === '\r' || character === '\n') return 'a line break';
  if (character === '\0') return 'a NUL';
  return `the character U+${character.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}
