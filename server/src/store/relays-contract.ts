// The part of the store's contract about listeners: programs that fetch a webhook's requests, each as it would be sent, and
// bring back what somebody else answered.
import type { Failure } from '../model/outcome.ts';
import type { TargetKey } from './log-contract.ts';

/** Who listens for a webhook at present. */
export interface Listener {
  /** Until when, epoch ms, unless it asks again. */
  until: number;
  /** The webhook has a URL, and its requests come here instead. */
  takesOver: boolean;
}

/** A request of the engine, as it is to be made. */
export interface RelayedRequest {
  method: string;
  /** Flat: name, value, … */
  headers: readonly string[];
  body: Uint8Array | null;
  /** How long the answer may take, ms. */
  deadlineMs: number;
}

/** A request in the hands of a listener. */
export interface HandedRequest extends RelayedRequest {
  /** Its name: random, known to its listener alone. */
  relay: string;
}

/** What became of a request: the answer of whoever got it, or why there was none. The body is base64. */
export type RelayAnswer = { durationMs: number } & (
  | { status: number; headers: [name: string, value: string][]; body: string; bodyBytes: number }
  | { failure: Failure['code']; message: string }
);

/** What a listener asks for. Spans in ms. */
export interface ListenQuery extends TargetKey {
  /** Its own name, which the first answer gave it; null begins to listen, and ends whoever else did. */
  listener: string | null;
  takesOver: boolean;
  /** Requests at most. */
  limit: number;
  /** How long it is believed to be there: when it gets requests now, and when it goes on waiting for some. */
  leaseMs: number;
  waitingMs: number;
  now: number;
}

/** What it gets. */
export interface Listened extends Listener {
  listener: string;
  /** Counts its questions: see {@link Relays.leave}. */
  polls: number;
  requests: HandedRequest[];
}

/** What was said about one answer. */
export type RelayVerdict =
  | 'done'
  /** There is no such request of this webhook, or it was given up long ago. */
  | 'not-found'
  /** It was answered before. */
  | 'already-answered'
  /** It is in the hands of another listener. */
  | 'lease-lost'
  /** Too late: it counts as unanswered. */
  | 'lease-expired';

/** How a request fares, as the engine sees it. */
export interface RelayState {
  isHanded: boolean;
  /** It was handed to somebody who does not listen any more. */
  isLost: boolean;
  answer: RelayAnswer | null;
}

/** Requests on their way to listeners and back. Kept for moments only; nothing here is synced. */
export interface Relays {
  /** Begins to listen, or goes on, and hands out what waits. `replaced`: somebody else listens by now. */
  listen(query: ListenQuery): Promise<Listened | 'replaced' | 'gone'>;
  /** Does anything wait to be handed out? */
  waiting(key: TargetKey, now: number): Promise<boolean>;
  /** Brings answers back. Verdicts in the order of the answers. */
  answer(
    key: TargetKey,
    given: { listener: string; answers: readonly { relay: string; answer: RelayAnswer }[]; now: number },
  ): Promise<RelayVerdict[]>;
  /** Ends listening; with `polls` only if it has not asked again since. True when it did end. */
  leave(key: TargetKey, of: { listener: string; polls?: number; now: number }): Promise<boolean>;
  /** Gives a request to the listener, to be answered until then. Null when nobody listens. */
  ask(key: TargetKey, request: RelayedRequest, at: { now: number; until: number }): Promise<string | null>;
  /** How these fare, by their names; those that are gone are absent. And who listens. */
  look(
    key: TargetKey,
    relays: readonly string[],
    now: number,
  ): Promise<{ listener: Listener | null; states: Map<string, RelayState> }>;
  /** Forgets requests that are over, but for the names of those that were answered. */
  forget(key: TargetKey, relays: readonly string[]): Promise<void>;
  /** Forgets what a crash left behind. */
  prune(now: number): Promise<void>;
}
