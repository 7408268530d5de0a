// Recovery as it is needed: thousands of deliveries of a webhook are in every state, they are recovered, the platform is
// killed in the middle, and in the end the receiver has exactly what it lacked, under the ids it had.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import pg from 'pg';
import { createClient, type Client } from '../server/src/client/index.ts';
import { deliveryId, parseId } from '../server/src/model/ids.ts';
import { startEndpoint } from './kit/endpoint.ts';
import { eventually } from './kit/handler.ts';
import { startProcess, type PlatformProcess } from './kit/platform-process.ts';
import { testDatabase, withoutPostgres } from './kit/postgres.ts';

const TYPE = 'com.hpe.greenlake.audit-log.v1.logs.created';
const EVENTS = 4000;
const PATH = '/main';
const HOUR = 3_600_000;

type Query = (text: string) => Promise<Record<string, unknown>[]>;

const engines = [
  {
    engine: 'SQLite',
    skip: false as const,
    store: async (_t: TestContext, folder: string) => ({
      store: 'sqlite',
      query: onSqlite(join(folder, 'bellwire.db')),
    }),
  },
  {
    engine: 'PostgreSQL',
    skip: withoutPostgres,
    store: async (t: TestContext) => {
      const store = await testDatabase(t);
      return { store, query: onPostgres(store) };
    },
  },
];

for (const { engine, skip, store: prepare } of engines) {
  test(`R124 recover sends exactly what was not delivered, across kill -9: ${engine}`, { skip }, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bellwire-recover-'));
    const { store, query } = await prepare(t, folder);
    const endpoint = await startEndpoint();
    const start = (): Promise<PlatformProcess> => startProcess({ folder, env: { BELLWIRE_STORE: store } });
    let platform = await start();
    t.after(async () => {
      await platform.kill();
      await endpoint.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    const { id } = await publishHeld(clientOf(platform), endpoint.url + PATH);
    await platform.stop();
    const { since, expected } = await scatter(query, parseId(id)!);

    platform = await start();
    const begun = await clientOf(platform).webhooks.recover(id, { since: new Date(since).toISOString(), pace: 2000 });
    assert.match(begun.note ?? '', /The webhook is paused: what is released is held until it may be sent to\./);
    // What was released goes out while more is being released.
    await clientOf(platform).webhooks.resume(id);
    await eventually('some of it has come', () => endpoint.taken(PATH).events.size > 700);
    await platform.kill();

    platform = await start();
    const done = await eventually('the recovery has ended', async () => {
      const now = await clientOf(platform).operations.get(begun.id);
      return now.state !== 'running' && now;
    });
    assert.deepEqual([done.state, done.progress], ['done', 1]);
    const came = (): Set<string> =>
      new Set([...endpoint.taken(PATH).events.values()].flatMap((ids) => [...ids.keys()]));
    await eventually('all of it has come', () => came().size >= expected.size);
    assert.deepEqual(came(), expected);
    t.diagnostic(`${engine}: ${done.looked} looked at, ${done.released} released, ${expected.size} came`);
  });
}

function clientOf({ url, adminKey }: PlatformProcess): Client {
  return createClient({ url, key: adminKey });
}

async function publishHeld(client: Client, url: string): Promise<{ id: string }> {
  const webhook = await client.webhooks.create({ name: 'main', url, verification: 'none' });
  const { id } = await client.subscriptions.create({ webhook: webhook.id, type: TYPE });
  await client.webhooks.pause(webhook.id);
  for (let from = 0; from < EVENTS; from += 500) {
    const some = Array.from({ length: 500 }, (_, i) => ({
      id: `e${from + i}`,
      source: '/tests',
      type: TYPE,
      data: {},
    }));
    await client.events.publish(some);
  }
  // What it should have got it should get, whatever became of the subscription.
  await client.subscriptions.delete(id);
  return webhook;
}

// Puts each fifth into a state of its own: delivered; dead after tries; dead unseen; waiting for its next try; due and
// never tried. Four tenths of the events are from before the instant. Resolves the ids that are to come: what
// is open comes in any case, for a webhook that is resumed is sent all that waits.
async function scatter(query: Query, { token }: { token: string }): Promise<{ since: number; expected: Set<string> }> {
  const since = Date.now() - HOUR;
  const set = (rest: number, columns: string) => query(`UPDATE deliveries SET ${columns} WHERE event % 5 = ${rest}`);
  await query(`UPDATE events SET accepted_at = ${since - 1} WHERE event % 10 < 4`);
  await query(`UPDATE deliveries SET created_at = ${since - 1} WHERE event % 10 < 4`);
  await set(0, `state = 1, tries = 1, attempts = 1, ended_at = ${since}`);
  await set(1, `state = 2, tries = 3, attempts = 3, first_try_at = 1, ended_at = ${since}, reason = 'answered 500'`);
  await set(2, `state = 2, ended_at = ${since}, reason = 'expired before it could be delivered'`);
  await set(3, `tries = 2, attempts = 2, due_at = ${Date.now() + 10 * HOUR}`);
  const rows = await query(
    `SELECT workspace, event, target, copy FROM deliveries
     WHERE (event % 10 >= 4 AND state <> 1) OR state = 0`,
  );
  const key = (row: Record<string, unknown>, name: string): number => Number(row[name]);
  const ids = rows.map((row) =>
    deliveryId(token, {
      workspace: key(row, 'workspace'),
      event: key(row, 'event'),
      target: key(row, 'target'),
      copy: key(row, 'copy'),
    }),
  );
  return { since, expected: new Set(ids) };
}

function onSqlite(file: string): Query {
  return async (text) => {
    const db = new DatabaseSync(file);
    try {
      return db.prepare(text).all();
    } finally {
      db.close();
    }
  };
}

function onPostgres(address: string): Query {
  return async (text) => {
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    try {
      return (await client.query(text)).rows as Record<string, unknown>[];
    } finally {
      await client.end();
    }
  };
}
