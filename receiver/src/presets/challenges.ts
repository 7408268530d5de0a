// How senders ask whether somebody at a URL expects them, and the answer each wants. No URL in a body is ever fetched.
import { answerable, challengeOf } from '../challenge.ts';
import type { ChallengeAnswer } from '../challenge.ts';
import { base64Of, equalBytes, hexOf, textOf, utf8 } from '../encoding.ts';
import { parseJson } from '../json.ts';
import { refuse } from './claim.ts';
import type { Refused, SignedRequest } from './claim.ts';

/** A request as challenges read it. */
export interface PresetRequest extends SignedRequest {
  /** Default `POST`. */
  readonly method?: string;
  /** The query of the URL; where it is left out nothing that is asked in a query is found. */
  readonly query?: URLSearchParams;
}

/** A challenge somebody put: answered as it stands, or with the HMAC-SHA256 of `message` under the secret. */
export type Asked =
  | { readonly ok: true; readonly answer: ChallengeAnswer }
  | { readonly ok: true; readonly message: string; readonly answerWith: (mac: Uint8Array) => ChallengeAnswer };

/** Looks for a challenge in a request: what is asked, why it may not be answered, or `undefined` where there is none. */
export type Challenge = (request: PresetRequest) => Asked | Refused | undefined;

/** What a named challenge needs to know beside its name. */
export interface ChallengeSettings {
  /** The `hub.verify_token` that `meta` and `websub` insist on, or several while it is being changed. */
  readonly verifyToken?: string | readonly string[];
}

// Nobody's challenge is larger; a body that is need not be parsed before its signature is judged.
const largestChallenge = 16 * 1024;

// Text that may be echoed: the browsers it could be shown to read it as text, and no token is longer.
const echoable = /^[^\p{Cc}]{1,2048}$/u;

/** Challenges that are switched on by name, and answered whether the request is signed or not. */
const named = {
  meta: hubChallenge,
  websub: hubChallenge,
  x: () => crcChallenge,
  dropbox: () => queryChallenge('GET', 'challenge'),
  adobe: () => queryChallenge('GET', 'challenge'),
  okta: () => oktaChallenge,
  'microsoft-graph': () => queryChallenge('POST', 'validationToken'),
  'event-grid': () => eventGridChallenge,
} as const satisfies Record<string, (settings: ChallengeSettings) => Challenge>;

/** The name of a challenge that can be switched on. */
export type ChallengeName = keyof typeof named;

/** The names of all of them. */
export const challengeNames = Object.keys(named) as readonly ChallengeName[];

/**
 * The challenge of that name.
 * @throws {TypeError} where there is none, or where what it needs is missing
 */
export function challengeNamed(name: ChallengeName, settings: ChallengeSettings): Challenge {
  if (!Object.hasOwn(named, name)) throw new TypeError(`challenge must be one of ${challengeNames.join(', ')}`);
  return named[name](settings);
}

/** HPE GreenLake: `data.challengeRequest`, answered in JSON with its HMAC in hex. */
export function greenlakeChallenge({ headers, body }: PresetRequest): Asked | undefined {
  const document = jsonWith('challengeRequest', body);
  // In binary mode the body is the data alone.
  const message = challengeOf(headers.has('ce-specversion') ? { data: document } : document);
  return message === undefined
    ? undefined
    : { ok: true, message, answerWith: (mac) => jsonAnswer({ verification: hexOf(mac) }) };
}

/** Slack: the event `url_verification`, echoed. Slack signs it. */
export function slackChallenge({ body }: PresetRequest): Asked | Refused | undefined {
  const event = jsonWith('url_verification', body);
  if (member(event, 'type') !== 'url_verification') return undefined;
  return echo('challenge', member(event, 'challenge'));
}

/** Zoom: the event `endpoint.url_validation`, answered in JSON with the token and its HMAC in hex. Zoom signs it. */
export function zoomChallenge({ body }: PresetRequest): Asked | Refused | undefined {
  const event = jsonWith('endpoint.url_validation', body);
  if (member(event, 'event') !== 'endpoint.url_validation') return undefined;
  const plainToken = member(member(event, 'payload'), 'plainToken');
  if (typeof plainToken !== 'string' || !answerable.test(plainToken)) return notToken('payload.plainToken');
  return {
    ok: true,
    message: plainToken,
    answerWith: (mac) => jsonAnswer({ plainToken, encryptedToken: hexOf(mac) }),
  };
}

/** Meta and WebSub: `hub.challenge`, echoed to those who know our `hub.verify_token`. */
function hubChallenge({ verifyToken }: ChallengeSettings): Challenge {
  const known = [verifyToken ?? []].flat().map(utf8);
  if (known.length === 0 || known.some(({ length }) => length === 0)) {
    throw new TypeError('meta and websub need verifyToken, the hub.verify_token that was given to the sender');
  }
  return ({ method, query }) => {
    if (method !== 'GET' || !query?.has('hub.challenge')) return undefined;
    const sent = utf8(single(query, 'hub.verify_token') ?? '');
    // Not `some`: all of them are compared, whichever fits.
    if (known.filter((one) => equalBytes(one, sent)).length === 0) {
      return refuse('bad-challenge', 'hub.verify_token is not ours');
    }
    return echo('hub.challenge', single(query, 'hub.challenge'));
  };
}

/** X: `crc_token`, answered in JSON with its HMAC in base64. */
function crcChallenge({ method, query }: PresetRequest): Asked | Refused | undefined {
  if (method !== 'GET' || !query?.has('crc_token')) return undefined;
  const message = single(query, 'crc_token');
  if (message === undefined || !answerable.test(message)) return notToken('crc_token');
  return { ok: true, message, answerWith: (mac) => jsonAnswer({ response_token: `sha256=${base64Of(mac)}` }) };
}

/** Okta: a header, echoed in JSON. */
function oktaChallenge({ method, headers }: PresetRequest): Asked | Refused | undefined {
  const header = 'X-Okta-Verification-Challenge';
  const verification = method === 'GET' ? headers.get(header) : null;
  if (verification === null) return undefined;
  return answerable.test(verification) ? { ok: true, answer: jsonAnswer({ verification }) } : notToken(header);
}

/** Azure Event Grid: an array of one event of its own type, whose code is echoed in JSON; its URL is left alone. */
function eventGridChallenge({ method = 'POST', body }: PresetRequest): Asked | Refused | undefined {
  const events = method === 'POST' ? jsonWith('SubscriptionValidationEvent', body) : undefined;
  const [event] = Array.isArray(events) && events.length === 1 ? (events as unknown[]) : [];
  if (member(event, 'eventType') !== 'Microsoft.EventGrid.SubscriptionValidationEvent') return undefined;
  const validationResponse = member(member(event, 'data'), 'validationCode');
  if (typeof validationResponse !== 'string' || !answerable.test(validationResponse))
    return notToken('data.validationCode');
  return { ok: true, answer: jsonAnswer({ validationResponse }) };
}

/** Dropbox, Adobe, Microsoft Graph: a parameter of the query, echoed. */
function queryChallenge(by: 'GET' | 'POST', name: string): Challenge {
  return ({ method = 'POST', query }) =>
    method === by && query?.has(name) ? echo(name, single(query, name)) : undefined;
}

function echo(name: string, text: unknown): Asked | Refused {
  if (typeof text !== 'string' || !echoable.test(text)) {
    return refuse('bad-challenge', `${name} is not one text of 1 to 2048 printable characters`);
  }
  return { ok: true, answer: answerOf('text/plain; charset=utf-8', text) };
}

function jsonAnswer(value: object): ChallengeAnswer {
  return answerOf('application/json', JSON.stringify(value));
}

function answerOf(contentType: string, body: string): ChallengeAnswer {
  return { status: 200, headers: { 'content-type': contentType, 'x-content-type-options': 'nosniff' }, body };
}

function notToken(name: string): Refused {
  return refuse('bad-challenge', `${name} is not a token of 1 to 128 characters of A-Z a-z 0-9 + / = . _ ~ -`);
}

function single(query: URLSearchParams, name: string): string | undefined {
  const [value, second] = query.getAll(name);
  return second === undefined ? value : undefined;
}

// Parsing every event to find that it asks nothing would cost more than verifying it, so a word that each question holds
// is looked for first. Senders write it plainly; written with escapes it is no question, which refuses and answers nobody.
function jsonWith(word: string, body: Uint8Array): unknown {
  if (body.length > largestChallenge || textOf(body)?.includes(word) !== true) return undefined;
  const parsed = parseJson(body);
  return parsed.ok ? parsed.value : undefined;
}

function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined;
  return (value as Record<string, unknown>)[name];
}
