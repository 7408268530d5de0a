// The way out to a listener: a request waits in the store until whoever listens for its webhook fetches it, and its answer
// comes back the same way. For the engine it is a send like any other: it takes as long as it takes, and is an Outcome.
//
// Neither the listener nor its answer need come to this node, so the store is where they meet; hints say when to look.
import type { Clock, Timer } from '../model/clock.ts';
import type { Masker } from '../model/flow/mask.ts';
import { KEEP_LIMIT, READ_LIMIT, type FailureCode, type Outcome } from '../model/outcome.ts';

import type { RelayAnswer, RelayedRequest, RelayState, Store, TargetKey } from '../store/contract.ts';
import { unsaid } from './unsaid.ts';

/** A request for a listener. */
export interface Relayed extends RelayedRequest {
  key: TargetKey;
  /** Takes out of the answer what the request says of secrets. */
  masker?: Masker | null;
}

/** What it stands on. */
export interface RelayParts {
  store: Pick<Store, 'relays'>;
  clock: Clock;
  /** Nobody listens for this webhook any more. */
  onLeft(key: TargetKey): void;
  onError(error: unknown): void;
}

/** Beyond its deadline, ms: the ways there and back. */
const SLACK_MS = 3_000;
/** How long nobody hears anything before the store is asked, ms: hints may be lost. */
const LOOK_MS = 1_000;

/** What waits of one webhook. */
interface Desk {
  key: TargetKey;
  waiting: Map<string, Waiting>;
  timer: Timer | null;
  /** A look is under way; something was heard since it began. */
  isLooking: boolean;
  isHeard: boolean;
}

interface Waiting {
  startedAt: number;
  /** By the monotonic clock. */
  until: number;
  deadlineMs: number;
  settle(outcome: Outcome): void;
}

/** Hands requests to listeners. */
export class Relay {
  readonly #parts: RelayParts;
  readonly #desks = new Map<string, Desk>();
  #isClosed = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /** Sends one request and waits for its answer. Never throws, never rejects. */
  async send({ key, masker = null, ...request }: Relayed): Promise<Outcome> {
    return unsaid(await this.#send(key, request), masker);
  }

  async #send(key: TargetKey, request: RelayedRequest): Promise<Outcome> {
    const { store, clock, onLeft, onError } = this.#parts;
    const startedAt = clock.monotonic();
    const lastsMs = request.deadlineMs + SLACK_MS;
    const now = clock.now();
    if (this.#isClosed) return failed('closed', 'was cut off');
    try {
      const relay = await store.relays.ask(key, request, { now, until: now + lastsMs });
      if (relay === null) {
        onLeft(key);
        return failed('no-listener', 'was not sent to: nobody listens for it');
      }
      // While it was written down we were closed: nobody would look for its answer.
      if (this.#isClosed) return failed('closed', 'was cut off');
      return await this.#answered(key, relay, { ...request, startedAt, until: startedAt + lastsMs });
    } catch (error) {
      onError(error);
      return failed('closed', 'was not sent to: the store did not take the request');
    }
  }

  /** Something became of a webhook's requests, or of its listener. */
  hear({ workspace, target }: TargetKey): void {
    const desk = this.#desks.get(`${workspace}/${target}`);
    if (desk) void this.#look(desk);
  }

  /** Takes nothing more, and cuts off what waits. */
  close(): void {
    this.#isClosed = true;
    for (const desk of this.#desks.values()) {
      desk.timer?.cancel();
      this.#settle(
        desk,
        [...desk.waiting.keys()].map((relay) => [relay, failed('closed', 'was cut off')]),
      );
    }
  }

  #answered(key: TargetKey, relay: string, of: Omit<Waiting, 'settle'>): Promise<Outcome> {
    const name = `${key.workspace}/${key.target}`;
    let desk = this.#desks.get(name);
    if (!desk)
      this.#desks.set(name, (desk = { key, waiting: new Map(), timer: null, isLooking: false, isHeard: false }));
    const { promise, resolve } = Promise.withResolvers<Outcome>();
    desk.waiting.set(relay, { ...of, settle: resolve });
    // It may have been answered before anybody here waited for it.
    void this.#look(desk);
    return promise;
  }

  async #look(desk: Desk): Promise<void> {
    desk.isHeard = true;
    if (desk.isLooking) return;
    desk.isLooking = true;
    desk.timer?.cancel();
    const { store, clock, onError } = this.#parts;
    while (desk.isHeard && desk.waiting.size > 0) {
      desk.isHeard = false;
      try {
        const names = [...desk.waiting.keys()];
        const { listener, states } = await store.relays.look(desk.key, names, clock.now());
        this.#settle(desk, this.#over(desk, { names, states, isThere: listener !== null }));
      } catch (error) {
        onError(error);
      }
    }
    desk.isLooking = false;
    if (desk.waiting.size > 0) desk.timer = clock.after(LOOK_MS, () => void this.#look(desk));
    else this.#desks.delete(`${desk.key.workspace}/${desk.key.target}`);
  }

  /** Those of the names that are over, each with what it came to. */
  #over(
    { waiting }: Desk,
    { names, states, isThere }: { names: readonly string[]; states: Map<string, RelayState>; isThere: boolean },
  ): [string, Outcome][] {
    const now = this.#parts.clock.monotonic();
    return names.flatMap((name): [string, Outcome][] => {
      const of = waiting.get(name);
      if (!of) return [];
      const durationMs = Math.round(now - of.startedAt);
      const outcome = outcomeOf(states.get(name), { isThere, isLate: now >= of.until, ...of, durationMs });
      return outcome === null ? [] : [[name, outcome]];
    });
  }

  #settle(desk: Desk, over: readonly (readonly [string, Outcome])[]): void {
    if (over.length === 0) return;
    const { store, onLeft, onError } = this.#parts;
    for (const [name, outcome] of over) {
      desk.waiting.get(name)?.settle(outcome);
      desk.waiting.delete(name);
    }
    const isLeft = over.some(([, outcome]) => outcome.kind === 'failure' && outcome.code === 'no-listener');
    if (isLeft) onLeft(desk.key);
    const names = over.map(([name]) => name);
    store.relays.forget(desk.key, names).catch(onError);
  }
}

interface Fate {
  isThere: boolean;
  isLate: boolean;
  deadlineMs: number;
  durationMs: number;
}

/** What a request came to; null while it may still be answered. */
function outcomeOf(state: RelayState | undefined, { isThere, isLate, deadlineMs, durationMs }: Fate): Outcome | null {
  if (!state) return failed('closed', 'was not sent to: the store forgot the request', durationMs);
  if (state.answer !== null) return outcomeOfAnswer(state.answer);
  if (state.isLost) return failed('no-listener', 'was given up: its listener left before it had answered', durationMs);
  if (!state.isHanded && (!isThere || isLate)) {
    return failed('no-listener', 'was not sent to: nobody listens for it', durationMs);
  }
  if (!isLate) return null;
  return failed('timeout', `did not answer within ${Math.round(deadlineMs / 100) / 10} s`, durationMs);
}

function outcomeOfAnswer(answer: RelayAnswer): Outcome {
  const { durationMs } = answer;
  if ('failure' in answer) return failed(answer.failure, answer.message, durationMs);
  const { status, headers, bodyBytes } = answer;
  const body = Buffer.from(answer.body, 'base64');
  const retryAfter = headers.find(([name]) => name === 'retry-after')?.[1] ?? null;
  const kept = body.subarray(0, KEEP_LIMIT);
  const truncated = bodyBytes > kept.length;
  const bytes = Math.min(bodyBytes, READ_LIMIT);
  return {
    kind: 'response',
    status,
    headers,
    body: kept,
    bodyBytes: bytes,
    truncated,
    retryAfter,
    durationMs,
    connectMs: 0,
  };
}

function failed(code: FailureCode, message: string, durationMs = 0): Outcome {
  return { kind: 'failure', code, message, status: null, durationMs, connectMs: 0 };
}
