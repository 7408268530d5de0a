// The ground a test of the store stands on: an empty database of one engine, stores opened on it, a door behind their back.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, suite, type TestContext } from 'node:test';
import pg from 'pg';
import { testDatabase, withoutPostgres } from '../../test/kit/postgres.ts';
import { openStore, type Store, type StoreOptions } from '../src/store/index.ts';
import { makeKey, openKeyring } from '../src/store/keyring.ts';

/** A value of a statement run behind the store's back. */
export type Loose = string | number | Uint8Array | null;

/** An empty database for one test, removed after it. */
export interface Ground {
  engine: 'sqlite' | 'postgres';
  /** What `openStore` takes. */
  address: string;
  /** Options that `open` starts from: the same keys for all stores on this ground, limits of the default settings. */
  options: StoreOptions;
  /** The key of `options.keyring`, for another process. */
  key: string;
  /** Opens a store, closed after the test. */
  open(options?: Partial<StoreOptions>): Promise<Store>;
  /** Runs something after the test, while the database is still there. */
  after(close: () => Promise<unknown>): void;
  /** Runs one statement on a connection of its own. `$n` in order; rows come back as they are. */
  query<R = Record<string, unknown>>(text: string, values?: readonly Loose[]): Promise<R[]>;
}

/** Prepares an empty database; everything opened on it is closed after the test. */
export type Prepare = (t: TestContext) => Promise<Ground>;

/** A folder for one test, removed after it. */
export function testFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-store-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A SQLite file. */
export async function sqliteGround(t: TestContext): Promise<Ground> {
  const after = closers(t);
  const address = join(testFolder(t), 'data', 'bellwire.sqlite');
  return ground({
    after,
    engine: 'sqlite',
    address,
    query: async <R>(text: string, values: readonly Loose[] = []) => {
      const db = new DatabaseSync(address, { timeout: 10_000 });
      try {
        const order = [...text.matchAll(/\$(\d+)/g)].map(([, n]) => values[Number(n) - 1] ?? null);
        return db.prepare(text.replace(/\$\d+/g, '?')).all(...order) as R[];
      } finally {
        db.close();
      }
    },
  });
}

/** A database of a real PostgreSQL. */
export async function postgresGround(t: TestContext): Promise<Ground> {
  const after = closers(t);
  return onPostgres(await testDatabase(t), after);
}

/**
 * Schemas of one database of a real PostgreSQL, a schema for each test: making one takes a hundredth of what a database
 * takes. `after` runs when all tests are over.
 */
export function postgresSchemas(after: (close: () => Promise<void>) => void): Prepare {
  let database: Promise<string> | null = null;
  let schemas = 0;
  return async (t) => {
    database ??= testDatabase({ after });
    const address = new URL(await database);
    const name = `schema_${++schemas}`;
    await onPostgres(address.href, () => undefined).query(`CREATE SCHEMA ${name}`);
    address.searchParams.set('options', `-csearch_path=${name}`);
    return onPostgres(address.href, closers(t));
  };
}

/** A suite of the same tests on each engine; on PostgreSQL it is skipped, with the reason, where there is none. */
export function onEachEngine(name: string, exercise: (engine: Ground['engine'], prepare: Prepare) => void): void {
  suite(`${name} on SQLite`, () => exercise('sqlite', sqliteGround));
  suite(`${name} on PostgreSQL`, { skip: withoutPostgres }, () => {
    const closers: (() => Promise<void>)[] = [];
    after(async () => {
      for (const close of closers) await close();
    });
    exercise(
      'postgres',
      postgresSchemas((close) => void closers.push(close)),
    );
  });
}

function onPostgres(address: string, after: Ground['after']): Ground {
  return ground({
    after,
    engine: 'postgres',
    address,
    query: async <R>(text: string, values: readonly Loose[] = []) => {
      const client = new pg.Client({ connectionString: address });
      await client.connect();
      try {
        return (await client.query(text, [...values])).rows as R[];
      } finally {
        await client.end();
      }
    },
  });
}

// The hooks of a test run in order: what stands on a database is closed before the database goes.
function closers(t: TestContext): Ground['after'] {
  const all: (() => Promise<unknown>)[] = [];
  t.after(async () => {
    for (const close of all.toReversed()) await close();
  });
  return (close) => void all.push(close);
}

let nodes = 0;

function ground(bare: Omit<Ground, 'open' | 'options' | 'key'>): Ground {
  const key = makeKey();
  const options: StoreOptions = {
    address: bare.address,
    keyring: openKeyring({ keys: [key] }),
    node: '',
    limits: { fanout: 1000, group: 1000 },
    connections: 6,
    onError: () => undefined,
  };
  return {
    ...bare,
    options,
    key,
    open: async (over = {}) => {
      const store = await openStore({ ...options, node: `node-${process.pid}-${++nodes}`, ...over });
      bare.after(() => store.close());
      return store;
    },
  };
}
