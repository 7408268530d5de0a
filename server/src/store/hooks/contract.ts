// The hooks' half of the store's contract: requests on disk before they are answered, with the runs they start.
//
// The promises of ../contract.ts and ../flows/contract.ts hold here, too. A hook's token is the `triggerPath` of its flow.
// A request and the run that it starts have the same number.
import type { HookReply, HookRequest } from '../../model/hook/exchange.ts';
import type { Page } from '../page.ts';
import type { ClaimedRun, RunKey, RunState, StoredFlow } from '../flows/contract.ts';
import type { OwnedLane } from '../lane-contract.ts';

/** Hooks. */
export interface Hooks {
  /** The scenario whose hook has this token; `gone` when there was one once (410). */
  find(token: string): Promise<StoredFlow | 'gone' | null>;
  /**
   * Keeps a request and starts its run, in one synced transaction that many share. Where the flow has a free place and the
   * lane is handed in, the run begins at once, without being claimed.
   */
  receive(request: NewRequest): Promise<Receipt>;
  /**
   * Keeps a request that starts no run, with the reason: refused, unreadable, fits no shape. Of each flow the latest
   * thousand or so are kept. Not synced. Null where the flow is gone.
   */
  keep(request: KeptRequest): Promise<{ request: number | null }>;
  request(key: RequestKey): Promise<StoredRequest | null>;
  /** The newest first, without bodies. */
  requests(query: RequestsQuery): Promise<Page<RequestHead>>;
  /**
   * How far a run is and what it has replied: for who waits for a run on another node, or repeats a request. Of one that
   * ended too soon without a reply: how far the run is that continues it, if there is one. Null where there is no such run.
   */
  progress(key: RunKey): Promise<{ state: RunState; reply: HookReply | null } | null>;
}

/** Names a request. */
export interface RequestKey {
  workspace: number;
  request: number;
}

/** A request that is to start a run. */
export interface NewRequest {
  workspace: number;
  flow: number;
  /** The token it came to; the flow has another one by now: `stale`. */
  token: string;
  /** The version it was verified and read by; another one by now: `stale`, and nothing is kept. */
  version: number;
  request: HookRequest;
  /** The same of a flow again gives the first run; null for a run of its own (R106). */
  dedupe: string | null;
  /** Most runs of the flow that may wait. */
  queue: number;
  /** The run begins at this instant at the earliest; null is at once (R89). */
  beginAt: number | null;
  /** Why it would have been refused, where it is only observed; null otherwise. */
  doubt: string | null;
  /** The lane of the flow where this node owns it; null where it does not. */
  lane: OwnedLane | null;
  /** How many runs led to this one (R16), and may. */
  depth: number;
  maxDepth: number;
  /** The trace context of the request; absent without. */
  trace?: string | null;
  now: number;
}

/** What became of it. */
export type Receipt =
  /** It runs, here: `run` is to be worked at. */
  | { kind: 'begun'; run: ClaimedRun }
  | { kind: 'queued'; run: number }
  /** It was here before: this is its run. The repetition is kept, too, as such. */
  | { kind: 'known'; run: number }
  /** A run that is left as a failed one: too deep, or as the flow's concurrency says. */
  | { kind: 'failed'; run: number; reason: string }
  /** Nothing was kept: enough wait already, the flow is not enabled, it has changed meanwhile, it is gone. */
  | { kind: 'full' | 'disabled' | 'stale' | 'gone' };

/** How a request came out. */
export type RequestState = 'taken' | 'repeated' | 'challenge' | 'refused' | 'unreadable' | 'misfit';

/** A request that starts no run. */
export interface KeptRequest {
  workspace: number;
  flow: number;
  request: HookRequest;
  state: Exclude<RequestState, 'taken' | 'repeated'>;
  /** One sentence for people, without a secret. */
  reason: string;
  /** What it was answered. */
  status: number;
  now: number;
}

/** A request as lists show it. */
export interface RequestHead extends RequestKey {
  flow: number;
  /** The run it started (its own number), or was found to belong to; null without. */
  run: number | null;
  state: RequestState;
  /** Why it started no run; of one that was taken: why it would have been refused, where that is only observed. */
  reason: string | null;
  /** What it was answered where that was not its run's to say; null otherwise. */
  status: number | null;
  method: string;
  bytes: number;
  receivedAt: number;
}

/** A request as it is read. */
export interface StoredRequest extends RequestHead {
  request: number;
  content: HookRequest;
}

/** How requests are listed. */
export interface RequestsQuery {
  workspace: number;
  flow: number;
  state?: RequestState;
  cursor: string | null;
  limit: number;
}
