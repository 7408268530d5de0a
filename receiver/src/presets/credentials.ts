// Senders that sign nothing and show a credential instead: it proves who sends, and nothing about what is sent.
import { canonicalBase64, utf8 } from '../encoding.ts';
import { SecretError } from '../secrets.ts';
import { refuse, singleHeader } from './claim.ts';
import type { Rule } from './claim.ts';
import { checkHeaderName } from './hmac.ts';

/** Where a token stands. */
export interface TokenSettings {
  /** Default `Authorization`. */
  readonly header?: string;
  /** What stands before the token, such as `Bearer ` with its space. Default: nothing, the secret is the whole value. */
  readonly prefix?: string;
}

/**
 * The rule of a token: the header's bytes are the secret's, as UTF-8.
 * @throws {TypeError} where a setting is not what it must be
 */
export function tokenRule({ header = 'Authorization', prefix = '' }: TokenSettings = {}): Rule {
  checkHeaderName(header);
  if (typeof prefix !== 'string') throw new TypeError('prefix must be a text');
  return {
    keyOf: (secret) => ({ algorithm: 'equal', bytes: utf8(secret) }),
    read({ headers, body }) {
      const sent = headers.get(header);
      if (!sent) return refuse('unsigned', `the request carries no ${header}`);
      if (!sent.startsWith(prefix)) return refuse('no-match', `${header} does not begin with the prefix expected`);
      const bytes = latin1(sent.slice(prefix.length));
      return { header, head: '', body, signatures: [{ algorithm: 'equal', bytes }] };
    },
  };
}

/** Basic authentication (RFC 7617), UTF-8. The secret is `user:password`. */
export const basicRule: Rule = {
  keyOf(secret) {
    if (!secret.includes(':')) throw new SecretError('the secret of basic authentication is user:password');
    return { algorithm: 'equal', bytes: utf8(secret) };
  },
  read({ headers, body }) {
    const sent = singleHeader(headers, 'Authorization', 'unsigned');
    if (!sent.ok) return sent;
    const bytes = canonicalBase64(/^basic +(\S+)$/i.exec(sent.value)?.[1] ?? '');
    if (bytes === undefined || bytes.length === 0) return refuse('no-match', 'Authorization is not Basic with base64');
    return { header: 'Authorization', head: '', body, signatures: [{ algorithm: 'equal', bytes }] };
  },
};

// A header's characters are its bytes, whatever encoding the sender meant.
function latin1(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}
