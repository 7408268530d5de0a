// The store's contract: what the platform asks of its memory, in the domain's words. One verb is one transaction.
//
// Each part of it stands in a file of its own: one place to read what may be asked, and nothing of how it is done.
//
// Promises every engine keeps (the suite in server/test/store-contract.ts shows them on each):
//  - A verb that has resolved is committed; `accept` and every state change are also synced to disk. A `settle` of
//    successes and retries may be lost by a crash (it is only a note that something was sent): it is sent again. So may
//    what is said to be written `lazily`: it is done again from what was synced.
//  - `accept` is a group commit: what arrives while one commit runs shares the next. A shared commit fails only the
//    guilty: a request that cannot be stored is found by halving, its companions are stored.
//  - Numbers of a workspace (events, webhooks, subscriptions…) are given under a lock on the workspace's row that is
//    held until the commit. So numbers are in commit order, a reader by number skips nothing, two publishes of the
//    same ids cannot deadlock, and the subscriptions an event is matched with are those of its commit.
//  - Every key leads with the workspace. Instants are epoch ms, spans ms, sizes bytes.
import type { PendingDelivery } from '../model/delivery.ts';
import type { Erasures } from './erasures-contract.ts';
import type { Flows, RunKey } from './flows/contract.ts';
import type { Hooks } from './hooks/contract.ts';
import type { Lanes } from './lane-contract.ts';
import type { Log, TargetKey } from './log-contract.ts';
import type { Operations } from './operations-contract.ts';
import type { PostProcessings } from './post-processings/contract.ts';
import type { Pulls } from './pulls-contract.ts';
import type { Relays } from './relays-contract.ts';
import type { Settings } from './settings-contract.ts';
import type { Sheets } from './sheets/contract.ts';

export * from './erasures-contract.ts';
export * from './flows/contract.ts';
export * from './hooks/contract.ts';
export * from './lane-contract.ts';
export * from './log-contract.ts';
export * from './operations-contract.ts';
export * from './page.ts';
export * from './pulls-contract.ts';
export * from './relays-contract.ts';
export * from './refusal.ts';
export * from './settings-contract.ts';
export * from './sheets/contract.ts';

/** The whole store. */
export interface Store {
  log: Log;
  operations: Operations;
  erasures: Erasures;
  pulls: Pulls;
  relays: Relays;
  flows: Flows;
  hooks: Hooks;
  settings: Settings;
  postProcessings: PostProcessings;
  sheets: Sheets;
  lanes: Lanes;
  /** Hints that something was committed; they may be missed or come twice (polling is the truth). */
  on(listener: StoreListener): void;
  /** Resolves when the store answers; rejects with the reason in words otherwise. */
  check(): Promise<void>;
  /** Finishes what was begun and closes. Twice is harmless. */
  close(): Promise<void>;
}

/** What the store tells those who listen, always after the commit. */
export interface StoreListener {
  /** Deliveries made by any door: publish, replay, expansion of a large fan-out. */
  deliveries?(deliveries: PendingDelivery[]): void;
  /** Events of these workspaces were accepted. */
  events?(workspaces: readonly number[]): void;
  /** Deliveries of these targets have become due in the store: too many to be handed over, or made at another node. */
  due?(targets: readonly TargetKey[]): void;
  /** Fan-outs were left to be expanded in chunks. */
  fanouts?(): void;
  /** An operation was begun. */
  operation?(): void;
  /** Events of this workspace were erased: what memory has of its deliveries is to be read again. */
  erased?(workspace: number): void;
  /** A webhook was made, changed or deleted. */
  webhook?(workspace: number, webhook: number): void;
  /** A webhook was made, changed or deleted at another node, which has begun its challenge if it needs one. */
  changed?(target: TargetKey): void;
  /** A flow was made, changed or deleted. */
  flow?(workspace: number, flow: number): void;
  /** A sheet was made, changed or deleted. */
  sheet?(workspace: number, name: string): void;
  /** A secret of flows was set or deleted. */
  flowSecrets?(workspace: number): void;
  /** In these lanes runs may begin, or were asked to end, whichever node's doing it was. */
  runs?(lanes: readonly number[]): void;
  /** These runs of scenarios have replied, or ended, at whichever node: who waits for one asks how far it is. */
  replied?(runs: readonly RunKey[]): void;
  /** Requests for the listener of this webhook wait, or were answered, at whichever node. */
  relays?(target: TargetKey): void;
  /** Somebody began to listen for this webhook, or has ended, at whichever node. */
  listener?(target: TargetKey): void;
}
