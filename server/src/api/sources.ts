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
  const readers = new Map<number, Set<Reader>>();
  store.on({
    events: (workspaces) => {
      for (const workspace of workspaces) for (const reader of readers.get(workspace) ?? []) reader.wake();
    },
  });
  const heeding = new Map<string, Set<Reader>>();
  const wakeHeeding = (target: TargetKey): void => {
    for (const reader of heeding.get(nameOf(target)) ?? []) reader.wake();
  };
  store.on({ relays: wakeHeeding, listener: wakeHeeding });
  // The engine is watched only while somebody listens: an attempt costs nothing otherwise.
  let unwatch: (() => void) | null = null;
  const watch = () =>
    engine.watch((attempt) => {
      for (const reader of readers.get(attempt.workspace) ?? []) reader.onAttempt(attempt);
    });

  return {
    ending,
    heed(target) {
      const reader = new Reader(clock, () => undefined);
      const name = nameOf(target);
      const group = heeding.get(name) ?? new Set<Reader>();
      heeding.set(name, group.add(reader));
      const wake = (): void => reader.wake();
      ending.addEventListener('abort', wake);
      return {
        hint: () => reader.hint(),
        close() {
          ending.removeEventListener('abort', wake);
          reader.wake();
          group.delete(reader);
          if (group.size === 0 && heeding.get(name) === group) heeding.delete(name);
        },
      };
    },
    listen(workspace, onAttempt) {
      const reader = new Reader(clock, onAttempt);
      const group = readers.get(workspace) ?? new Set<Reader>();
      readers.set(workspace, group.add(reader));
      unwatch ??= watch();
      const wake = () => reader.wake();
      ending.addEventListener('abort', wake);
      return {
        hint: () => reader.hint(),
        close() {
          ending.removeEventListener('abort', wake);
          reader.wake();
          group.delete(reader);
          if (group.size === 0) readers.delete(workspace);
          if (readers.size > 0) return;
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
