// Who listens to the store, and how they are told: after the commit, never able to harm it.
import type { RunKey, StoreListener, TargetKey } from './contract.ts';
import { Hints, type HintChannel } from './hints.ts';

type Words<Name extends keyof StoreListener> = Parameters<NonNullable<StoreListener[Name]>>;

/** What concerns the listeners of this process only. */
type Here = Exclude<keyof StoreListener, 'changed' | 'due' | 'runs' | 'replied' | 'relays' | 'listener'>;

/** The listeners of one store. A listener that throws is a bug of its own: it is reported, the others are told. */
export class Listeners {
  readonly #all: StoreListener[] = [];
  readonly #onError: (error: unknown) => void;
  readonly #others: Hints | null;

  /** `channel` leads to the other nodes on the store; null where there are none. */
  constructor(onError: (error: unknown) => void, channel: HintChannel | null) {
    this.#onError = onError;
    this.#others =
      channel &&
      new Hints(channel, {
        runs: (lanes) => this.#tellHere('runs', lanes),
        replied: (runs) => this.#tellHere('replied', runs),
        due: (targets) => this.#tellHere('due', targets),
        changed: (target) => this.#tellHere('changed', target),
        relays: (target) => this.#tellHere('relays', target),
        listener: (target) => this.#tellHere('listener', target),
      });
  }

  add(listener: StoreListener): void {
    this.#all.push(listener);
  }

  /** Calls one method of each listener here. */
  tell<Name extends Here>(name: Name, ...words: Words<Name>): void {
    this.#tellHere(name, ...words);
  }

  /** A webhook was made, changed or deleted: told to the listeners here, and as a change to those of all other nodes. */
  tellWebhook(workspace: number, target: number): void {
    this.#tellHere('webhook', workspace, target);
    this.#others?.changed({ workspace, target });
  }

  /** Deliveries of these targets have become due in the store: told to the listeners of all nodes. */
  tellDue(targets: readonly TargetKey[]): void {
    this.#tellHere('due', targets);
    this.tellOthersDue(targets);
  }

  /** The same, told to the listeners of all other nodes only. */
  tellOthersDue(targets: readonly TargetKey[]): void {
    if (targets.length > 0) this.#others?.due(targets);
  }

  /** In these lanes runs may begin, or were asked to end: told to the listeners of all nodes. */
  tellRuns(lanes: Iterable<number>): void {
    const told = [...new Set(lanes)];
    if (told.length === 0) return;
    this.#tellHere('runs', told);
    this.#others?.runs(told);
  }

  /** These runs have replied, or ended: told to the listeners of all nodes. */
  tellReplied(runs: readonly RunKey[]): void {
    if (runs.length === 0) return;
    this.#tellHere('replied', runs);
    this.#others?.replied(runs);
  }

  /** Requests for the listener of this webhook wait, or were answered: told to the listeners of all nodes. */
  tellRelays({ workspace, target }: TargetKey): void {
    this.#tellHere('relays', { workspace, target });
    this.#others?.relays({ workspace, target });
  }

  /** Somebody began to listen for this webhook, or has ended: told to the listeners of all nodes. */
  tellListener({ workspace, target }: TargetKey): void {
    this.#tellHere('listener', { workspace, target });
    this.#others?.listener({ workspace, target });
  }

  #tellHere<Name extends keyof StoreListener>(name: Name, ...words: Words<Name>): void {
    for (const listener of this.#all) {
      try {
        (listener[name] as ((...words: unknown[]) => void) | undefined)?.call(listener, ...words);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
