// What only PostgreSQL can do to a store: other nodes beside it, sessions that end, a server that goes and comes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { join, relative } from 'node:path';
import { suite, test } from 'node:test';
import pg from 'pg';
import { eventually } from '../../test/kit/handler.ts';
import { startPostgres, withoutPostgres } from '../../test/kit/postgres.ts';
import { openStore, StoreOutage, type OwnedLane, type RunKey, type StoredEvent } from '../src/store/index.ts';
import { openPostgres } from '../src/store/postgres.ts';
import { claim, endOf, furnishFlows } from './flow-furniture.ts';
import { addScenario, kinds, laneOf, newRequest } from './hook-furniture.ts';
import { about, eraseAll, MARKER } from './store-contract-erasing.ts';
import {
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
import { postgresGround } from './store-ground.ts';

/** Which files below a folder hold a text. */
function filesWith(text: string, folder: string): string[] {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((file) => file.isFile());
  const paths = files.map(({ parentPath, name }) => join(parentPath, name));
  return paths
    .filter((path) => existsSync(path) && readFileSync(path).includes(text))
    .map((path) => relative(folder, path));
}

/** A way to a database that can be cut and mended again. */
interface Way {
  address: string;
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Once: lets this word through and cuts the connection in place of the answer. */
  loseAnswerTo(word: string): void;
}

async function wayTo(address: string): Promise<Way> {
  const real = new URL(address);
  const sockets = new Set<Socket>();
  let losing: string | null = null;
  const there = { port: Number(real.port), host: real.hostname };
  const way = createServer((near) => {
    const far = connect(there);
    near.on('data', (said: Buffer) => {
      if (losing === null || !said.includes(losing)) return;
      losing = null;
      far.unpipe(near);
      far.once('data', () => near.destroy());
      far.resume();
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.pipe(to);
      from.on('error', () => to.destroy());
    }
  });
  const listen = async (port: number): Promise<void> => {
    way.listen(port, '127.0.0.1');
    await once(way, 'listening');
  };
  await listen(0);
  const { port } = way.address() as AddressInfo;
  real.host = `127.0.0.1:${port}`;
  return {
    address: real.href,
    cut: async () => {
      const closed = way.listening ? once(way, 'close') : null;
      way.close();
      for (const socket of sockets) socket.destroy();
      sockets.clear();
      await closed;
    },
    mend: () => listen(port),
    loseAnswerTo: (word) => void (losing = word),
  };
}

const OURS = `pid <> pg_backend_pid() AND datname = current_database() AND application_name = 'bellwire'`;

suite('the store on PostgreSQL alone', { skip: withoutPostgres }, () => {
  test('nodes that start at once on an empty database all come up', async (t) => {
    const ground = await postgresGround(t);
    const stores = await Promise.all(Array.from({ length: 6 }, () => ground.open({ connections: 3 })));
    const made = await Promise.all(
      stores.map((store, i) =>
        store.settings.createWorkspace(
          `w${i}`,
          { eventsPerDay: null, bytesPerDay: null, webhooks: null, subscriptions: null, eventTypes: null },
          NOON,
        ),
      ),
    );
    assert.deepEqual(new Set(made.map(({ workspace }) => workspace)), new Set([1, 2, 3, 4, 5, 6]));
  });

  test('R48 a slow commit holds only its own workspace back, and no reader skips it', async (t) => {
    const ground = await postgresGround(t);
    const [store, other] = [await ground.open(), await ground.open()];
    const slow = await furnish(store, 'slow');
    const fast = await furnish(store, 'fast');
    await mustPublish(slow, [newEvent('first')]);
    const start = await store.log.head(slow.workspace);
    // A node in the middle of an accept: it holds the workspace's row, and has given a number that is not committed.
    const node = new pg.Client({ connectionString: ground.address });
    await node.connect();
    ground.after(() => node.end());
    await node.query('BEGIN');
    await node.query('SELECT head FROM workspaces WHERE workspace = $1 FOR UPDATE', [slow.workspace]);
    await node.query(
      `INSERT INTO events (workspace, event, accepted_at, source, id, type, envelope)
       VALUES ($1, $2, 0, '/tests', 'slow', 'com.example.made', '{}')`,
      [slow.workspace, start + 1],
    );
    await node.query('UPDATE workspaces SET head = $2 WHERE workspace = $1', [slow.workspace, start + 1]);

    const overtaking = publish({ ...slow, store: other }, [newEvent('overtaking')]);
    await mustPublish(fast, someEvents(3));
    const read = async (place: typeof slow, cursor: number): Promise<{ rows: StoredEvent[]; cursor: number }> =>
      store.log.events({ workspace: place.workspace, order: 'oldest-first', cursor, limit: 10 });
    assert.deepEqual((await read(fast, 0)).rows.length, 3);
    const during = await read(slow, start);
    assert.deepEqual(during, { rows: [], cursor: start, more: false });
    await node.query('COMMIT');
    assert.equal((await overtaking).kind, 'accepted');
    const after = await read(slow, during.cursor);
    assert.deepEqual(
      after.rows.map(({ id }) => id),
      ['slow', 'overtaking'],
    );
  });

  test('two nodes that take lanes at once never own the same one', async (t) => {
    const ground = await postgresGround(t);
    const names = ['one', 'two', 'three'];
    const stores = await Promise.all(names.map((node) => ground.open({ node, connections: 2 })));
    for (let round = 0; round < 5; round++) {
      const now = NOON + round * 1000;
      const owned = await Promise.all(stores.map(({ lanes }, i) => lanes.take(names[i]!, now, 1000)));
      const all = owned.flat().map(({ lane }) => lane);
      assert.equal(new Set(all).size, all.length);
      assert.equal(all.length, 64);
      for (const [i, { lanes }] of stores.entries()) if (i === round % 3) await lanes.release(names[i]!);
    }
  });

  test('R103 what one node queues the owner of its lane hears of at once, and what that replied whoever waits for it', async (t) => {
    const ground = await postgresGround(t);
    const near = await furnishFlows(ground);
    const far = await ground.open();
    const flow = await addScenario(near);
    const heard = Promise.withResolvers<readonly number[]>();
    near.store.on({ runs: heard.resolve });
    const { hooks } = far;
    const receipt = await hooks.receive(newRequest(flow, { lane: null }));
    assert.deepEqual([receipt.kind, await heard.promise], ['queued', [laneOf(near, flow).lane]]);
    const replied = Promise.withResolvers<readonly RunKey[]>();
    far.on({ replied: replied.resolve });
    const [run] = await claim(near);
    const reply = { status: 200, headers: [], body: 'done' };
    await near.store.flows.finish({ ...endOf(run!), events: [], reply, lazily: true });
    const [key] = await replied.promise;
    assert.deepEqual(key, { workspace: run!.workspace, run: run!.run });
    assert.deepEqual(await hooks.progress(key), { state: 'completed', reply });
    // So it is when the connection that listens was lost, and is there again.
    await ground.query(
      `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
       AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    const again = Promise.withResolvers<readonly number[]>();
    near.store.on({ runs: again.resolve });
    let isHeard = false;
    void again.promise.then(() => (isHeard = true));
    for (let i = 0; !isHeard; i++) {
      await hooks.receive(newRequest(flow, { dedupe: `later-${i}`, queue: 100_000 })).catch(() => undefined);
    }
  });

  test('R106 the same name at two nodes at once is one run, in the hands of the owner of its lane', async (t) => {
    const ground = await postgresGround(t);
    const near = await furnishFlows(ground);
    const far = await ground.open();
    const flow = await addScenario(near);
    const asked = newRequest(flow, { dedupe: 'evt-1', lane: laneOf(near, flow) });
    const receipts = await Promise.all(
      [near.store, far].flatMap(({ hooks }) => Array.from({ length: 20 }, () => hooks.receive(asked))),
    );
    const numbers = receipts.map((receipt) =>
      receipt.kind === 'begun' ? receipt.run.run : 'run' in receipt && receipt.run,
    );
    assert.equal(new Set(numbers).size, 1);
    assert.deepEqual(kinds(receipts), { begun: 1, known: 39 });
  });

  test('a node whose session is gone loses its lanes at once; one that lives keeps them', async (t) => {
    const ground = await postgresGround(t);
    const former = await ground.open({ node: 'former' });
    const latter = await ground.open({ node: 'latter' });
    const taken = await former.lanes.take('former', NOON, 60_000);
    assert.equal(taken.length, 64);
    assert.deepEqual(await latter.lanes.take('latter', NOON + 1, 60_000), []);
    await former.close();
    // The server notices the end of the connection in its own time, which is soon.
    let moved: OwnedLane[] = [];
    while (moved.length === 0) moved = await latter.lanes.take('latter', NOON + 2, 60_000);
    assert.deepEqual(
      moved,
      taken.map(({ lane, epoch }): OwnedLane => ({ lane, epoch: epoch + 1 })),
    );
  });

  test('a node that was killed loses its lanes at once', async (t) => {
    const ground = await postgresGround(t);
    const latter = await ground.open({ node: 'latter' });
    const holder = spawn(
      process.execPath,
      [new URL('./store-lane-holder.ts', import.meta.url).pathname, ground.address, ground.key],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    t.after(() => holder.kill('SIGKILL'));
    const [said] = (await once(holder.stdout, 'data')) as [Buffer];
    assert.equal(said.toString(), '64 lanes\n');
    assert.deepEqual(await latter.lanes.take('latter', NOON + 1, 60_000), []);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    // The server notices the end of the connection in its own time, which is soon.
    let moved: OwnedLane[] = [];
    while (moved.length === 0) moved = await latter.lanes.take('latter', NOON + 2, 60_000);
    assert.equal(moved.length, 64);
  });

  test('a node that lost all its connections holds its session again', async (t) => {
    const ground = await postgresGround(t);
    const store = await ground.open({ node: 'one' });
    const other = await ground.open({ node: 'two' });
    await store.lanes.take('one', NOON, 60_000);
    const holders = `SELECT l.pid FROM pg_locks l JOIN pg_stat_activity a USING (pid)
                     WHERE l.locktype = 'advisory' AND l.granted AND ${OURS.replaceAll('pid', 'a.pid').replace('pg_backend_a.pid', 'pg_backend_pid')}`;
    assert.equal((await ground.query(holders)).length, 2);
    await ground.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OURS}`);
    while ((await ground.query(holders)).length < 2) await store.check();
    assert.deepEqual(await other.lanes.take('two', NOON + 1, 60_000), []);
    assert.equal((await store.lanes.take('one', NOON + 1, 60_000)).length, 64);
  });

  test('R53 connections that break under load fail what they carried and nothing else', async (t) => {
    const ground = await postgresGround(t);
    const store = await ground.open();
    const place = await furnish(store);
    let broken = 0;
    const known = new Set<string>();
    for (let round = 0; round < 10; round++) {
      const events = someEvents(20, `r${round}-`);
      const publishing = events.map((event) =>
        publish(place, [event]).then(
          () => known.add(event.id),
          () => broken++,
        ),
      );
      await ground.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE ${OURS}`);
      await Promise.all(publishing);
    }
    await mustPublish(place, [newEvent('last')]);
    const open = await openOf(place, place.target);
    const stored = new Set<string>();
    for (const { event } of open) stored.add((await store.log.event(place.workspace, event))!.id);
    // What was acknowledged is there; what was not may be.
    for (const id of known) assert.ok(stored.has(id), id);
    assert.ok(stored.has('last'));
    t.diagnostic(`${broken} of 200 failed`);
  });

  test('transactions that deadlock run again, each with a fresh start', async (t) => {
    const ground = await postgresGround(t);
    const limits = { connections: 4, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000 };
    const sql = openPostgres(ground.address, { ...limits, onError: () => undefined });
    ground.after(() => sql.close());
    await sql.write((tx) => tx.run('CREATE TABLE pair (n BIGINT PRIMARY KEY, seen BIGINT NOT NULL)'));
    await sql.write((tx) => tx.run('INSERT INTO pair VALUES (1, 0), (2, 0)'));
    let runs = 0;
    let both: () => void = () => undefined;
    const bothHold = new Promise<void>((done) => (both = done));
    const see = (order: number[]): Promise<void> =>
      sql.write(async (tx) => {
        const [first, second] = order as [number, number];
        await tx.run('UPDATE pair SET seen = seen + 1 WHERE n = $1', [first]);
        if (++runs === 2) both();
        await bothHold;
        await tx.run('UPDATE pair SET seen = seen + 1 WHERE n = $1', [second]);
      });
    await Promise.all([see([1, 2]), see([2, 1])]);
    assert.equal(runs, 3);
    const rows = await sql.read<{ seen: number }>('SELECT seen FROM pair');
    assert.deepEqual(
      rows.map(({ seen }) => seen),
      [2, 2],
    );
  });

  test('a transaction that collides again and again is given up as an outage: it may be sent again', async (t) => {
    const ground = await postgresGround(t);
    const limits = { connections: 4, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000 };
    const sql = openPostgres(ground.address, { ...limits, onError: () => undefined });
    ground.after(() => sql.close());
    let runs = 0;
    const collide = sql.write(async (tx) => {
      runs++;
      await tx.run(`DO $$ BEGIN RAISE serialization_failure; END $$`);
    });
    await assert.rejects(collide, (error: StoreOutage) => error instanceof StoreOutage && error.undone);
    assert.equal(runs, 5);
  });

  test('R53 when the answer to a COMMIT is lost, nobody says that nothing was done', async (t) => {
    const ground = await postgresGround(t);
    const way = await wayTo(ground.address);
    ground.after(() => way.cut());
    const store = await openStore({ ...ground.options, address: way.address, node: 'one' });
    ground.after(() => store.close());
    const place = await furnish(store);
    way.loseAnswerTo('COMMIT');
    const lost = await publish(place, [newEvent('lost')]).catch((error: unknown) => error);
    assert.ok(lost instanceof StoreOutage, String(lost));
    assert.equal(lost.undone, false);
    const [again] = await mustPublish(place, [newEvent('lost')]);
    assert.equal(again!.duplicate, true);
  });

  test('a transaction that froze is ended by the server, its error is said, the next one works', async (t) => {
    const ground = await postgresGround(t);
    const store = await ground.open();
    const place = await furnish(store);
    const blocker = new pg.Client({ connectionString: ground.address });
    await blocker.connect();
    ground.after(() => blocker.end());
    await blocker.query('BEGIN');
    await blocker.query('SELECT head FROM workspaces WHERE workspace = $1 FOR UPDATE', [place.workspace]);
    const refused = assert.rejects(
      publish(place, [newEvent('a')]),
      /^StoreOutage: PostgreSQL at .* terminating connection/,
    );
    const waiters = `SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ${OURS}`;
    while ((await ground.query(waiters)).length === 0);
    await ground.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND ${OURS}`,
    );
    await refused;
    await blocker.query('ROLLBACK');
    assert.equal((await mustPublish(place, [newEvent('a')]))[0]!.duplicate, false);
  });

  test('R53 an outage refuses in words, and is over when it is over', async (t) => {
    const ground = await postgresGround(t);
    const way = await wayTo(ground.address);
    ground.after(() => way.cut());
    const store = await openStore({ ...ground.options, address: way.address, node: 'one' });
    ground.after(() => store.close());
    const place = await furnish(store);
    await mustPublish(place, [newEvent('before')]);
    await way.cut();
    for (let i = 0; i < 3; i++) {
      await assert.rejects(publish(place, [newEvent('during')]), /^StoreOutage: PostgreSQL at 127\.0\.0\.1:\d+ /);
      await assert.rejects(store.check(), /^StoreOutage: PostgreSQL at 127\.0\.0\.1:\d+ /);
    }
    await way.mend();
    await store.check();
    const [again] = await mustPublish(place, [newEvent('during')]);
    assert.equal(again!.duplicate, false);
    assert.equal((await openOf(place, place.target)).length, 2);
  });

  test('R53 a server that crashes and recovers loses nothing acknowledged, and the store goes on', async (t) => {
    const ground = await postgresGround(t);
    const server = await startPostgres({ fsync: true });
    ground.after(() => server.stop());
    const store = await openStore({ ...ground.options, address: await server.createDatabase(), node: 'one' });
    ground.after(() => store.close());
    const place = await furnish(store);
    const known: string[] = [];
    const publishing = someEvents(60).map((event) =>
      publish(place, [event]).then(
        () => known.push(event.id),
        () => 0,
      ),
    );
    // One server process killed takes all connections with it: PostgreSQL recovers from its log, as after a power cut.
    const [victim] = (await server.admin(
      `SELECT pid FROM pg_stat_activity WHERE application_name = 'bellwire' LIMIT 1`,
    )) as [{ pid: number }];
    process.kill(victim.pid, 'SIGKILL');
    await Promise.all(publishing);
    // Until it has begun to recover it takes what comes, and nobody could tell `after` from before.
    const living = () => server.admin('SELECT pid FROM pg_stat_activity WHERE pid = $1', [victim.pid]);
    const isGone = async (): Promise<boolean> => (await living().catch(() => [victim])).length === 0;
    await eventually('the killed process is out of the books', isGone, 60_000);
    while (!known.includes('after'))
      await publish(place, [newEvent('after')]).then(
        () => known.push('after'),
        () => 0,
      );
    const { rows } = await store.log.events({
      workspace: place.workspace,
      order: 'oldest-first',
      cursor: null,
      limit: 100,
    });
    const stored = new Set(rows.map(({ id }) => id));
    assert.deepEqual(
      known.filter((id) => !stored.has(id)),
      [],
    );
    assert.equal((await openOf(place, place.target)).length, stored.size);
  });

  test('what is erased stands in no file of PostgreSQL where tables may be rewritten: no table, no statistics, no log', async (t) => {
    const ground = await postgresGround(t);
    const server = await startPostgres({ settings: { wal_recycle: 'off', full_page_writes: 'on' } });
    ground.after(() => server.stop());
    const address = await server.createDatabase();
    const store = await openStore({ ...ground.options, address, node: 'one', rewritesErased: true });
    ground.after(() => store.close());
    const place = await furnish(store);
    for (let i = 0; i < 10; i++) {
      const events = Array.from({ length: 20 }, (_, n) =>
        n % 3 ? about(`e${i}-${n}`, MARKER, { size: (n * 977) % 9000 }) : newEvent(`e${i}-${n}`),
      );
      await mustPublish(place, events);
    }
    const response = Buffer.from(MARKER.repeat(500));
    const settlements = (await openOf(place, place.target)).slice(0, 100).map((one) => {
      const settlement = settlementOf(one);
      const isTheirs = Buffer.from(one.carried.envelope).includes(MARKER);
      return isTheirs ? { ...settlement, attempt: { ...settlement.attempt, response, error: MARKER } } : settlement;
    });
    await settle(store, ...settlements);
    const client = new pg.Client({ connectionString: address });
    await client.connect();
    await client.query('ANALYZE; CHECKPOINT');
    await client.end();
    const [{ data_directory: data }] = (await server.admin('SHOW data_directory')) as [{ data_directory: string }];
    const before = filesWith(MARKER, data);
    assert.ok(before.some((file) => file.startsWith('base')) && before.some((file) => file.startsWith('pg_wal')));
    await store.erasures.begin({ workspace: place.workspace, subject: MARKER }, NOON);
    await eraseAll(store);
    assert.deepEqual(filesWith(MARKER, data), []);
    await mustPublish(place, [newEvent('after')]);
  });

  test('a database that does not answer, is not there or refuses is told in words, without the password', async (t) => {
    const ground = await postgresGround(t);
    const wrong = (change: (url: URL) => void): string => {
      const url = new URL(ground.address);
      change(url);
      return url.href;
    };
    const faults: [string, RegExp][] = [
      [wrong((url) => (url.port = '1')), /^PostgreSQL at 127\.0\.0\.1:1 does not answer: .*ECONNREFUSED/],
      [wrong((url) => (url.pathname = '/nowhere')), /^PostgreSQL .*database "nowhere" does not exist/],
      [wrong((url) => (url.password = 'not-the-password')), /^PostgreSQL .*password authentication failed/],
      [
        wrong((url) => (url.hostname = 'nowhere.invalid')),
        /^PostgreSQL at nowhere\.invalid:\d+ does not answer: .*ENOTFOUND|EAI_AGAIN/,
      ],
    ];
    for (const [address, words] of faults) {
      await assert.rejects(openStore({ ...ground.options, address, node: 'one' }), (error: Error) => {
        assert.match(error.message, words);
        assert.ok(!error.message.includes(new URL(address).password), 'the password is in the message');
        return true;
      });
    }
  });

  test('a user who may not write is told so in words', async (t) => {
    const ground = await postgresGround(t);
    await ground.query(`CREATE ROLE reader_${process.pid} LOGIN PASSWORD 'r' NOSUPERUSER`);
    ground.after(() => ground.query(`DROP ROLE reader_${process.pid}`));
    const url = new URL(ground.address);
    Object.assign(url, { username: `reader_${process.pid}`, password: 'r' });
    await assert.rejects(
      openStore({ ...ground.options, address: url.href, node: 'one' }),
      /permission denied for schema public/,
    );
  });
});
