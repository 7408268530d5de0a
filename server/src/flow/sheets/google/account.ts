// Access tokens of a Google service account: a request signed with the account's key, exchanged for a token (RFC 7523).
import { createHash } from 'node:crypto';
import { importPKCS8, SignJWT } from 'jose';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../../model/clock.ts';
import { ActionFailed } from '../../action.ts';
import { FetchFailed, type Fetch } from '../../fetch.ts';

/** What the JSON key of an account holds that matters here. */
export interface GoogleAccount {
  email: string;
  privateKey: string;
  /** The key's id, where it has one. */
  keyId: string | null;
  /** Where signed requests are exchanged, and whom they are made for. */
  tokenUri: string;
}

const SCOPE = 'https://www.googleapis.com/auth/spreadsheets';
const GRANT = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const TOKEN_URI = 'https://oauth2.googleapis.com/token';
/** The longest that Google lets a signed request be good for. */
const SIGNED_S = 3_600;
/** A token is renewed so long before it expires. */
const EARLY_MS = 60_000;
const DEADLINE_MS = 30_000;
const MOST_BYTES = 65_536;
const MOST_ACCOUNTS = 1_000;

/** Reads the JSON key. Throws `ActionFailed`, which tells nothing of what the secret holds. */
export function readAccount(secret: string): GoogleAccount {
  let key: Record<string, unknown>;
  try {
    key = JSON.parse(secret) as Record<string, unknown>;
  } catch {
    throw noKey('it is not JSON');
  }
  const { type, client_email: email, private_key: privateKey, private_key_id: keyId, token_uri: tokenUri } = key ?? {};
  if (type !== 'service_account') throw noKey('its type is not service_account');
  if (typeof email !== 'string' || typeof privateKey !== 'string')
    throw noKey('it has no client_email or no private_key');
  return {
    email,
    privateKey,
    keyId: typeof keyId === 'string' ? keyId : null,
    tokenUri: typeof tokenUri === 'string' ? tokenUri : TOKEN_URI,
  };
}

function noKey(words: string): ActionFailed {
  return new ActionFailed(`the secret is no JSON key of a service account: ${words}`, { retryable: false });
}

interface Token {
  text: string;
  /** Epoch ms. */
  expiresAt: number;
}

/** Tokens by account, each kept until it expires. */
export class GoogleTokens {
  readonly #fetch: Fetch;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #tokens = new LRUCache<string, Promise<Token>>({ max: MOST_ACCOUNTS });

  constructor({ fetch, clock }: { fetch: Fetch; clock: Pick<Clock, 'now'> }) {
    this.#fetch = fetch;
    this.#clock = clock;
  }

  /** A token that is good for a while. Rejects with `ActionFailed`. */
  async of(account: GoogleAccount): Promise<string> {
    const id = idOf(account);
    const known = this.#tokens.get(id);
    if (known !== undefined) {
      const { text, expiresAt } = await known;
      if (expiresAt - EARLY_MS > this.#clock.now()) return text;
      if (this.#tokens.peek(id) === known) this.#tokens.delete(id);
      return this.of(account);
    }
    const asked = this.#ask(account);
    this.#tokens.set(id, asked);
    asked.catch(() => this.#tokens.peek(id) === asked && this.#tokens.delete(id));
    return (await asked).text;
  }

  /** This token was refused: the next one is asked for. */
  forget(account: GoogleAccount): void {
    this.#tokens.delete(idOf(account));
  }

  async #ask(account: GoogleAccount): Promise<Token> {
    const now = this.#clock.now();
    const body = new URLSearchParams({ grant_type: GRANT, assertion: await sign(account, now) });
    const answer = await this.#fetch({
      method: 'POST',
      url: account.tokenUri,
      headers: { 'content-type': 'application/x-www-form-urlencoded', accept: 'application/json' },
      body: Buffer.from(body.toString()),
      deadlineMs: DEADLINE_MS,
      maxBytes: MOST_BYTES,
      // Whoever asked first may give up: the others wait for it, too.
      signal: new AbortController().signal,
    }).catch((error: unknown) => {
      if (!(error instanceof FetchFailed)) throw error;
      throw new ActionFailed(`Google gave no access token: ${error.message}`);
    });
    const told = readJson(answer.body);
    const { access_token: text, expires_in: seconds, error, error_description: description } = told;
    if (answer.status === 200 && typeof text === 'string') {
      return { text, expiresAt: now + (typeof seconds === 'number' ? seconds * 1_000 : 0) };
    }
    const why = [error, description]
      .filter((one) => typeof one === 'string')
      .join(': ')
      .slice(0, 300);
    const words = `Google gave no access token (${answer.status})${why === '' ? '' : `: ${why}`}`;
    throw new ActionFailed(words, { retryable: answer.status >= 500 || answer.status === 429 });
  }
}

async function sign({ email, privateKey, keyId, tokenUri }: GoogleAccount, now: number): Promise<string> {
  const issuedAt = Math.floor(now / 1_000);
  const key = await importPKCS8(privateKey, 'RS256').catch(() => {
    throw noKey('its private_key is none');
  });
  return new SignJWT({ scope: SCOPE })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...(keyId === null ? {} : { kid: keyId }) })
    .setIssuer(email)
    .setAudience(tokenUri)
    .setIssuedAt(issuedAt)
    .setExpirationTime(issuedAt + SIGNED_S)
    .sign(key);
}

// A changed key is another account.
function idOf({ email, privateKey, tokenUri }: GoogleAccount): string {
  return createHash('sha256')
    .update(JSON.stringify([email, privateKey, tokenUri]))
    .digest('base64');
}

function readJson(bytes: Uint8Array): Record<string, unknown> {
  try {
    const value = JSON.parse(Buffer.from(bytes).toString()) as unknown;
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}
