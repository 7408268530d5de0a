// Chores: what is done for the store and the engine from time to time, each a task of the upkeep.
import type { Clock } from '../model/clock.ts';
import { LANES, type Retention, type Store } from '../store/contract.ts';
import type { Challenger } from './challenger.ts';
import { ClockWatch } from './clock-watch.ts';
import type { Engine } from './engine.ts';
import type { LaneKeeper } from './lane-keeper.ts';
import type { Task, Upkeep } from './upkeep.ts';

const SWEEP_EVERY_MS = 30_000;
const CLOCK_EVERY_MS = 1_000;
/** How long after a clock was set back something planned by the old time may still be written. */
const LATE_EVERY_MS = 5_000;
const CHALLENGES_EVERY_MS = 30_000;
const ROTATIONS_EVERY_MS = 10_000;
const ROTATIONS_CHUNK = 100;
const FANOUT_EVERY_MS = 1_000;
const BURY_EVERY_MS = 5_000;
const BACKLOG_EVERY_MS = 30_000;
const BURY_CHUNK = 1_000;
const PRUNE_EVERY_MS = 60_000;
const PRUNE_CHUNK = 500;
const ERASE_EVERY_MS = 2_000;
const SHRINK_EVERY_MS = 500;
/** Steps in a row: what is given back in one look, a quarter of a megabyte each. */
const SHRINK_STEPS = 8;
const RELAYS_EVERY_MS = 60_000;
const RESEAL_EVERY_MS = 3_600_000;
const RESEAL_CHUNK = 100;

/** What the chores are done with. */
export interface ChoreParts {
  store: Store;
  engine: Engine;
  challenger: Challenger;
  lanes: LaneKeeper;
  clock: Clock;
  /** Runs them; some hurry others. */
  upkeep: Upkeep;
  /** Targets of a large fan-out that are expanded in one go. */
  fanout: number;
  retention: Retention;
  /** Open deliveries of one webhook from which on a backlog is told; null for never. */
  backlog: number | null;
  /** How often a critical webhook that once proved itself is asked whether it is well again, ms; null for never. */
  recheckMs: number | null;
  /** Is told how many secrets were sealed with a former key, when none is any more. */
  onResealed: ((count: number) => void) | undefined;
}

/** The chores. */
export function chores(parts: ChoreParts): Task[] {
  const { store, engine, lanes, clock, fanout, retention, backlog } = parts;
  const chunks = (on: () => boolean): Chunks => ({ clock, on });
  return [
    { name: 'challenges', everyMs: CHALLENGES_EVERY_MS, run: () => challengeUnproved(parts) },
    { name: 'rotations', everyMs: ROTATIONS_EVERY_MS, run: (on) => endRotations(store, chunks(on)) },
    { name: 'backlogs', everyMs: BACKLOG_EVERY_MS, run: () => watchBacklogs(store, { backlog, now: clock.now() }) },
    { name: 'burials', everyMs: BURY_EVERY_MS, run: (on) => buryAll(store, chunks(on)) },
    { name: 'sweep', everyMs: SWEEP_EVERY_MS, run: () => engine.sweep(lanes.numbers) },
    ...clockChores(parts),
    { name: FAN_OUT, everyMs: FANOUT_EVERY_MS, run: (on) => expandAll(store, fanout, chunks(on)) },
    { name: 'retention', everyMs: PRUNE_EVERY_MS, run: (on) => pruneAll(store, retention, chunks(on)) },
    { name: 'erasures', everyMs: ERASE_EVERY_MS, run: (on) => eraseAll(store, chunks(on)) },
    { name: 'relays', everyMs: RELAYS_EVERY_MS, run: () => store.relays.prune(clock.now()) },
    { name: 'room', everyMs: SHRINK_EVERY_MS, run: (on) => shrinkSome(store, on) },
    { name: 'keys', everyMs: RESEAL_EVERY_MS, run: (on) => resealAll(parts, on) },
  ];
}

/** The one that expands large fan-outs: hurried when there is one. */
export const FAN_OUT = 'fan-out';

// Bringing retries forward is a task of its own: while it goes through a long backlog the clock is watched on, for it may
// be set back again.
function clockChores({ engine, clock, upkeep }: ChoreParts): Task[] {
  const watch = new ClockWatch(clock);
  const look = async (): Promise<void> => {
    const ms = watch.setBack();
    if (ms === 0) return;
    engine.setBack(ms);
    upkeep.hurry('retries');
  };
  const bringForward = async (): Promise<void> => {
    const pass = watch.next();
    if (!pass) return;
    let isDone = false;
    try {
      await engine.followClock(pass);
      isDone = true;
    } finally {
      watch.ended(pass, isDone);
    }
  };
  return [
    { name: 'clock', everyMs: CLOCK_EVERY_MS, run: look },
    { name: 'retries', everyMs: LATE_EVERY_MS, run: bringForward },
  ];
}

// Every webhook that has to prove itself has a run: one that a crash or an outage of the store interrupted begins again,
// and what is critical is asked from time to time, for people forget to press Test when the endpoint is well again.
async function challengeUnproved({ store, challenger, lanes, clock, recheckMs }: ChoreParts): Promise<void> {
  const owned = new Set(lanes.numbers);
  const criticalBefore = recheckMs === null ? 0 : clock.now() - recheckMs;
  for (const { bucket, health, ...key } of await store.settings.unproved(criticalBefore)) {
    if (!owned.has(bucket % LANES)) continue;
    if (health === 'pending') challenger.begin(key);
    else challenger.recheck(key);
  }
}

/** What a task in chunks goes by: the time, and whether to begin another chunk. */
interface Chunks {
  clock: Clock;
  on(): boolean;
}

async function endRotations(store: Store, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.settings.endRotations(clock.now(), ROTATIONS_CHUNK)) === ROTATIONS_CHUNK);
}

async function watchBacklogs(store: Store, { backlog, now }: { backlog: number | null; now: number }): Promise<void> {
  if (backlog !== null) await store.log.watchBacklogs(backlog, now);
}

async function buryAll(store: Store, { on }: Chunks): Promise<void> {
  while (on() && (await store.log.bury(BURY_CHUNK)));
}

async function expandAll(store: Store, limit: number, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.log.expandFanouts(limit, clock.now())));
}

async function eraseAll(store: Store, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.erasures.advance(clock.now())));
}

async function shrinkSome(store: Store, on: () => boolean): Promise<void> {
  for (let step = 0; step < SHRINK_STEPS && on(); step++) if (!(await store.log.shrink())) return;
}

// The rest of a rotation of the keys that seal secrets: once after the start, which is when there are new ones.
async function resealAll({ store, onResealed }: ChoreParts, on: () => boolean): Promise<void> {
  let count = 0;
  for (let moved = 1; moved > 0; count += moved) {
    if (!on()) return;
    moved = await store.settings.reseal(RESEAL_CHUNK);
  }
  if (count > 0) onResealed?.(count);
}

async function pruneAll(store: Store, retention: Retention, { clock, on }: Chunks): Promise<void> {
  while (on() && (await store.log.prune(retention, clock.now(), PRUNE_CHUNK)) > 0);
}
