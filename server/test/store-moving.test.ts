// Moving a store: every table, every bit, both ways; what is refused; and that no number is ever given twice.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { formatId, deliveryId } from '../src/model/ids.ts';
import { MIGRATIONS } from '../src/store/migrate.ts';
import { makeKey, openKeyring } from '../src/store/keyring.ts';
import { carriedOf, GROUPS, MADE_ANEW } from '../src/store/moving/tables.ts';
import { migrateTarget } from '../src/store/moving/carry.ts';
import { checkBackup, copyStore, MoveRefusal, restoreBackup, takeBackup } from '../src/store/moving/index.ts';
import { readPostgres } from '../src/store/moving/postgres-ends.ts';
import { readSqlite, writeSqlite } from '../src/store/moving/sqlite-ends.ts';
import { LANES, type Store } from '../src/store/index.ts';
import { addFlow, newRun, numberOf } from './flow-furniture.ts';
import { furnish, mustPublish, newEvent, NOON, openOf, someEvents } from './store-furniture.ts';
import { postgresSchemas, sqliteGround, testFolder, type Ground, type Prepare } from './store-ground.ts';

const VICTIM = fileURLToPath(new URL('backup-kill-victim.ts', import.meta.url));
const wish = { now: Date.now, release: '0.0.0-test' };
const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});
const ENGINES: readonly { engine: string; skip: string | false; prepare: Prepare; other: Prepare }[] = [
  { engine: 'sqlite', prepare: sqliteGround },
  { engine: 'postgres', prepare: postgresSchemas((close) => void closers.push(close)) },
].map((one, at, all) => ({ ...one, skip: withoutPostgres, other: all[1 - at]!.prepare }));

function backupIn(t: TestContext): string {
  return join(testFolder(t), 'monday.backup');
}

async function backUp(t: TestContext, { address }: Ground, file = backupIn(t)): Promise<string> {
  await takeBackup(address, { file, replaces: false, ...wish });
  return file;
}

/** Restores it on another ground, whose stores then open by the keys of the first. */
async function restoreOn(
  to: Ground,
  { options: { keyring } }: Ground,
  { file, now = Date.now() }: { file: string; now?: number },
): Promise<void> {
  await restoreBackup(file, { to: to.address, keyring: () => keyring, release: wish.release, now: () => now });
  Object.assign(to.options, { keyring });
}

for (const { engine, skip, prepare, other } of ENGINES) {
  test(`${engine}: each table of the schema is carried, or named with the reason why not`, { skip }, async (t) => {
    const ground = await prepare(t);
    await (await ground.open()).close();
    const source = engine === 'sqlite' ? readSqlite(ground.address) : await readPostgres(ground.address);
    const tables = await source.tables();
    await source.close();
    const { carried, strangers } = carriedOf(tables, tables);
    assert.deepEqual(strangers, []);
    const named = [...carried.map(({ name }) => name), ...Object.keys(MADE_ANEW)].sort();
    assert.deepEqual(tables.map(({ name }) => name).sort(), named);
    assert.deepEqual(carried.map(({ name }) => name).sort(), Object.values(GROUPS).flat().sort(), 'each in one group');
    for (const { name, columns } of carried) {
      for (const { kind } of columns) assert.ok(['int', 'text', 'bytes'].includes(kind), `${name} has ${kind}`);
    }
  });

  test(`${engine}: every value arrives as it was, and strangers stay`, { skip }, async (t) => {
    const [ground, far, back] = [await prepare(t), await other(t), await prepare(t)];
    await (await ground.open()).close();
    await ground.query('CREATE TABLE theirs (at REAL)');
    const text = `'";\\\n\u00e9\u{1F600}\u2028 {} , NULL`;
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    for (const number of ['9223372036854775807', '-9223372036854775808', '9007199254740993']) {
      await ground.query(`INSERT INTO burials (workspace, target, deleted_at) VALUES (1, ${number}, ${number})`);
    }
    for (const [at, value] of [text, ''].entries()) {
      const columns = 'workspace, event, accepted_at, source, id, type, note, trace, envelope';
      const values = [at, value, at === 0 ? text : null, at === 0 ? bytes : new Uint8Array()];
      await ground.query(`INSERT INTO events (${columns}) VALUES (7, $1, 0, 's', $2, 't', $3, NULL, $4)`, values);
    }
    const there = await copyStore(ground.address, { to: far.address, whileRunning: false, ...wish });
    assert.deepEqual(there.strangers, ['theirs']);
    const again = await copyStore(far.address, { to: back.address, whileRunning: false, ...wish });
    assert.deepEqual(again.tables, there.tables, 'counts and digests are those of either engine');
    const rows = 'SELECT CAST(target AS TEXT) AS n FROM burials ORDER BY target';
    assert.deepEqual(await back.query(rows), await ground.query(rows));
    const events = 'SELECT id, note, envelope FROM events ORDER BY event';
    assert.deepEqual(await back.query(events), await ground.query(events));
    assert.deepEqual([...((await far.query<{ envelope: Uint8Array }>(events))[0]?.envelope ?? [])], [...bytes]);
  });

  test(
    `${engine}: R63 after a restore no id comes that was given before, whatever was accepted since the backup`,
    { skip },
    async (t) => {
      const [ground, to] = [await prepare(t), await other(t)];
      const store = await ground.open();
      const { workspace } = await furnish(store);
      const first = await everyId(store, workspace, 'before');
      const file = await backUp(t, ground);
      const lost = await everyId(store, workspace, 'since');
      await store.close();
      await restoreOn(to, ground, { file });
      const restored = await to.open();
      const fresh = await everyId(restored, workspace, 'after');
      const all = [...first, ...lost, ...fresh];
      assert.deepEqual(
        all.filter((id, at) => all.indexOf(id) !== at),
        [],
      );
      // And again, of the same backup: what the first restored store has given does not come either.
      const third = await prepare(t);
      await restoreOn(third, ground, { file, now: Date.now() + 60_000 });
      const last = await everyId(await third.open(), workspace, 'after');
      assert.deepEqual(
        last.filter((id) => all.includes(id)),
        [],
      );
    },
  );

  test(`${engine}: a gap of numbers costs neither a list nor an operation more than a page`, { skip }, async (t) => {
    const [ground, to] = [await prepare(t), await other(t)];
    const store = await ground.open();
    const { workspace, target } = await furnish(store);
    await mustPublish({ store, workspace }, [newEvent('old'), newEvent('rare', { type: 'com.example.rare' })]);
    const file = await backUp(t, ground);
    await store.close();
    await restoreOn(to, ground, { file });
    const restored = await to.open({ listWindow: 10 });
    await mustPublish({ store: restored, workspace }, [newEvent('new'), newEvent('r2', { type: 'com.example.rare' })]);
    for (const order of ['oldest-first', 'newest-first'] as const) {
      const ids: string[] = [];
      let pages = 0;
      for (let cursor: number | null = null, more = true; more; pages++) {
        const page = await restored.log.events({ workspace, order, cursor, limit: 10, type: 'com.example.rare' });
        ids.push(...page.rows.map(({ id }) => id));
        ({ cursor, more } = page);
      }
      assert.deepEqual([ids.sort(), pages < 5], [['r2', 'rare'], true], `${order}: ${pages} pages`);
    }
    const seen: number[] = [];
    for (let cursor: string | null = null, pages = 0; pages < 5; pages++) {
      const page = await restored.log.deliveries({ workspace, webhook: target, cursor, limit: 10 });
      seen.push(...page.rows.map(({ event }) => event));
      cursor = page.next;
      if (cursor === null) break;
    }
    assert.equal(seen.length, 4);
    const kind = { kind: 'recover' as const, since: 0, until: null, type: null, filter: null, pace: 9, note: null };
    const operation = await restored.operations.begin({ ...kind, workspace, webhook: target }, NOON);
    const keys: number[] = [];
    for (let goes = 0, ended = false; !ended; goes++) {
      assert.ok(goes < 5, 'it leaps over what is not there');
      const ahead = await restored.operations.ahead({ operation, limit: 100, now: NOON - 1 });
      keys.push(...ahead.keys.map(({ event }) => event));
      Object.assign(operation, { cursor: ahead.cursor });
      ({ ended } = ahead);
    }
    assert.equal(keys.length, 4);
  });

  test(`${engine}: lanes come free, and no former owner is taken for one`, { skip }, async (t) => {
    const [ground, to] = [await prepare(t), await other(t)];
    const store = await ground.open();
    await store.lanes.take('one', NOON, 60_000);
    const file = await backUp(t, ground);
    await store.lanes.release('one');
    const [since] = await store.lanes.take('two', NOON, 60_000);
    await store.close();
    await restoreOn(to, ground, { file });
    const lanes = await (await to.open()).lanes.take('three', NOON, 60_000);
    assert.deepEqual([lanes.length, lanes.every(({ epoch }) => epoch > since!.epoch)], [64, true]);
  });

  test(`${engine}: a backup shows one instant of a platform that goes on`, { skip }, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await furnish(store);
    await mustPublish(place, someEvents(20, 'first'));
    let goesOn = true;
    const publishing = (async () => {
      for (let n = 0; goesOn; n++) await mustPublish(place, someEvents(20, `${n}-`));
    })();
    const file = await backUp(t, ground);
    goesOn = false;
    await publishing;
    const db = new DatabaseSync(file, { readOnly: true });
    const count = (text: string): unknown => Object.values(db.prepare(text).get()!)[0];
    assert.equal(count('SELECT count(*) FROM events'), count('SELECT count(*) FROM deliveries'));
    assert.equal(count('SELECT count(*) % 20 FROM events'), 0, 'a commit is in it whole, or not at all');
    assert.equal(count('SELECT max(event) <= (SELECT head FROM workspaces) FROM events'), 1);
    db.close();
  });

  test(
    `${engine}: what runs is not copied unless it is said, and then goes on by numbers of its own`,
    { skip },
    async (t) => {
      const [ground, to] = [await prepare(t), await other(t)];
      const store = await ground.open({ node: `one-${engine}` });
      const { workspace } = await furnish(store);
      // As a platform does at once: by these another process sees on PostgreSQL that it runs.
      await store.lanes.take(`one-${engine}`, NOON, 60_000);
      const copying = copyStore(ground.address, { to: to.address, whileRunning: false, ...wish });
      await assert.rejects(copying, /a platform runs on .*: stop it first/);
      await copyStore(ground.address, { to: to.address, whileRunning: true, ...wish });
      Object.assign(to.options, { keyring: ground.options.keyring });
      assert.ok((await (await to.open()).log.head(workspace)) > 1e12);
      await store.close();
      const third = await other(t);
      await copyStore(ground.address, { to: third.address, whileRunning: false, ...wish });
    },
  );

  test(`${engine}: what is not empty is no place for a store, and stays as it is`, { skip }, async (t) => {
    const [ground, full] = [await prepare(t), await other(t)];
    await (await ground.open()).close();
    const { workspace } = await furnish(await full.open());
    const file = await backUp(t, ground);
    await assert.rejects(
      restoreOn(full, ground, { file }),
      /is there already|holds a store already|another process already runs/,
    );
    await assert.rejects(copyStore(ground.address, { to: full.address, whileRunning: false, ...wish }), MoveRefusal);
    assert.equal((await full.query('SELECT workspace FROM workspaces')).length, workspace);
  });

  test(
    `${engine}: a store of a former schema is backed up as it is, and restored as the present one`,
    { skip },
    async (t) => {
      const [ground, to] = [await prepare(t), await other(t)];
      await (await ground.open()).close();
      const newest = MIGRATIONS.length;
      for (const table of ['listeners', 'relays']) await ground.query(`DROP TABLE ${table}`);
      await ground.query(`DELETE FROM migrations WHERE number = ${newest}`);
      const file = await backUp(t, ground);
      const db = new DatabaseSync(file, { readOnly: true });
      assert.equal(db.prepare('SELECT max(number) AS n FROM migrations').get()!['n'], newest - 1);
      db.close();
      await restoreOn(to, ground, { file });
      const [row] = await to.query<{ n: unknown }>('SELECT max(number) AS n FROM migrations');
      assert.equal(Number(row!.n), newest);
      await ground.query(
        `INSERT INTO migrations VALUES (${newest}, 'later', 'x', '9.9.9'), (${newest + 1}, 'still-later', 'x', '9.9.9')`,
      );
      await assert.rejects(backUp(t, ground), /by bellwire 9\.9\.9.*start bellwire 9\.9\.9 or a newer one/);
    },
  );
}

/** One of everything that gets a number, as its id. */
async function everyId(store: Store, workspace: number, name: string): Promise<string[]> {
  const place = { store, workspace };
  const { token } = (await store.settings.workspaces()).find((one) => one.workspace === workspace)!;
  const events = (await mustPublish(place, someEvents(3, name))).map(({ event }) => event);
  const all = (await store.settings.webhooks(workspace)).find((one) => one.name === 'all')!;
  const lane = (await store.lanes.take(name, Date.now(), 60_000)).find((one) => one.lane === all.bucket % LANES)!;
  const key = { workspace, target: all.webhook };
  const members = (await openOf(place, all.webhook)).filter((one) => one.batch === null && events.includes(one.event));
  const { batch } = (await store.log.formBatch({ ...key, members, lane }))!;
  const wishes = { kind: 'replay' as const, since: null, until: null, type: null, filter: null, pace: 1, note: null };
  const operation = await store.operations.begin({ ...wishes, workspace, webhook: all.webhook }, NOON);
  const [oldest] = (await store.log.events({ workspace, order: 'oldest-first', cursor: null, limit: 1 })).rows;
  const { event } = oldest!;
  const cursor = { event: operation.upTo, target: 0, copy: 0 };
  const chunk = { operation, lane, release: [], copy: [event], looked: 1, cursor, ended: true, now: NOON };
  assert.equal((await store.operations.advance(chunk))?.released, 1);
  const copies = (await store.log.deliveries({ workspace, event, cursor: null, limit: 99 })).rows;
  const copy = Math.max(...copies.map((one) => one.copy));
  const flow = await addFlow(place, name);
  const run = numberOf(await store.flows.start(newRun(flow)));
  const sheet = { name: 'Rows', description: '', columns: [], keyColumn: null, place: { kind: 'built-in' as const } };
  const { sheet: rows } = await store.sheets.put(workspace, sheet, NOON);
  const row = { workspace, sheet: rows.sheet, key: name, cells: { A: name }, run: null, now: NOON };
  return [
    ...[...events, operation.operation, flow.flow, run].map((number) => formatId('evt', token, number)),
    formatId('bat', token, all.webhook, batch),
    deliveryId(token, { ...key, event, copy }),
    `row ${(await store.sheets.append(row)).row} of ${rows.sheet}`,
  ];
}

test('what is no whole backup is never restored: cut off, changed, another file, or of other keys', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const place = await furnish(store);
  await mustPublish(place, someEvents(500));
  await store.close();
  const file = await backUp(t, ground);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(!existsSync(`${file}.part`));
  const { size } = statSync(file);
  const broken = join(dirname(file), 'broken.backup');
  const refused = async (words: RegExp): Promise<void> => {
    const to = await sqliteGround(t);
    await assert.rejects(
      restoreOn(to, ground, { file: broken }),
      (error) => error instanceof MoveRefusal && words.test(error.message),
    );
    assert.ok(!existsSync(to.address), 'nothing is left of it');
    await assert.rejects(checkBackup(broken), MoveRefusal);
  };
  for (const length of [size - 4096, Math.floor(size / 2), 100]) {
    copyFileSync(file, broken);
    truncateSync(broken, length);
    await refused(/is cut off|cannot be read|is damaged|not a backup/);
  }
  copyFileSync(file, broken);
  const db = new DatabaseSync(broken);
  db.exec(`UPDATE events SET type = 'com.example.mode' WHERE event = (SELECT max(event) FROM events)`);
  db.close();
  await refused(/the rows of events are not what they should be/);
  for (const change of [
    `UPDATE backup SET value = '[]' WHERE name = 'keys'`,
    `UPDATE backup SET value = 'no json' WHERE name = 'takenAt'`,
    `DELETE FROM backup WHERE name = 'tables'`,
    'ALTER TABLE backup RENAME COLUMN value TO worth',
    `UPDATE migrations SET checksum = 'x' WHERE number = 1`,
  ]) {
    copyFileSync(file, broken);
    const changed = new DatabaseSync(broken);
    changed.exec(change);
    changed.close();
    await refused(/is damaged|is not the one that this bellwire/);
  }
  copyFileSync(ground.address, broken);
  await refused(/is a store, not a backup: bellwire copy/);
  writeFileSync(broken, 'no database');
  await refused(/cannot be read/);
  rmSync(broken);
  mkdirSync(broken);
  await refused(/is not a file/);
  const to = await sqliteGround(t);
  const wrong = openKeyring({ keys: [makeKey()] });
  const keys = restoreBackup(file, { to: to.address, keyring: () => wrong, ...wish });
  await assert.rejects(keys, /need key [0-9a-f]{8}, which .* not here: keys are never in a backup/);
  await assert.rejects(
    restoreOn(to, ground, { file, now: Date.UTC(2026, 0, 2) }),
    /the clock of this machine says 2026-01-02/,
  );
  const served = { ...ground.options, address: file, node: 'one' };
  await assert.rejects(ground.open(served), /is a backup: bellwire restore makes a store of it/);
});

test('the log of a killed platform is never read into the store that takes the place of its file', async (t) => {
  const [ground, to] = [await sqliteGround(t), await sqliteGround(t)];
  const store = await ground.open();
  const place = await furnish(store);
  const file = await backUp(t, ground);
  await mustPublish(place, someEvents(10));
  // As people do after the kill: the file is moved away, and what lies beside it is not seen.
  mkdirSync(dirname(to.address), { recursive: true });
  copyFileSync(`${ground.address}-wal`, `${to.address}-wal`);
  await assert.rejects(restoreOn(to, ground, { file }), /-wal belongs to a former file: move it to where that one is/);
  assert.ok(!existsSync(to.address));
  await assert.rejects(to.open(), /-wal belongs to a file that was moved away: move it to where that one is/);
  // An empty one is what any reader leaves.
  truncateSync(`${to.address}-wal`, 0);
  await restoreOn(to, ground, { file });
  assert.deepEqual(await to.query('SELECT event FROM events'), []);
});

test('a backup takes the place of a backup only, never of a store or of anything else', async (t) => {
  const ground = await sqliteGround(t);
  await furnish(await ground.open());
  const folder = testFolder(t);
  const [text, into] = [join(folder, 'notes.txt'), join(folder, 'a folder')];
  writeFileSync(text, 'dear diary');
  mkdirSync(into);
  for (const file of [ground.address, text, into]) {
    const taking = takeBackup(ground.address, { file, replaces: true, ...wish });
    await assert.rejects(taking, /is not a backup, so none takes its place/);
    assert.ok(!existsSync(`${file}.part`));
  }
  assert.equal(readFileSync(text, 'utf8'), 'dear diary');
  const below = takeBackup(ground.address, { file: join(text, 'x.backup'), replaces: false, ...wish });
  await assert.rejects(below, MoveRefusal);
});

test('what cannot be copied is told by what it is, and nothing is made beside it', async (t) => {
  const [ground, to] = [await sqliteGround(t), await sqliteGround(t)];
  const copying = (from: string): Promise<unknown> => copyStore(from, { to: to.address, whileRunning: false, ...wish });
  await assert.rejects(copying(ground.address), /there is no file/);
  assert.ok(!existsSync(`${ground.address}.lock`));
  const other = join(testFolder(t), 'other.db');
  const db = new DatabaseSync(other);
  db.exec('CREATE TABLE theirs (at REAL)');
  db.close();
  await assert.rejects(copying(other), /is not a store of Bellwire/);
});

test('kill -9 in the middle of a backup leaves the former one, and hinders none', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  await mustPublish(await furnish(store), someEvents(10));
  const file = await backUp(t, ground);
  const before = readFileSync(file);
  const victim = spawn(process.execPath, [VICTIM, ground.address, file, 'webhooks']);
  assert.deepEqual(await once(victim, 'exit'), [null, 'SIGKILL']);
  assert.ok(existsSync(`${file}.part`));
  assert.ok(before.equals(readFileSync(file)));
  await assert.rejects(checkBackup(`${file}.part`), MoveRefusal);
  await takeBackup(ground.address, { file, replaces: true, ...wish });
  assert.ok(!existsSync(`${file}.part`));
  await checkBackup(file);
  await assert.rejects(backUp(t, ground, file), /is there already/);
});

test('a store whose process was killed is backed up with what it had committed', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  await mustPublish(await furnish(store), someEvents(10));
  // As the kill left it: the log beside the file is part of the store.
  const crashed = join(testFolder(t), 'bellwire.db');
  for (const end of ['', '-wal']) copyFileSync(`${ground.address}${end}`, `${crashed}${end}`);
  const file = backupIn(t);
  const { tables } = await takeBackup(crashed, { file, replaces: false, ...wish });
  assert.equal(tables.find(({ table }) => table === 'events')?.rows, 10);
  const part = writeSqlite({ path: join(dirname(file), 'x.db'), isStore: true, replaces: false });
  await migrateTarget(part);
  assert.throws(
    () => writeSqlite({ path: join(dirname(file), 'x.db'), isStore: false, replaces: false }),
    /another process is writing/,
  );
  await part.close();
});
