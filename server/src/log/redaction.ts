// Takes secrets out of what is about to be logged: by the name of the field, and by the form of the text. Pure.

const MASK = '[masked]';
/** Deeper than this nothing is logged, so a cycle ends. */
const DEPTH = 6;

/** Names of fields and headers whose values are secrets, in lower case without `-` and `_`. */
const SECRET_NAMES = new Set([
  'authorization',
  'proxyauthorization',
  'cookie',
  'setcookie',
  'secret',
  'secrets',
  'secondarysecret',
  'clientsecret',
  'password',
  'passphrase',
  'token',
  'accesstoken',
  'refreshtoken',
  'apikey',
  'xapikey',
  'adminkey',
  'key',
  'keys',
  'secretkey',
  'signingkey',
  'privatekey',
  'standardkeys',
  'signature',
  'webhooksignature',
  'hpewebhooksignature',
  'verification',
]);

/** Standard Webhooks keys, API keys, and the password of a URL, wherever they stand in a text. */
const SECRET_FORMS = /\b(whsec|whsk|bw)_[A-Za-z0-9+/_-]+=*|(:\/\/[^/:@\s]*):[^/@\s]*@/g;
/** Access tokens and Basic credentials as a header carries them, and private keys as PEM; shorter ones are words. */
const SECRET_VALUES =
  /\b(Bearer|Basic) [A-Za-z0-9._~+/-]{16,}=*|(-----BEGIN [A-Z ]*PRIVATE KEY-----)[^-]*(?:-----END [A-Z ]*PRIVATE KEY-----)?/g;

/** A copy of the fields without their secrets; errors become plain objects that can be printed. */
export function redact(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return maskEntries(fields, DEPTH);
}

/** The text with everything masked that has the form of a secret. */
export function scrub(text: string): string {
  return text
    .replace(SECRET_FORMS, (_whole, prefix?: string, url?: string) => (url ? `${url}:${MASK}@` : `${prefix}_${MASK}`))
    .replace(SECRET_VALUES, (_whole, scheme?: string, begin?: string) => `${scheme ?? begin} ${MASK}`);
}

function maskEntries(fields: object, depth: number): Record<string, unknown> {
  const masked: [string, unknown][] = [];
  for (const [name, value] of Object.entries(fields))
    masked.push([name, isSecretName(name) ? MASK : mask(value, depth)]);
  return Object.fromEntries(masked);
}

function mask(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return scrub(value);
  if (typeof value !== 'object' || value === null) return typeof value === 'bigint' ? String(value) : value;
  if (depth === 0) return '[deeper]';
  if (value instanceof Error) return maskError(value, depth);
  if (value instanceof Date) return value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (Array.isArray(value)) return value.map((item) => mask(item, depth - 1));
  if (value instanceof Map || value instanceof Headers) return maskEntries(Object.fromEntries(value), depth - 1);
  return maskEntries(value, depth - 1);
}

function maskError(error: Error, depth: number): unknown {
  return {
    name: error.name,
    message: scrub(error.message),
    ...maskEntries(error, depth - 1),
    ...(error.cause === undefined ? {} : { cause: mask(error.cause, depth - 1) }),
    stack: error.stack && scrub(error.stack),
  };
}

function isSecretName(name: string): boolean {
  return SECRET_NAMES.has(name) || SECRET_NAMES.has(name.replace(/[-_]/g, '').toLowerCase());
}
