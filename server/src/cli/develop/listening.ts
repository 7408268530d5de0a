// Listening for a webhook: fetches its requests, has each answered at once, brings the answers back; and goes on when the
// platform was away. Knows nothing of a terminal.
import type { AnswersIn, ListenOut, RelayedRequestOut } from '../../api/listeners.ts';
import { BellwireError, type Client } from '../../client/index.ts';
import { pause } from '../../client/request.ts';
import { EXIT, Failure } from '../failure.ts';
import type { Answer, Answerer } from './forwarding.ts';

/** A request that was answered. */
export interface Exchange {
  request: RelayedRequestOut;
  answer: Answer;
}

/** How it is listened. */
export interface Listening {
  client: Client;
  /** The id of the webhook. */
  webhook: string;
  takeOver: boolean;
  answer: Answerer;
  signal: AbortSignal;
  /** The platform hears us, for the first time or again; with the state of the webhook. */
  onHeard(state: string, isAgain: boolean): void;
  /** The state of the webhook, at first and when it is another one. */
  onState(state: string): void;
  /** The platform does not answer; why. */
  onAway(reason: string): void;
  onExchange(exchange: Exchange): void;
  /** An answer did not count, and the request will come again. */
  onLost(exchange: Exchange, reason: string): void;
}

/** How long one question waits for a request, ms: less than what proxies take for silence. */
const WAIT_MS = 20_000;
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5_000;
const ANSWERS_AT_ONCE = 20;

/**
 * Listens until the signal says so, and then lets go of the webhook. Throws what no waiting helps with: the webhook is
 * gone, the key was revoked, somebody else listens by now.
 */
export async function listenFor(listening: Listening): Promise<void> {
  const { client, webhook, signal } = listening;
  const answers = new Answers(listening);
  const link: Link = { listener: undefined, state: undefined, isUp: false, failures: 0 };
  try {
    while (!signal.aborted) {
      try {
        for (const request of await ask(listening, link)) void answers.take(request, link.listener!);
      } catch (error) {
        if (!signal.aborted) await bear(error, listening, link);
      }
    }
  } finally {
    if (link.listener !== undefined) await letGo(client, webhook, link.listener);
  }
}

/** How we stand with the platform. */
interface Link {
  /** Our name there. */
  listener: string | undefined;
  /** The webhook's, as we heard last. */
  state: string | undefined;
  isUp: boolean;
  /** Since it was up. */
  failures: number;
}

async function ask(listening: Listening, link: Link): Promise<ListenOut['items']> {
  const { client, webhook, takeOver, signal, onHeard, onState } = listening;
  const { listener, state, isUp } = link;
  // The first answer comes at once: it says that we are heard.
  const waitMs = isUp ? WAIT_MS : 0;
  const heard = await client.webhooks.listen(webhook, { listener, takeOver, waitMs }, { signal });
  Object.assign(link, { listener: heard.listener, state: heard.state, isUp: true, failures: 0 });
  if (!isUp) onHeard(heard.state, listener !== undefined);
  if (heard.state !== state) onState(heard.state);
  return heard.items;
}

async function bear(error: unknown, { signal, onAway }: Listening, link: Link): Promise<void> {
  if (!isPassing(error)) throw told(error);
  if (link.failures === 0) onAway((error as BellwireError).detail);
  const ms = Math.min(FIRST_PAUSE_MS * 2 ** link.failures, LONGEST_PAUSE_MS);
  Object.assign(link, { isUp: false, failures: link.failures + 1 });
  await pause(ms, signal).catch(() => undefined);
}

/** How long the end may take, ms: the platform notices by itself, a little later. */
const LEAVE_MS = 2_000;

async function letGo(client: Client, webhook: string, listener: string): Promise<void> {
  await client.webhooks.leave(webhook, listener, { signal: AbortSignal.timeout(LEAVE_MS) }).catch(() => undefined);
}

// A platform that restarts, or a proxy before it, is back in a moment.
function isPassing(error: unknown): boolean {
  return error instanceof BellwireError && (error.status === 0 || error.status === 429 || error.status >= 500);
}

function told(error: unknown): unknown {
  if (!(error instanceof BellwireError) || error.code !== 'listener-replaced') return error;
  return new Failure('somebody else listens for this webhook by now', EXIT.failed, error.code);
}

const LOST = {
  'not-found': 'the platform does not wait for it any more',
  'lease-lost': 'somebody else listened meanwhile',
  'lease-expired': 'it came too late',
} as const;

/** Answers on their way back: several that are ready together go together. */
class Answers {
  readonly #listening: Listening;
  readonly #ready: { exchange: Exchange; listener: string }[] = [];
  #isSending = false;

  constructor(listening: Listening) {
    this.#listening = listening;
  }

  async take(request: RelayedRequestOut, listener: string): Promise<void> {
    const { answer, signal, onExchange } = this.#listening;
    const exchange = { request, answer: await answer(request, signal) };
    if (signal.aborted) return;
    onExchange(exchange);
    this.#ready.push({ exchange, listener });
    if (!this.#isSending) await this.#send();
  }

  async #send(): Promise<void> {
    this.#isSending = true;
    for (let some = this.#next(); some.length > 0; some = this.#next()) await this.#bring(some);
    this.#isSending = false;
  }

  // A listener has a name for as long as it lasts: those of a former one go by themselves.
  #next(): { exchange: Exchange; listener: string }[] {
    const first = this.#ready[0]?.listener;
    const end = this.#ready.findIndex(({ listener }) => listener !== first);
    return this.#ready.splice(0, Math.min(ANSWERS_AT_ONCE, end === -1 ? this.#ready.length : end));
  }

  async #bring(some: { exchange: Exchange; listener: string }[]): Promise<void> {
    const { client, webhook, signal, onLost } = this.#listening;
    const items: AnswersIn['items'] = some.map(({ exchange: { request, answer } }) => ({
      relay: request.relay,
      ...answer,
    }));
    try {
      const { items: verdicts } = await client.webhooks.answer(
        webhook,
        { listener: some[0]!.listener, items },
        { signal },
      );
      verdicts.forEach(({ ok, code }, at) => {
        if (!ok && code !== null && code !== 'already-answered') onLost(some[at]!.exchange, LOST[code]);
      });
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof BellwireError ? error.detail : String(error);
      for (const { exchange } of some) onLost(exchange, reason);
    }
  }
}
