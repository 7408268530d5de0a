// One HMAC in one header, over the body or over a timestamp and the body: how most senders sign.
import { bytesOfHex, canonicalBase64, utf8 } from '../encoding.ts';
import { refuse, singleHeader, timestampFault } from './claim.ts';
import type { Clock, MacAlgorithm, Rule, SignedRequest } from './claim.ts';

/** How the signature is written and made. */
export interface HmacSettings {
  /** The header that carries the signature. */
  readonly header: string;
  /** Default `sha256`. */
  readonly algorithm?: MacAlgorithm;
  /** What stands before the signature, such as `sha256=`. Default: nothing. */
  readonly prefix?: string;
  /** Default `hex`, of either case. `base64` is the standard alphabet, padded. */
  readonly encoding?: 'hex' | 'base64';
  /** Where the sender signs when it sent, too. Without it a captured request can be sent again. */
  readonly timestamp?: TimestampSettings;
}

/** Where the timestamp stands, and what is signed. */
export interface TimestampSettings {
  /** The header that carries it. */
  readonly header: string;
  /** What is signed, ending with the body. Default `{timestamp}.{body}`. */
  readonly content?: string;
  /** Default `seconds`, since 1970. */
  readonly unit?: 'seconds' | 'milliseconds';
}

const hexDigits = { sha1: 40, sha256: 64, sha512: 128 } as const;

/**
 * The rule of such a sender. The secret is any text, taken as UTF-8.
 * @param bare whether the signature is also taken without its prefix
 * @throws {TypeError} where a setting is not what it must be
 */
export function hmacRule(settings: HmacSettings, bare = false): Rule {
  const { header, algorithm = 'sha256', prefix = '', encoding = 'hex', timestamp } = checked(settings);
  const headOf = timestamp && headReader(timestamp);
  const decode = (text: string): Uint8Array | undefined => {
    const isPrefixed = text.startsWith(prefix);
    if (!isPrefixed && !bare) return undefined;
    const encoded = isPrefixed ? text.slice(prefix.length) : text;
    if (encoding === 'base64') return canonicalBase64(encoded);
    return encoded.length === hexDigits[algorithm] ? bytesOfHex(encoded) : undefined;
  };
  return {
    keyOf: (secret) => ({ algorithm, bytes: utf8(secret) }),
    read(request, clock) {
      const sent = singleHeader(request.headers, header, 'unsigned');
      if (!sent.ok) return sent;
      const head = headOf?.(request, clock) ?? { ok: true, value: '' };
      if (!head.ok) return head;
      const bytes = decode(sent.value);
      if (bytes === undefined) return refuse('no-match', `${header} is not ${prefix || 'a signature'} in ${encoding}`);
      return { header, head: head.value, body: request.body, signatures: [{ algorithm, bytes }] };
    },
  };
}

function headReader({ header, content = '{timestamp}.{body}', unit = 'seconds' }: TimestampSettings) {
  return ({ headers }: SignedRequest, clock: Clock): ReturnType<typeof singleHeader> => {
    const sent = singleHeader(headers, header);
    if (!sent.ok) return sent;
    const fault = timestampFault(header, sent.value, { ...clock, unit });
    return fault ?? { ok: true, value: content.replace('{timestamp}', sent.value).slice(0, -'{body}'.length) };
  };
}

function checked(settings: HmacSettings): HmacSettings {
  const { header, algorithm, prefix = '', encoding, timestamp } = settings;
  checkHeaderName(header);
  if (algorithm !== undefined && !Object.hasOwn(hexDigits, algorithm)) {
    throw new TypeError(`algorithm must be one of ${Object.keys(hexDigits).join(', ')}`);
  }
  if (encoding !== undefined && encoding !== 'hex' && encoding !== 'base64') {
    throw new TypeError('encoding must be hex or base64');
  }
  if (typeof prefix !== 'string') throw new TypeError('prefix must be a text');
  if (timestamp === undefined) return settings;
  checkHeaderName(timestamp.header);
  if (timestamp.content !== undefined && !/^[^{}]*\{timestamp\}[^{}]*\{body\}$/.test(timestamp.content)) {
    throw new TypeError('content must hold {timestamp} once and end with {body}');
  }
  if (timestamp.unit !== undefined && timestamp.unit !== 'seconds' && timestamp.unit !== 'milliseconds') {
    throw new TypeError('unit must be seconds or milliseconds');
  }
  return settings;
}

/** @throws {TypeError} where a name cannot be a header's (RFC 9110, 5.6.2) */
export function checkHeaderName(name: unknown): void {
  if (typeof name === 'string' && /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return;
  throw new TypeError('header must be the name of a header');
}
