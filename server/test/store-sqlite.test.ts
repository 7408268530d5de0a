// What only SQLite can do to a store: one file, one process, one connection that writes.
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { StoreOutage } from '../src/store/index.ts';
import { openSqlite } from '../src/store/sqlite.ts';
import { about, eraseAll, MARKER } from './store-contract-erasing.ts';
import {
  addWorkspace,
  DAY,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  publish,
  settle,
  settlementOf,
  someEvents,
} from './store-furniture.ts';
import { sqliteGround, testFolder, type Ground } from './store-ground.ts';

/** Another process with the store open; resolves when it has. */
async function holder(t: TestContext, { address, key }: Ground): Promise<ChildProcess> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'store-lane-holder.ts'), address, key], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  assert.equal(String((await once(child.stdout, 'data'))[0]), '64 lanes\n');
  return child;
}

test('a second process on the same file is refused; kill -9 frees it at once, with what was committed', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const place = await furnish(store);
  await mustPublish(place, someEvents(3));
  await store.close();
  const first = await holder(t, ground);
  await assert.rejects(ground.open(), /another process already runs on .*bellwire\.sqlite: stop it first/);
  first.kill('SIGKILL');
  await once(first, 'exit');
  const again = await ground.open();
  assert.equal((await openOf({ ...place, store: again }, place.target)).length, 3);
  const lanes = await again.lanes.take('again', NOON + 1, 1000);
  assert.equal(lanes.length, 64, 'a process that is gone holds no lane');
});

test('a second store in the same process is refused, too', async (t) => {
  const ground = await sqliteGround(t);
  await ground.open();
  await assert.rejects(ground.open(), /another process already runs on/);
});

// Root may write anywhere: as root, the test steps down for a moment.
function asNobody<T>(work: () => T): T {
  if (process.getuid?.() !== 0) return work();
  process.seteuid!(65_534);
  try {
    return work();
  } finally {
    process.seteuid!(0);
  }
}

test('a place that cannot be written is said in words, with its name', { skip: process.platform === 'win32' }, (t) => {
  const folder = testFolder(t);
  chmodSync(folder, 0o755);
  const refused = (file: string, words: RegExp): void => assert.throws(() => asNobody(() => openSqlite(file)), words);
  const locked = join(folder, 'locked');
  mkdirSync(locked, { mode: 0o555 });
  refused(join(locked, 'new', 'b.sqlite'), /^Error: cannot make the data folder .*locked\/new: EACCES/);
  refused(join(locked, 'b.sqlite'), /^Error: cannot make .*b\.sqlite\.lock: /);
  writeFileSync(join(folder, 'file'), '');
  refused(
    join(folder, 'file', 'b.sqlite'),
    /^Error: cannot make the data folder .*\/file: there is a file of that name/,
  );
  // Where Node's own recursive mkdir never comes back.
  if (process.platform === 'linux') {
    refused('/proc/bellwire/b.sqlite', /^Error: cannot make the data folder \/proc\/bellwire: ENOENT/);
  }
  const open = join(folder, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  writeFileSync(join(open, 'readonly.sqlite'), '', { mode: 0o444 });
  refused(join(open, 'readonly.sqlite'), /^Error: cannot open .*readonly\.sqlite: EACCES/);
  writeFileSync(
    join(open, 'text.sqlite'),
    'not a database at all, but long enough to be read as the head of one'.repeat(20),
  );
  chmodSync(join(open, 'text.sqlite'), 0o666);
  refused(join(open, 'text.sqlite'), /^Error: cannot open .*text\.sqlite: file is not a database/);
  // What was refused holds no lock.
  refused(join(open, 'text.sqlite'), /file is not a database/);
});

test('what it makes can be read by its owner only', { skip: process.platform === 'win32' }, async (t) => {
  const ground = await sqliteGround(t);
  await addWorkspace(await ground.open());
  for (const file of ['', '-wal', '-shm'].map((end) => ground.address + end).filter((file) => existsSync(file))) {
    assert.equal(statSync(file).mode & 0o077, 0, file);
  }
});

test('transactions take turns; one that fails is undone and takes no other one along', async (t) => {
  const sql = openSqlite(join(testFolder(t), 'turns.sqlite'));
  t.after(() => sql.close());
  await sql.write((tx) => tx.run('CREATE TABLE seen (n BIGINT PRIMARY KEY)'));
  const results = await Promise.allSettled(
    Array.from({ length: 20 }, (_, i) =>
      sql.write(
        async (tx) => {
          await tx.run('INSERT INTO seen (n) VALUES ($1)', [i]);
          await new Promise<void>((done) => setImmediate(done));
          const [row] = await tx.all<{ n: number }>('SELECT COUNT(*) AS n FROM seen');
          if (i % 5 === 3) throw new Error('changed its mind');
          if (i % 5 === 4) await tx.run('INSERT INTO seen (n) VALUES (0)');
          return row!.n;
        },
        { synced: i % 2 === 0 },
      ),
    ),
  );
  const failed = results.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []));
  assert.deepEqual(failed, [3, 4, 8, 9, 13, 14, 18, 19]);
  const rows = await sql.read<{ n: number }>('SELECT n FROM seen ORDER BY n');
  assert.deepEqual(
    rows.map(({ n }) => n),
    Array.from({ length: 20 }, (_, i) => i).filter((i) => i % 5 < 3),
  );
});

test('closing finishes what was begun and refuses what comes after', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const place = await furnish(store);
  const publishing = mustPublish(place, [newEvent('last')]);
  await store.settings.catalog(place.workspace);
  const closing = store.close();
  await publishing;
  await closing;
  await assert.rejects(addWorkspace(store, 'late'), /the store is closed/);
  await assert.rejects(store.check(), /^StoreOutage: the store is closed/);
  const again = await ground.open();
  assert.equal((await openOf({ ...place, store: again }, place.target)).length, 1);
});

test('the bytes of an event are in the file when it is answered', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const place = await furnish(store);
  await mustPublish(place, [newEvent('a', { envelope: Buffer.from('the-bytes-that-were-promised') })]);
  const files = [ground.address, `${ground.address}-wal`].filter((file) => existsSync(file));
  assert.ok(files.some((file) => readFileSync(file).includes('the-bytes-that-were-promised')));
});

/** Rows enough to keep a reader busy for a good while. */
const LONG = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000) SELECT COUNT(*) AS n FROM n`;

test('a long list keeps no short read waiting', async (t) => {
  const sql = openSqlite(join(testFolder(t), 'two.sqlite'));
  t.after(() => sql.close());
  let ended = false;
  const long = sql.scan(LONG).then(
    () => (ended = true),
    () => (ended = true),
  );
  for (let i = 0; i < 20; i++) assert.deepEqual(await sql.read<{ one: number }>('SELECT 1 AS one'), [{ one: 1 }]);
  assert.equal(ended, false);
  await sql.close();
  await long;
});

test('a reader that dies fails what it was asked as an outage, and another one takes its place', async (t) => {
  const threads: Worker[] = [];
  const note = (thread: Worker): void => void threads.push(thread);
  process.on('worker', note);
  t.after(() => process.off('worker', note));
  const sql = openSqlite(join(testFolder(t), 'mortal.sqlite'));
  t.after(() => sql.close());
  await Promise.all([sql.read('SELECT 1 AS one'), sql.scan('SELECT 1 AS one')]);
  assert.equal(threads.length, 2);
  const waiting = assert.rejects(sql.scan(LONG), /^StoreOutage: the reader of the store has ended/);
  for (const thread of threads.slice()) await thread.terminate();
  await waiting;
  // It may have died young, and then is not followed at once; nothing is asked of the dead meanwhile.
  const again = async (): Promise<unknown> => {
    for (;;) {
      try {
        return await sql.read('SELECT 1 AS one');
      } catch (error) {
        assert.ok(error instanceof StoreOutage);
        await new Promise<void>((done) => setImmediate(done));
      }
    }
  };
  assert.deepEqual(await again(), [{ one: 1 }]);
  assert.deepEqual(await sql.scan('SELECT 2 AS two'), [{ two: 2 }]);
  assert.equal(threads.length, 4);
});

/** A disk of this size, or why there is none. */
function smallDisk(t: TestContext, size: string): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return null;
  const folder = testFolder(t);
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'bellwire', folder], { stdio: 'ignore' });
  } catch {
    return null;
  }
  return folder;
}

test('R53 a full disk refuses publishes as an outage, harms nothing, and all goes on when there is room', async (t) => {
  // First, so that its stores are closed before the disk goes.
  const ground = await sqliteGround(t);
  const disk = smallDisk(t, '2m');
  if (disk === null) return t.skip('only root may make a small disk, on Linux');
  const address = join(disk, 'bellwire.sqlite');
  const store = await ground.open({ address });
  const place = await furnish(store);
  ground.after(async () => execFileSync('umount', [disk]));
  ground.after(() => store.close());
  const ballast = join(disk, 'ballast');
  writeFileSync(ballast, Buffer.alloc(600_000));
  const known: string[] = [];
  let refused = 0;
  for (let i = 0; refused < 5; i++) {
    assert.ok(i < 100, 'the disk never fills');
    try {
      const events = someEvents(20, `full${i}-`, { envelope: Buffer.alloc(2000, 'x') });
      await mustPublish(place, events);
      known.push(...events.map(({ id }) => id));
    } catch (error) {
      assert.ok(error instanceof StoreOutage, String(error));
      assert.match(error.message, /bellwire\.sqlite cannot be used: database or disk is full/);
      assert.equal(error.undone, true);
      refused++;
    }
  }
  assert.ok(known.length > 0);
  const before = await openOf(place, place.target);
  assert.equal(before.length, known.length);
  rmSync(ballast);
  await mustPublish(place, [newEvent('after')]);
  assert.equal((await publish(place, [newEvent('after')])).kind, 'accepted');
  assert.equal((await openOf(place, place.target)).length, known.length + 1);
  await store.close();
  const file = new DatabaseSync(address);
  assert.equal(file.prepare('PRAGMA integrity_check').get()!['integrity_check'], 'ok');
  file.close();
});

test('what is erased stands in no file any more: not in free pages, not in the log', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const place = await furnish(store);
  for (let i = 0; i < 20; i++) {
    const events = Array.from({ length: 20 }, (_, n) =>
      about(`e${i}-${n}`, n % 3 ? MARKER : 'x', { size: (n * 977) % 9000 }),
    );
    await mustPublish(
      place,
      events.map((event, n) => (n % 3 ? event : newEvent(event.id))),
    );
  }
  const open = await openOf(place, place.target);
  const response = Buffer.from(MARKER.repeat(500));
  const answered = open.slice(0, 200).map((one) => {
    const settlement = settlementOf(one);
    const isTheirs = Buffer.from(one.carried.envelope).includes(MARKER);
    return isTheirs ? { ...settlement, attempt: { ...settlement.attempt, response } } : settlement;
  });
  await settle(store, ...answered);
  // Retention has taken some away before: their bytes are in pages that nothing uses.
  const span = { eventsMs: 900 * DAY, deliveriesMs: 1000, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
  await store.log.prune(span, NOON + DAY, 60);
  const stands = (): string[] =>
    ['', '-wal']
      .map((end) => ground.address + end)
      .filter((file) => existsSync(file) && readFileSync(file).includes(MARKER));
  assert.notDeepEqual(stands(), []);
  await store.erasures.begin({ workspace: place.workspace, subject: MARKER }, NOON);
  await eraseAll(store);
  assert.deepEqual(stands(), []);
  await mustPublish(place, [newEvent('after')]);
});

test('the file shrinks in small steps where much of it is free, and is used again where little is', async (t) => {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const place = await furnish(store);
  const envelope = Buffer.alloc(8000, 'x');
  for (let i = 0; i < 60; i++) await mustPublish(place, someEvents(100, `e${i}-`, { envelope, type: 'org.nobody' }));
  const span = { eventsMs: 1000, deliveriesMs: 1000, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
  assert.equal(await store.log.shrink(), false, 'nothing is free');
  while ((await store.log.prune(span, NOON + DAY, 2000)) > 0);
  const pages = async (): Promise<number> =>
    (await ground.query<{ page_count: number }>('PRAGMA page_count'))[0]!.page_count;
  const before = await pages();
  assert.equal(await store.log.shrink(), true);
  const after = await pages();
  assert.ok(after < before && after > before - 200, `${before} pages, then ${after}`);
  while (await store.log.shrink());
  assert.ok((await pages()) < before / 2);
  await mustPublish(place, [newEvent('after')]);
});
