// Upgrades that do not go well: a process that is killed in the middle of a migration, a store that is newer than the
// program, or that another program made.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { addressOf, countRows, runOn } from '../../test/stores/dump.ts';
import { engines, frozenReleases, type Engine } from '../../test/stores/frozen.ts';
import { unpacked } from '../../test/stores/goes-on.ts';
import { KEY, type Place } from '../../test/stores/installation.ts';
import { openStore } from '../src/store/index.ts';
import { openKeyring } from '../src/store/keyring.ts';
import { SCHEMA_VERSION } from '../src/store/migrate.ts';
import { bellwire, type Ended } from './cli-ground.ts';
import { STATEMENTS } from './store-migration-victim.ts';

const victim = join(import.meta.dirname, 'store-migration-victim.ts');

function skipOf(engine: Engine): string | false {
  return engine === 'postgres' && withoutPostgres;
}

async function open(place: Place): Promise<void> {
  const limits = { fanout: 1_000, group: 1_000 };
  const keyring = openKeyring({ keys: [KEY] });
  const options = { address: addressOf(place), keyring, node: 'one', limits, connections: 3 };
  await (await openStore({ ...options, onError: () => undefined })).close();
}

for (const engine of engines) {
  const facts = frozenReleases().at(-1)!;

  test(
    `Upgrade: kill -9 in the middle of a migration leaves the former schema: ${engine}`,
    { skip: skipOf(engine) },
    async (t) => {
      const place = await unpacked(t, facts, engine);
      await open(place);
      const before = await countRows(place);
      const die = (at: number): string | null =>
        spawnSync(process.execPath, [victim, addressOf(place), String(at)]).signal;
      for (const at of [0, 2, STATEMENTS - 1, STATEMENTS]) {
        assert.equal(die(at), 'SIGKILL', `it dies before statement ${at}`);
        assert.deepEqual(await countRows(place), before, `killed before statement ${at}`);
        await assert.rejects(runOn(place, 'SELECT later FROM webhooks'), /later/);
      }
      await open(place);
      assert.equal(die(STATEMENTS + 1), null, 'nobody kills it');
      const webhooks = await runOn<{ name: string; later: string }>(place, 'SELECT name, later FROM webhooks');
      assert.ok(webhooks.length > 10 && webhooks.every(({ name, later }) => name === later));
      await assert.rejects(open(place), /which knows schemas up to/);
    },
  );

  test(
    `Upgrade: serve and doctor refuse a newer or a changed store in a sentence, and write nothing: ${engine}`,
    { skip: skipOf(engine) },
    async (t) => {
      const place = await unpacked(t, facts, engine);
      await open(place);
      const run = (command: string): Promise<Ended> =>
        bellwire(
          [command, '--data', place.folder, '--store', place.store, ...(command === 'serve' ? ['--port', '0'] : [])],
          {
            folder: place.folder,
            env: { BELLWIRE_SECRETS_KEYS: KEY },
          },
        );
      const newer = SCHEMA_VERSION + 1;
      await runOn(
        place,
        `INSERT INTO migrations (number, name, checksum, release) VALUES (${newer}, '0-later', 'x', '9.1.0')`,
      );
      const before = await stateOf(place);
      const refused = await run('serve');
      assert.equal(refused.code, 1);
      const words = `this store is at schema ${newer} by bellwire 9.1.0, and this is bellwire ${facts.release}, which knows schemas up to ${SCHEMA_VERSION}: start bellwire 9.1.0 or a newer one; nothing was changed`;
      assert.ok(refused.stderr.includes(`bellwire: ${words}\n`), refused.stderr);
      const doctor = await run('doctor');
      assert.equal(doctor.code, 1);
      assert.ok(doctor.stdout.replaceAll(/\s+/g, ' ').includes(words), doctor.stdout);
      assert.deepEqual(await stateOf(place), before);

      await runOn(place, `DELETE FROM migrations WHERE number = ${newer}`);
      await runOn(place, `UPDATE migrations SET checksum = 'x' WHERE number = 2`);
      const changed = await stateOf(place);
      const other = await run('serve');
      assert.equal(other.code, 1);
      assert.match(
        other.stderr,
        /bellwire: migration 2 of this store \(002-flows, by bellwire \S+\) is not the one that this bellwire/,
      );
      assert.deepEqual(await stateOf(place), changed);
    },
  );
}

/** The bytes of the file, or the rows of the database; and what stands beside the store. */
async function stateOf(place: Place): Promise<unknown> {
  const beside = readdirSync(place.folder).filter((name) => !name.includes('.db'));
  if (place.store !== 'sqlite') return [beside, await countRows(place)];
  return [
    beside,
    createHash('sha256')
      .update(readFileSync(addressOf(place)))
      .digest('hex'),
  ];
}
