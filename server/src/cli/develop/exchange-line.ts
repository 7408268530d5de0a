// One request and its answer as a line: when, what became of it, how long it took, which delivery, which type.
import type { RelayedRequestOut } from '../../api/listeners.ts';
import { bodyOf } from './forwarding.ts';
import type { Exchange } from './listening.ts';
import type { Session } from '../session.ts';
import { clip, columnsOf, pad, plain, type Style } from '../terminal.ts';

/** Counts how often a delivery came: a retry has the `webhook-id` of the first try. */
export class Repetitions {
  readonly #seen = new Map<string, number>();

  count({ request }: Pick<Exchange, 'request'>): number {
    return this.countId(headerOf(request, 'webhook-id'));
  }

  /** How often this id came, now included; 1 without one. */
  countId(id: string | null): number {
    if (id === null) return 1;
    const times = (this.#seen.get(id) ?? 0) + 1;
    this.#seen.delete(id);
    this.#seen.set(id, times);
    // The oldest are forgotten first.
    if (this.#seen.size > MOST_SEEN) this.#seen.delete(this.#seen.keys().next().value!);
    return times;
  }
}

const MOST_SEEN = 10_000;

/** What a request is about. */
export interface About {
  /** `webhook-id`, or null for a challenge. */
  id: string | null;
  type: string;
}

/** Says what a request is about, by its headers and its body. */
export function aboutOf(method: string, header: (name: string) => string | null, body: Uint8Array): About {
  const id = header('webhook-id');
  const binary = header('ce-type');
  if (binary !== null) return { id, type: binary };
  if (method === 'OPTIONS') return { id, type: 'handshake' };
  const json = parsed(body);
  if (Array.isArray(json)) return { id, type: `batch of ${json.length}` };
  const { type, data } = (json ?? {}) as { type?: unknown; data?: { challengeRequest?: unknown } };
  if (id === null && typeof data?.challengeRequest === 'string') return { id, type: 'challenge' };
  return { id, type: typeof type === 'string' ? type : '' };
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString()) as unknown;
  } catch {
    return null;
  }
}

function headerOf({ headers }: RelayedRequestOut, name: string): string | null {
  return headers.find(([one]) => one?.toLowerCase() === name)?.[1] ?? null;
}

function aboutRequest(request: RelayedRequestOut): About {
  return aboutOf(request.method, (name) => headerOf(request, name), bodyOf(request));
}

/** For programs. */
export function exchangeOut({ request, answer }: Exchange, repetition: number): Record<string, unknown> {
  const { id, type } = aboutRequest(request);
  const { status = null, failure = null, durationMs } = answer;
  const bytes = bodyOf(request).length;
  return { at: new Date().toISOString(), id, type, repetition, bytes, status, failure, durationMs };
}

/** For people: at most as wide as the screen. */
export function exchangeLine({ request, answer }: Exchange, repetition: number, session: Session): string {
  const { id, type } = aboutRequest(request);
  const { paint, terminal } = session;
  const outcome = answer.failure === undefined ? String(answer.status) : WORDS[answer.failure];
  const head = `${clock(new Date())}  ${paint(styleOf(answer.status), pad(outcome, 7))} ${`${answer.durationMs} ms`.padStart(8)}  `;
  const again = repetition > 1 ? ` (${repetition}×)` : '';
  const short = pad(shortId(id) + again, 12);
  const used = 8 + 2 + 7 + 1 + 8 + 2 + short.length + 2;
  return `${head}${paint('dim', short)}  ${clip(plain(type), Math.max(20, columnsOf(terminal) - used), true)}`;
}

const WORDS: Readonly<Record<NonNullable<Exchange['answer']['failure']>, string>> = {
  'connection-refused': 'refused',
  'connection-reset': 'reset',
  timeout: 'timeout',
  dns: 'no name',
  unreachable: 'away',
  tls: 'TLS',
  protocol: 'no HTTP',
  'invalid-request': 'unsent',
  other: 'failed',
};

function styleOf(status: number | undefined): Style {
  if (status === undefined) return 'red';
  return status >= 200 && status < 300 ? 'green' : 'yellow';
}

/** `dlv_k3v9x2m4q7_2s_7` is known well enough by its end. */
export function shortId(id: string | null): string {
  if (id === null) return '-';
  const parts = plain(id).split('_');
  return clip(parts.length > 2 ? parts.slice(2).join('_') : parts.join('_'), 12, true);
}

/** Local time of day. */
export function clock(at: Date): string {
  return [at.getHours(), at.getMinutes(), at.getSeconds()].map((part) => String(part).padStart(2, '0')).join(':');
}
