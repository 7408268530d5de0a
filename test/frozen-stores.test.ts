// The stores that released versions left: each opens with the present code, has lost nothing, and goes on where it was.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openStore } from '../server/src/store/index.ts';
import { openKeyring } from '../server/src/store/keyring.ts';
import { eventually } from './kit/handler.ts';
import { testDatabase, withoutPostgres } from './kit/postgres.ts';
import { addressOf, countRows, runOn, unpack } from './stores/dump.ts';
import { engines, fileOf, frozenReleases, STORES, type Engine, type EngineFacts, type Facts } from './stores/frozen.ts';
import { KEY, startInstallation, type Installation, type Place } from './stores/installation.ts';
import { startOutside, type Outside } from './stores/outside.ts';
import { settled } from './stores/settled.ts';

const HOUR = 3_600_000;

/** Unpacks the store of a release; all of it is gone after the test. */
async function unpacked(t: TestContext, facts: Facts, engine: Engine): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-frozen-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const place = { folder, store: engine === 'sqlite' ? 'sqlite' : await testDatabase(t) };
  await unpack(fileOf(facts, engine), place);
  writeFileSync(join(folder, 'admin-key'), facts.engines[engine]!.adminKey, { mode: 0o600 });
  return place;
}

/** Brings it to the present schema, and starts nothing. */
async function migrated(place: Place): Promise<void> {
  const keyring = openKeyring({ keys: [KEY] });
  const limits = { fanout: 1_000, group: 1_000 };
  const address = addressOf(place);
  await (await openStore({ address, keyring, node: 'one', limits, connections: 3, onError: assert.ifError })).close();
}

const all = frozenReleases();

test('Upgrade: the present release is frozen, and so is every one before it', () => {
  const { version } = JSON.parse(readFileSync('server/package.json', 'utf8')) as { version: string };
  const known = all.map(({ release }) => release);
  assert.ok(known.includes(version), `nothing is frozen of ${version}: npm run freeze, and commit what it made`);
  for (const facts of all) {
    for (const engine of engines) assert.ok(existsSync(fileOf(facts, engine)), `${facts.release} lacks ${engine}`);
  }
  assert.ok(all.every(({ release }) => existsSync(join(STORES, release, 'facts.json'))));
});

for (const facts of all) {
  for (const engine of engines) {
    const skip = engine === 'postgres' && withoutPostgres;
    const of = facts.engines[engine]!;

    test(`Upgrade: the store of ${facts.release} opens, migrates and goes on: ${engine}`, { skip }, async (t) => {
      const place = await unpacked(t, facts, engine);
      assert.deepEqual(await countRows(place), of.tables, 'the fixture is not what its facts say');
      await migrated(place);
      const counts = await countRows(place);
      for (const [table, rows] of Object.entries(of.tables)) {
        assert.ok((counts[table] ?? 0) >= rows, `${table} had ${rows} rows and has ${counts[table] ?? 'gone'}`);
      }
      const applied = await runOn<{ name: string; checksum: string }>(
        place,
        'SELECT name, checksum FROM migrations ORDER BY number',
      );
      const was = applied.slice(0, of.migrations.length).map(({ name, checksum }) => ({ name, checksum }));
      assert.deepEqual(was, of.migrations, 'a released migration was changed');
      const { survey, pending } = await settled(place, of.frozenAt);
      assert.partialDeepStrictEqual(survey, of.survey);
      assert.deepEqual(pending, of.pending);
      await goesOn(t, place, of);
    });
  }
}

/** Three hours later its endpoints are well: what was open arrives under its ids, what waited is done. */
async function goesOn(t: TestContext, place: Place, of: EngineFacts): Promise<void> {
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
