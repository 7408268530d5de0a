// What live streams hear of: hints that a workspace has new events, and attempts as they are settled.
//
// A hint may be missed or come twice, so a reader also looks by itself every few seconds; what it reads is the log.
import type { Clock, Timer } from '../model/clock.ts';
import type { TargetKey } from '../store/contract.ts';
import type { ApiParts, SettledAttempt } from './parts.ts';

/** How long a reader that hears nothing waits before it looks. */
const POLL_MS = 2_000;

/** The wires of one stream, or of one listener that waits. */
export interface Listening {
  /** Resolves at the next hint for the workspace, or after a while. */
  hint(): Promise<void>;
  close(): void;
}

/** Where streams are plugged in. */
export interface Sources {
  /** Aborted when the API stops: streams end themselves. */
  ending: AbortSignal;
  /** Begins to listen for a workspace. Hints from now on are not missed between two calls of `hint`. */
  listen(workspace: number, onAttempt: (attempt: SettledAttempt) => void): Listening;
  /** Begins to heed what is hinted of a webhook's requests and its listener. */
  heed(target: TargetKey): Listening;
}

/** Makes the sources: one listener at the store and one at the engine, however many streams there are. */
export function createSources({ store, engine, clock }: ApiParts, ending: AbortSignal): Sources {
  const ofWorkspace = new Readers<number>(clock, ending);
  const ofWebhook = new Readers<string>(clock, ending);
  const wakeWebhook = (target: TargetKey): void => ofWebhook.wake(nameOf(target));
  store.on({ events: (workspaces) => workspaces.forEach((workspace) => ofWorkspace.wake(workspace)) });
  store.on({ relays: wakeWebhook, listener: wakeWebhook });
  // The engine is watched only while somebody listens: an attempt costs nothing otherwise.
  let unwatch: (() => void) | null = null;
  const watch = () =>
    engine.watch((attempt) => {
      for (const reader of ofWorkspace.of(attempt.workspace)) reader.onAttempt(attempt);
    });

  return {
    ending,
    heed: (target) => ofWebhook.plug(nameOf(target)),
    listen(workspace, onAttempt) {
      const listening = ofWorkspace.plug(workspace, onAttempt);
      unwatch ??= watch();
      return {
        hint: () => listening.hint(),
        close() {
          listening.close();
          if (ofWorkspace.size > 0) return;
          unwatch?.();
          unwatch = null;
        },
      };
    },
  };
}

function nameOf({ workspace, target }: TargetKey): string {
  return `${workspace}/${target}`;
}

/** Those who listen, by what they listen to. */
class Readers<Key> {
  readonly #clock: Clock;
  readonly #ending: AbortSignal;
  readonly #groups = new Map<Key, Set<Reader>>();

  constructor(clock: Clock, ending: AbortSignal) {
    this.#clock = clock;
    this.#ending = ending;
  }

  /** How many things somebody listens to. */
  get size(): number {
    return this.#groups.size;
  }

  of(key: Key): Iterable<Reader> {
    return this.#groups.get(key) ?? [];
  }

  wake(key: Key): void {
    for (const reader of this.of(key)) reader.wake();
  }

  plug(key: Key, onAttempt: Reader['onAttempt'] = () => undefined): Listening {
    const reader = new Reader(this.#clock, onAttempt);
    const group = this.#groups.get(key) ?? new Set();
    this.#groups.set(key, group.add(reader));
    const wake = (): void => reader.wake();
    this.#ending.addEventListener('abort', wake);
    return {
      hint: () => reader.hint(),
      close: () => {
        this.#ending.removeEventListener('abort', wake);
        reader.wake();
        group.delete(reader);
        if (group.size === 0 && this.#groups.get(key) === group) this.#groups.delete(key);
      },
    };
  }
}

class Reader {
  readonly onAttempt: (attempt: SettledAttempt) => void;
  readonly #clock: Clock;
  #timer: Timer | null = null;
  #resolve: (() => void) | null = null;
  #hinted = false;

  constructor(clock: Clock, onAttempt: (attempt: SettledAttempt) => void) {
    this.#clock = clock;
    this.onAttempt = onAttempt;
  }

  hint(): Promise<void> {
    if (this.#hinted) {
      this.#hinted = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      this.#resolve = resolve;
      this.#timer = this.#clock.after(POLL_MS, () => this.wake());
    });
  }

  /** A hint that comes while nobody waits counts for the next one who does. */
  wake(): void {
    this.#timer?.cancel();
    this.#timer = null;
    if (this.#resolve === null) this.#hinted = true;
    else this.#resolve();
    this.#resolve = null;
  }
}
