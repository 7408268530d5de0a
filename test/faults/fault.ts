// What a fault is, and what a play of it is given.
import type { Postgres } from '../kit/postgres.ts';
import type { Play, Sum } from './ground.ts';

/** How much of everything: a test run has seconds, a report has all the time it needs. */
export interface Scale {
  /** Kills of one play. */
  kills: number;
  /** How long PostgreSQL is away, and a process is frozen, ms. */
  awayMs: number;
  /** Leases, deadlines and time-outs of the platform, ms: the freeze and the silence outlast all of them. */
  timeoutMs: number;
}

export type Engine = Play['engine'];

/** One kind of fault. */
export interface Fault {
  /** As it stands in the name of the test and in the report. */
  name: string;
  engines: readonly Engine[];
  /** Is it the killing that a play is made of, at instants that nobody chose? It strikes as often as the scale says. */
  isKilling?: true;
  /** The requirements that it shows. */
  shows: string;
  /** Why it cannot be played here, or false. */
  skip?: string | false;
  play(setting: Setting): Promise<Sum>;
}

/** What a play is given. */
export interface Setting {
  engine: Engine;
  /** A server of its own that syncs; null for SQLite. */
  postgres: Postgres | null;
  seed: number;
  scale: Scale;
}
