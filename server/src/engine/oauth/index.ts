// Requests that carry an access token (OAuth 2 client credentials): tokens are got, kept, shared, and renewed.
//
//   send ─▶ no credentials ──▶ transport                         (all that a plain webhook pays is this question)
//        └▶ a token is kept, or one is asked for: once at a time, whoever waits for it
//             ├ none to be had ──▶ `no-token`, and quiet until the endpoint may be asked again
//             └▶ transport ── 401, and the token may be renewed ──▶ a new one ──▶ transport, at once
//
// The second send is part of the same attempt: the same body, id, timestamp and signatures, as when a kept-alive
// connection turns out to be closed. A try of its own would use up one of the webhook's tries for our token's age, and
// wait for its back-off. The attempt says that it was sent twice, and both sends share its one deadline.
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../model/clock.ts';
import { createMasker, type Masker } from '../../model/flow/mask.ts';
import type { Failure, Outcome } from '../../model/outcome.ts';
import { parseRetryAfter } from '../../model/retry.ts';
import type { OAuthClient } from '../../model/webhook.ts';
import { parseTarget, type OutgoingRequest, type Target, type Transport } from '../transport/index.ts';
import { unsaid } from '../unsaid.ts';
import { composeTokenRequest, judgeTokenAnswer, type NoToken, type TokenRequest } from './grant.ts';

/** An OAuth 2 client, ready to ask for tokens. */
export interface Credentials {
  /** The same for the same client and secret, and only for that: tokens are shared by it. */
  name: string;
  endpoint: Target;
  request: TokenRequest;
  clientSecret: string;
}

/** A request that may need a token. */
export interface AuthorizedRequest extends OutgoingRequest {
  credentials: Credentials | null;
  /** Takes the secrets that it carries out of what comes back; the token is no part of this. */
  masker?: Masker | null;
  /** Ask the token endpoint even while it is being left alone: a person wants to know how things are now. */
  eager?: boolean;
}

/** Sends requests with whatever token they need. Never throws, never rejects. */
export interface Sender {
  send(request: AuthorizedRequest): Promise<Outcome>;
}

/** Prepares a client for asking. */
export function makeCredentials(client: OAuthClient, clientSecret: string): Credentials {
  const name = createHash('sha256')
    .update(JSON.stringify([client, clientSecret]))
    .digest('base64url');
  const endpoint = parseTarget(client.tokenUrl);
  return { name, endpoint, request: composeTokenRequest(client, clientSecret), clientSecret };
}

/** How long a token endpoint may take, ms. Not part of the attempt's deadline: it is another server. */
const DEADLINE_MS = 10_000;
/** A token is renewed by this share of its life, and at most this long, before its end. */
const MARGIN = 0.1;
const LONGEST_MARGIN_MS = 60_000;
/** What a token's life is taken for when nothing is said of it, and at least and at most, whatever is said. */
const UNSAID_MS = 300_000;
const SHORTEST_MS = 5_000;
const LONGEST_MS = 24 * 3_600_000;
/** A broken endpoint is asked again after the first, twice as long each time, up to the second. */
const FIRST_QUIET_MS = 1_000;
const LONGEST_QUIET_MS = 60_000;
/** Clients whose tokens are kept. */
const KEPT = 10_000;

/** What is known of one client's tokens. Instants on the monotonic clock. */
interface Purse {
  token: (Held & { endsAt: number }) | null;
  /** The request under way. */
  asking: Promise<Got> | null;
  /** Why there was none the last time, how often in a row, and until when it is not asked again. */
  refusal: NoToken | null;
  refusals: number;
  quietUntil: number;
}

/** How often in a row a new token was no better for one webhook, and from when on one is got again for its 401. */
interface Futility {
  times: number;
  renewFrom: number;
}

/** A token, and what takes it out of answers. */
interface Held {
  value: string;
  masker: Masker;
}

type Got = Held | NoToken;

/** Puts tokens between those who send and the transport. */
export function createSender(transport: Pick<Transport, 'send'>, clock: Clock, deadlineMs = DEADLINE_MS): Sender {
  const tokens = new Tokens(transport, clock, deadlineMs);
  return {
    send: (request) => {
      const { credentials, masker = null } = request;
      const coming = credentials === null ? transport.send(request) : tokens.send(request, credentials);
      return masker === null ? coming : coming.then((outcome) => unsaid(outcome, masker));
    },
  };
}

class Tokens {
  readonly #transport: Pick<Transport, 'send'>;
  readonly #clock: Clock;
  readonly #deadlineMs: number;
  /** By the object, which each webhook has one of: the endpoint of one says nothing about the others'. */
  readonly #futile = new WeakMap<Credentials, Futility>();
  readonly #purses = new LRUCache<string, Purse>({ max: KEPT });

  constructor(transport: Pick<Transport, 'send'>, clock: Clock, deadlineMs: number) {
    this.#transport = transport;
    this.#clock = clock;
    this.#deadlineMs = deadlineMs;
  }

  async send(request: AuthorizedRequest, credentials: Credentials): Promise<Outcome> {
    const purse = this.#purseOf(credentials);
    const startedAt = this.#clock.monotonic();
    const first = await this.#get(purse, credentials, request.eager === true);
    if (!('value' in first)) return this.#without(first, { purse, credentials, startedAt });
    const outcome = unsaid(await this.#transport.send(withToken(request, first.value)), first.masker);
    if (!isRefused(outcome)) {
      this.#futile.delete(credentials);
      return outcome;
    }
    const renewFrom = this.#futile.get(credentials)?.renewFrom ?? 0;
    if (this.#clock.monotonic() < renewFrom && request.eager !== true) return outcome;
    return this.#sendAgain(request, { credentials, purse, refused: first.value, outcome });
  }

  async #sendAgain(request: AuthorizedRequest, of: Refusal): Promise<Outcome> {
    const { purse, credentials, refused, outcome } = of;
    // Others may have renewed it meanwhile.
    if (purse.token?.value === refused) purse.token = null;
    const second = await this.#get(purse, credentials, true);
    // The 401 is what the endpoint said, and it is the truth about this attempt.
    if (!('value' in second)) return outcome;
    const deadlineMs = Math.max(request.deadlineMs - outcome.durationMs, 1);
    const again = unsaid(
      await this.#transport.send(withToken({ ...request, deadlineMs }, second.value)),
      second.masker,
    );
    this.#learn(credentials, isRefused(again));
    return {
      ...again,
      durationMs: outcome.durationMs + again.durationMs,
      connectMs: outcome.connectMs + again.connectMs,
      sentTwice: true,
    };
  }

  // An endpoint that takes no token of ours must not make us fetch one for each delivery.
  #learn(credentials: Credentials, isFutile: boolean): void {
    if (!isFutile) return void this.#futile.delete(credentials);
    const times = (this.#futile.get(credentials)?.times ?? 0) + 1;
    this.#futile.set(credentials, { times, renewFrom: this.#clock.monotonic() + backOff(times) });
  }

  #purseOf({ name }: Credentials): Purse {
    let purse = this.#purses.get(name);
    if (purse === undefined) {
      purse = { token: null, asking: null, refusal: null, refusals: 0, quietUntil: 0 };
      this.#purses.set(name, purse);
    }
    return purse;
  }

  #get(purse: Purse, credentials: Credentials, isEager: boolean): Promise<Got> | Got {
    const now = this.#clock.monotonic();
    if (purse.token !== null && purse.token.endsAt > now) return purse.token;
    if (purse.asking !== null) return purse.asking;
    if (purse.refusal !== null && purse.quietUntil > now && !isEager) return purse.refusal;
    return (purse.asking = this.#ask(purse, credentials).finally(() => (purse.asking = null)));
  }

  async #ask(purse: Purse, { endpoint, request, clientSecret }: Credentials): Promise<Got> {
    const outcome = await this.#transport.send({
      target: endpoint,
      method: 'POST',
      headers: request.headers,
      body: request.body,
      deadlineMs: this.#deadlineMs,
    });
    const answer = judgeTokenAnswer(outcome, clientSecret);
    const now = this.#clock.monotonic();
    if (!('value' in answer)) {
      purse.refusal = answer;
      purse.refusals += 1;
      purse.quietUntil = now + this.#quietMs(purse.refusals, answer.retryAfter);
      return answer;
    }
    purse.refusal = null;
    purse.refusals = 0;
    const { value, lifetimeMs } = answer;
    purse.token = { value, masker: createMasker([value]), endsAt: now + keepMs(lifetimeMs) };
    return purse.token;
  }

  #quietMs(refusals: number, retryAfter: string | null): number {
    const wall = this.#clock.now();
    const asked = (parseRetryAfter(retryAfter, wall) ?? wall) - wall;
    return Math.min(Math.max(backOff(refusals), asked), LONGEST_QUIET_MS);
  }

  #without({ code, words }: NoToken, of: { purse: Purse; credentials: Credentials; startedAt: number }): Failure {
    const now = this.#clock.monotonic();
    const { hostname } = of.credentials.endpoint;
    return {
      kind: 'failure',
      code,
      message: code === 'no-token' ? `was not sent to: there is no access token, for ${hostname} ${words}` : words,
      status: null,
      durationMs: Math.ceil(now - of.startedAt),
      connectMs: 0,
      quietMs: Math.max(Math.ceil(of.purse.quietUntil - now), 0),
    };
  }
}

/** An attempt whose token was not taken. */
interface Refusal {
  credentials: Credentials;
  purse: Purse;
  refused: string;
  outcome: Outcome;
}

function withToken(
  { credentials: _credentials, masker: _masker, eager: _eager, headers, ...request }: AuthorizedRequest,
  token: string,
): OutgoingRequest {
  return { ...request, headers: [...headers, 'authorization', `Bearer ${token}`] };
}

function isRefused(outcome: Outcome): boolean {
  return outcome.kind === 'response' && outcome.status === 401;
}

function backOff(times: number): number {
  return Math.min(FIRST_QUIET_MS * 2 ** Math.min(times - 1, 30), LONGEST_QUIET_MS);
}

/** For how long a token is used that is said to live that long. */
function keepMs(lifetimeMs: number | null): number {
  const believed = Math.min(Math.max(lifetimeMs ?? UNSAID_MS, SHORTEST_MS), LONGEST_MS);
  return believed - Math.min(believed * MARGIN, LONGEST_MARGIN_MS);
}
