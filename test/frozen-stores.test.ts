// The stores that released versions left: each opens with the present code, has lost nothing, and goes on where it was.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { openStore } from '../server/src/store/index.ts';
import { openKeyring } from '../server/src/store/keyring.ts';
import { withoutPostgres } from './kit/postgres.ts';
import { addressOf, countRows, runOn } from './stores/dump.ts';
import { engines, fileOf, frozenReleases, STORES } from './stores/frozen.ts';
import { goesOn, unpacked } from './stores/goes-on.ts';
import { KEY, type Place } from './stores/installation.ts';
import { settled } from './stores/settled.ts';

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
