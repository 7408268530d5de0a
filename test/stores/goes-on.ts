// What a store of a release must do wherever it is opened: unpacked, migrated or carried elsewhere, it goes on where it was.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { eventually } from '../kit/handler.ts';
import { testDatabase } from '../kit/postgres.ts';
import { unpack } from './dump.ts';
import { fileOf, type Engine, type EngineFacts, type Facts } from './frozen.ts';
import { startInstallation, type Installation, type Place } from './installation.ts';
import { startOutside, type Outside } from './outside.ts';

const HOUR = 3_600_000;

/** An empty place for a store of an engine, with the admin key of a frozen one; gone after the test. */
export async function emptyPlace(t: TestContext, { adminKey }: EngineFacts, engine: Engine): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-frozen-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'admin-key'), adminKey, { mode: 0o600 });
  return { folder, store: engine === 'sqlite' ? 'sqlite' : await testDatabase(t) };
}

/** Unpacks the store of a release; all of it is gone after the test. */
export async function unpacked(t: TestContext, facts: Facts, engine: Engine): Promise<Place> {
  const place = await emptyPlace(t, facts.engines[engine]!, engine);
  await unpack(fileOf(facts, engine), place);
  return place;
}

/** Three hours later its endpoints are well: what was open arrives under its ids, what waited is done. */
export async function goesOn(t: TestContext, place: Place, of: EngineFacts): Promise<void> {
  const outside = await startOutside();
  t.after(() => outside.stop());
  outside.becomeWell();
  const installation = await startInstallation(place, outside, of.frozenAt + 3 * HOUR - Date.now());
  try {
    await arrives(outside, of);
    await runs(installation, outside);
    await isFinished(installation, outside);
  } finally {
    await installation.platform.stop();
  }
}

async function arrives({ came }: Outside, { pending }: EngineFacts): Promise<void> {
  const ids = Object.values(pending).flat();
  assert.ok(ids.length > 10);
  await eventually(
    'what was open has arrived, under the ids it had',
    () => {
      const arrived = new Set(came.map(({ id }) => id));
      return ids.every((id) => arrived.has(id));
    },
    30_000,
  );
}

async function runs({ client }: Installation, { came }: Outside): Promise<void> {
  for (const [name, count] of [
    ['waiting', 1],
    ['interrupted', 1],
    ['in a queue', 1],
    ['by the clock', 1],
  ] as const) {
    await eventually(
      `${count} run of ${name} has completed`,
      async () => (await client.jobs.runs(name, { state: 'completed' }).all()).length >= count,
      30_000,
    );
  }
  const told = came.find(({ path }) => path === '/job');
  assert.equal(told?.authorization, 'Bearer flow-s3cret');
}

/** What a crash had left is done, secrets open, and it takes new events. */
async function isFinished(installation: Installation, { verified }: Outside): Promise<void> {
  const { client } = installation;
  const other = installation.in('left-behind');
  await eventually('the erasure is done', async () => {
    return (await other.erasures.list().all()).every(({ state }) => state === 'done');
  });
  await eventually('the operation is done', async () => {
    return (await other.operations.list().all()).every(({ state }) => state === 'done');
  });
  await eventually('the large fan-out is expanded', async () => {
    const last = (await other.events.list({ order: 'newest-first' }).all())[0]!;
    return (await other.deliveries.list({ event: last.event, state: 'delivered' }).all()).length === 2;
  });
  const fetched = (await client.webhooks.list().all()).find(({ name }) => name === 'fetched')!;
  const { items } = await client.webhooks.pull(fetched.id, { limit: 100 });
  assert.equal(items.length, 4, 'what was leased, returned or waiting is handed out');
  const order = { id: 'after-the-upgrade', source: '//shop', type: 'com.example.order.created', data: { total: 1 } };
  await client.events.publish(order);
  await eventually('a new event arrives, well signed', () => verified.includes(order.id));
}
