// A grown installation moves without loss: the frozen one, from each engine to the other, by copy and by backup and restore.
// It has pending, held, dead and leased deliveries, lines, batches, operations under way, runs that wait, work and were
// interrupted, scenarios with requests and steps, sheets and drafts.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openKeyring } from '../server/src/store/keyring.ts';
import { checkBackup, copyStore, restoreBackup, takeBackup } from '../server/src/store/moving/index.ts';
import { freshNumber } from '../server/src/store/moving/fresh-numbers.ts';
import { MADE_ANEW } from '../server/src/store/moving/tables.ts';
import { withoutPostgres } from './kit/postgres.ts';
import { addressOf, countRows, runOn } from './stores/dump.ts';
import { frozenReleases } from './stores/frozen.ts';
import { emptyPlace, goesOn, unpacked } from './stores/goes-on.ts';
import { KEY, type Place } from './stores/installation.ts';
import { settled } from './stores/settled.ts';

const facts = frozenReleases().at(-1)!;
const wish = { now: Date.now, release: '0.0.0-test' };

function withoutOthers(tables: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(tables).filter(([name]) => !(name in MADE_ANEW)));
}

async function carriedRows(place: Place): Promise<Record<string, number>> {
  return withoutOthers(await countRows(place));
}

async function heads(place: Place): Promise<number[]> {
  return (await runOn<{ head: unknown }>(place, 'SELECT head FROM workspaces ORDER BY workspace')).map(({ head }) =>
    Number(head),
  );
}

test(
  'a grown installation moves from SQLite to PostgreSQL without loss, and goes on',
  { skip: withoutPostgres },
  async (t) => {
    const from = await unpacked(t, facts, 'sqlite');
    const of = facts.engines.sqlite!;
    const to = await emptyPlace(t, of, 'postgres');
    const moved = await copyStore(addressOf(from), { to: addressOf(to), whileRunning: false, ...wish });
    assert.deepEqual(moved.strangers, []);
    assert.deepEqual(await carriedRows(to), withoutOthers(of.tables));
    assert.deepEqual(await heads(to), await heads(from), 'of a store that stood still no number is left out');
    const { survey, pending } = await settled(to, of.frozenAt);
    assert.partialDeepStrictEqual(survey, of.survey);
    assert.deepEqual(pending, of.pending);
    await goesOn(t, to, of);
  },
);

test(
  'a backup of PostgreSQL becomes a store of SQLite without loss, and goes on by fresh numbers',
  { skip: withoutPostgres },
  async (t) => {
    const from = await unpacked(t, facts, 'postgres');
    const of = facts.engines.postgres!;
    const to = await emptyPlace(t, of, 'sqlite');
    const file = join(to.folder, 'monday.backup');
    const taken = await takeBackup(addressOf(from), { file, replaces: false, ...wish });
    const checked = await checkBackup(file);
    assert.deepEqual(checked.tables, taken.tables);
    const begunAt = Date.now();
    await restoreBackup(file, { to: addressOf(to), keyring: () => openKeyring({ keys: [KEY] }), ...wish });
    const { installation, ...rest } = await carriedRows(to);
    const { installation: was, ...others } = withoutOthers(of.tables);
    assert.deepEqual(rest, others);
    assert.equal(installation, was! + 1, 'what copies count from');
    for (const head of await heads(to)) assert.ok(head >= freshNumber(begunAt));
    const { survey, pending } = await settled(to, of.frozenAt);
    assert.partialDeepStrictEqual(survey, of.survey);
    assert.deepEqual(pending, of.pending);
    await goesOn(t, to, of);
  },
);
