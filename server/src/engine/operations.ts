// Runs operations: those whose lane this node owns, in turn, a chunk at a time, each at its own pace.
//
// What is released waits in the store; the engine hears of it by a hint and reads it back page by page. So an operation
// on a million deliveries costs this node the memory of one chunk.
import type { Clock } from '../model/clock.ts';
import { readEnvelope } from '../model/cloud-events/index.ts';
import { compileFilter } from '../model/filter/index.ts';
import { chunkOf, isChunkDue } from '../model/operation.ts';
import { Rounds } from '../model/rounds.ts';
import type { FilteredEvent } from '../model/catalog.ts';
import {
  StoreOutage,
  type OperationChunk,
  type OwnedLane,
  type RunningOperation,
  type Store,
  type StoredEvent,
  type StoredOperation,
} from '../store/contract.ts';
import type { LaneKeeper } from './lane-keeper.ts';

/** What the runner stands on. */
export interface OperationRunnerParts {
  store: Pick<Store, 'operations' | 'log' | 'settings'>;
  lanes: Pick<LaneKeeper, 'owned'>;
  clock: Clock;
  /** Is told of those that end here. */
  onEnd?: ((operation: StoredOperation) => void) | undefined;
  onError(error: unknown): void;
}

/** How often it is looked for operations that nobody told of: those of lanes that were somebody else's. */
const LOOK_EVERY_MS = 5000;
/** A store that does not answer is asked again after this. */
const RETRY_MS = 1000;
/** An operation whose chunk failed this often in a row is given up. Outages of the store do not count. */
const MOST_FAILURES = 10;
/** Events read at once for a replay: each may have a quarter of a megabyte. */
const EVENTS = 100;

/** What a chunk is to do. */
type Plan = Pick<OperationChunk, 'release' | 'copy' | 'looked' | 'cursor' | 'ended'>;

/** Runs them until stopped. */
export class OperationRunner {
  readonly #parts: OperationRunnerParts;
  readonly #failures = new Map<string, number>();
  readonly #rounds: Rounds;

  constructor(parts: OperationRunnerParts) {
    this.#parts = parts;
    const { clock, onError } = parts;
    this.#rounds = new Rounds({ clock, onError, retryMs: RETRY_MS, round: () => this.#round() });
  }

  /** Begins. */
  start(): void {
    this.#rounds.start();
  }

  /** There is something new: an operation was begun, or lanes were taken over. */
  wake(): void {
    this.#rounds.wake();
  }

  /** Begins no further chunk; resolves when none is under way. */
  stop(): Promise<void> {
    return this.#rounds.stop();
  }

  // One chunk of each; resolves how long there is nothing to do.
  async #round(): Promise<number> {
    const { store, lanes, clock, onError } = this.#parts;
    let restMs = LOOK_EVERY_MS;
    for (const operation of await store.operations.running()) {
      const lane = lanes.owned(operation.lane);
      if (this.#rounds.isStopped) break;
      if (!lane) continue;
      try {
        const after = isChunkDue(operation.nextAt, clock.now()) ? await this.#step(operation, lane) : operation;
        if (after?.state === 'running') restMs = Math.min(restMs, after.nextAt - clock.now());
        this.#failures.delete(nameOf(operation));
      } catch (error) {
        onError(error);
        restMs = Math.min(restMs, RETRY_MS);
        if (!(error instanceof StoreOutage)) await this.#failed(operation, error as Error);
      }
    }
    return restMs;
  }

  // Null when it is another node's by now, or has ended.
  async #step(operation: RunningOperation, lane: OwnedLane): Promise<StoredOperation | null> {
    const { store, clock } = this.#parts;
    const plan = await (operation.kind === 'replay' ? this.#planReplay(operation) : this.#planRelease(operation));
    const after = await store.operations.advance({ operation, lane, ...plan, now: clock.now() });
    if (after?.state === 'done') this.#parts.onEnd?.(after);
    return after;
  }

  async #planRelease(operation: RunningOperation): Promise<Plan> {
    const { store, clock } = this.#parts;
    const limit = chunkOf(operation.pace);
    const { keys, ...rest } = await store.operations.ahead({ operation, limit, now: clock.now() });
    return { release: keys, copy: [], ...rest };
  }

  async #planReplay(operation: RunningOperation): Promise<Plan> {
    const { workspace, cursor, upTo, type, since, until, pace } = operation;
    const page = await this.#parts.store.log.events({
      workspace,
      order: 'oldest-first',
      cursor: cursor.event,
      limit: Math.min(EVENTS, chunkOf(pace)),
      ...(type === null ? {} : { type }),
      ...(since === null ? {} : { since }),
      ...(until === null ? {} : { until }),
    });
    const events = page.rows.filter(({ event }) => event <= upTo);
    const isWanted = await this.#judgeOf(operation);
    return {
      release: [],
      // What was erased has nothing that a filter could look at, nor that could be sent.
      copy: events.filter((one) => one.erasedAt === null && isWanted(filtered(one))).map(({ event }) => event),
      looked: events.length,
      cursor: { event: Math.min(page.cursor, upTo), target: 0, copy: 0 },
      ended: page.cursor >= upTo,
    };
  }

  // Without a type it is what the webhook is subscribed to that it gets.
  async #judgeOf({ workspace, webhook, type, filter }: RunningOperation): Promise<(event: FilteredEvent) => boolean> {
    const compiled = filter === null ? null : compileFilter(filter);
    if (compiled?.ok === false) throw new Error(compiled.message);
    const matches = (event: FilteredEvent): boolean => compiled === null || compiled.matches(event);
    if (type !== null) return matches;
    const catalog = await this.#parts.store.settings.catalog(workspace);
    return (event) => matches(event) && catalog !== null && catalog.targetsOf(event).includes(webhook!);
  }

  async #failed(operation: StoredOperation, error: Error): Promise<void> {
    const { store, clock, onError } = this.#parts;
    const name = nameOf(operation);
    const failures = (this.#failures.get(name) ?? 0) + 1;
    this.#failures.set(name, failures);
    if (failures < MOST_FAILURES) return;
    this.#failures.delete(name);
    await store.operations
      .end(operation, { state: 'failed', reason: error.message, now: clock.now() })
      .catch((again: unknown) => onError(again));
    this.#parts.onEnd?.({ ...operation, state: 'failed', reason: error.message });
  }
}

function nameOf({ workspace, operation }: StoredOperation): string {
  return `${workspace}/${operation}`;
}

// The envelope is read only for a filter that looks at more than the type.
function filtered({ type, envelope }: StoredEvent): FilteredEvent {
  let read: ReturnType<typeof readEnvelope> | null = null;
  return {
    type,
    get attributes() {
      return (read ??= readEnvelope(envelope)).attributes;
    },
    get data() {
      return (read ??= readEnvelope(envelope)).data;
    },
  };
}
