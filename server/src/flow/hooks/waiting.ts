// Those who have called hooks and wait for what the runs reply: in memory where a run is this node's, else by the store.
import type { Clock } from '../../model/clock.ts';
import type { HookReply } from '../../model/hook/exchange.ts';
import type { RunKey, RunState } from '../../store/flows/contract.ts';
import type { Hooks } from '../../store/hooks/contract.ts';
import type { RunWatch } from '../run.ts';

/** What came of waiting. */
export type Heard =
  | { kind: 'replied'; reply: HookReply }
  /** It ended without a reply. */
  | { kind: 'ended'; state: 'completed' | 'failed' | 'aborted' }
  | { kind: 'late' };

/** What it stands on. */
export interface WaitingParts {
  hooks: Pick<Hooks, 'progress'>;
  clock: Clock;
  /** Is the run under way at this node? Then it is heard of without asking again and again. */
  isHere(key: RunKey): boolean;
  onError(error: unknown): void;
}

/** The first look at a run of another node, and the longest pause between two: whoever misses a hint finds it so. */
const LOOK_MS = 100;
const LONGEST_LOOK_MS = 1_000;

interface Waiter {
  hear(heard: Heard): void;
  look(): void;
}

/** The waiting room of one node. */
export class ReplyDesk implements RunWatch {
  readonly #parts: WaitingParts;
  readonly #waiters = new Map<string, Set<Waiter>>();
  #isClosed = false;

  constructor(parts: WaitingParts) {
    this.#parts = parts;
  }

  /** Waits for what a run replies, or its end. `looks`: it may have replied already. Never rejects. */
  wait(key: RunKey, { withinMs, looks }: { withinMs: number; looks: boolean }): Promise<Heard> {
    const { clock } = this.#parts;
    if (this.#isClosed) return Promise.resolve({ kind: 'late' });
    const heard = Promise.withResolvers<Heard>();
    const waiter: Waiter = { hear: heard.resolve, look: () => void this.#look(key, waiter) };
    const name = nameOf(key);
    const beside = this.#waiters.get(name) ?? new Set();
    this.#waiters.set(name, beside.add(waiter));
    const late = clock.after(withinMs, () => waiter.hear({ kind: 'late' }));
    if (looks) waiter.look();
    let next = clock.after(LOOK_MS, () => rest(LOOK_MS));
    const rest = (ms: number): void => {
      if (!this.#parts.isHere(key)) waiter.look();
      next = clock.after(ms, () => rest(Math.min(LONGEST_LOOK_MS, ms * 2)));
    };
    return heard.promise.finally(() => {
      late.cancel();
      next.cancel();
      beside.delete(waiter);
      if (beside.size === 0) this.#waiters.delete(name);
    });
  }

  replied(key: RunKey, reply: HookReply): boolean {
    return this.#tell(key, { kind: 'replied', reply });
  }

  ended(key: RunKey, state: 'completed' | 'failed' | 'aborted'): void {
    this.#tell(key, { kind: 'ended', state });
  }

  /** The platform stops: whoever waits, or comes to wait, is told that it is late. The runs go on elsewhere, or later. */
  close(): void {
    this.#isClosed = true;
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.hear({ kind: 'late' });
  }

  /** There is something to be known of these runs. */
  hint(runs: readonly RunKey[]): void {
    if (this.#waiters.size === 0) return;
    for (const key of runs) for (const waiter of this.#waiters.get(nameOf(key)) ?? []) waiter.look();
  }

  #tell(key: RunKey, heard: Heard): boolean {
    const waiters = this.#waiters.get(nameOf(key));
    for (const waiter of waiters ?? []) waiter.hear(heard);
    return waiters !== undefined;
  }

  async #look(key: RunKey, waiter: Waiter): Promise<void> {
    const { hooks, onError } = this.#parts;
    try {
      const found = await hooks.progress(key);
      if (found?.reply) waiter.hear({ kind: 'replied', reply: found.reply });
      else if (found && isEnd(found.state)) waiter.hear({ kind: 'ended', state: found.state });
    } catch (error) {
      onError(error);
    }
  }
}

function isEnd(state: RunState): state is 'completed' | 'failed' | 'aborted' {
  return state === 'completed' || state === 'failed' || state === 'aborted';
}

function nameOf({ workspace, run }: RunKey): string {
  return `${workspace}/${run}`;
}
