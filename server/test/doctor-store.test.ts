// The checks of a store, on both engines: each finds the damage that was done for it, and nothing in an installation that
// is busy: with open, held, dead and leased deliveries, batches, runs under way and waiting.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, truncateSync, writeFileSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test, type TestContext } from 'node:test';
import { testDatabase, withoutPostgres } from '../../test/kit/postgres.ts';
import { addressOf, runOn, unpack } from '../../test/stores/dump.ts';
import { fileOf, frozenReleases, type Engine } from '../../test/stores/frozen.ts';
import { KEY, type Place } from '../../test/stores/installation.ts';
import { CONTENT_CHECKS, ENGINE_CHECKS, findingsOf, openLooking, type StoreGround } from '../src/store/checks/index.ts';
import { openStore } from '../src/store/index.ts';
import { makeKey, openKeyring } from '../src/store/keyring.ts';
import { issueCertificate } from './certificates.ts';

const HOUR = 3_600_000;
const STORE_CHECKS = [...ENGINE_CHECKS, ...CONTENT_CHECKS];

interface Ground {
  place: Place;
  ground: StoreGround;
  /** The findings of one check, as text. */
  look(name: string, over?: Partial<StoreGround>): Promise<string[]>;
}

/** The latest frozen installation, brought to the present schema, its lanes owned as a running platform's are. */
async function busy(t: TestContext, engine: Engine): Promise<Ground> {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-doctor-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const place = { folder, store: engine === 'sqlite' ? 'sqlite' : await testDatabase(t) };
  const facts = frozenReleases().at(-1)!;
  await unpack(fileOf(facts, engine), place);
  const keyring = openKeyring({ keys: [KEY] });
  const address = addressOf(place);
  const limits = { fanout: 1_000, group: 1_000 };
  await (await openStore({ address, keyring, node: 'one', limits, connections: 3, onError: assert.ifError })).close();
  const now = facts.engines[engine]!.frozenAt + 1_000;
  await runOn(place, `UPDATE lanes SET node = 'one', leased_until = ${now + 15_000}`);
  const store = await openLooking(address);
  t.after(() => store.close());
  const ground: StoreGround = { store, now, isRunning: true, opens: opener(KEY), connections: 10, concurrency: 64 };
  return {
    place,
    ground,
    look: async (name, over = {}) => {
      const check = STORE_CHECKS.find((one) => one.name === name)!;
      const findings = await findingsOf(check, { ...ground, ...over });
      for (const { remedy } of findings) assert.match(remedy, /\w+ \w+/, `${name} says what to do`);
      return findings.map(({ text }) => text);
    },
  };
}

function opener(key: string): StoreGround['opens'] {
  const keyring = openKeyring({ keys: [key] });
  return (sealed, context) => {
    try {
      keyring.open(sealed, context);
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  };
}

/** What is done to a store, by the check that is to find it, and what that says. */
function damages(now: number): Readonly<Record<string, { sql: string[]; says: RegExp }>> {
  const late = now - HOUR;
  const tls = JSON.stringify({
    certificate: issueCertificate({ name: 'soon', until: now + 5 * 24 * HOUR }).certificate,
    ca: issueCertificate({ name: 'over', isAuthority: true, until: now - HOUR }).certificate,
  });
  const unused = (which: string): string =>
    `SELECT ${which}(lane) FROM lanes WHERE lane NOT IN (SELECT bucket % 64 FROM runs)`;
  const of = (name: string): string => `SELECT webhook FROM webhooks WHERE name = '${name}'`;
  return {
    'store.schema': {
      sql: [`UPDATE migrations SET checksum = 'x' WHERE number = 1`],
      says: /^migration 1 of this store \(001-begin, by bellwire .*nothing was changed$/,
    },
    'subscriptions.webhook': {
      sql: [
        `UPDATE subscriptions SET webhook = 99999 WHERE subscription = (SELECT max(subscription) FROM subscriptions)`,
      ],
      says: /^1 subscriptions whose webhook is not there \(one is \d+ of workspace \d+\)$/,
    },
    'steps.run': {
      sql: [`UPDATE run_steps SET run = 99999 WHERE run = (SELECT max(run) FROM run_steps)`],
      says: /^\d steps whose run is not there/,
    },
    'runs.slot': {
      sql: [`UPDATE runs SET slot = 1 WHERE run = (SELECT max(run) FROM runs WHERE finished_at IS NOT NULL)`],
      says: /^1 runs that have ended and still hold the slot/,
    },
    'batches.number': {
      sql: [`UPDATE webhooks SET batches = 1 WHERE name = 'batched in vain'`],
      says: /^\d deliveries of batches that their webhook has not counted/,
    },
    'attempts.delivery': {
      sql: [
        `DELETE FROM deliveries WHERE target = (${of('batched')}) AND event = (SELECT max(event) FROM deliveries WHERE target = (${of('batched')}))`,
      ],
      says: /^1 attempts whose delivery is not there/,
    },
    'deliveries.event': {
      sql: [`DELETE FROM events WHERE id = 'order-0'`],
      says: /^\d+ deliveries whose event is not there/,
    },
    'deliveries.forgotten': {
      sql: [
        `UPDATE deliveries SET state = 0, due_at = ${late}, attempts = 0 WHERE target = (${of('filtered')})`,
        `UPDATE webhooks SET last_success_at = ${late} WHERE name = 'filtered'`,
      ],
      says: /^\d deliveries to "filtered" are due and not tried, the oldest for 60 min$/,
    },
    'deliveries.target': {
      sql: [`DELETE FROM webhooks WHERE name = 'warned'`],
      says: /^\d open deliveries to what does not exist/,
    },
    'requests.run': {
      sql: [`DELETE FROM runs WHERE run = (SELECT max(run) FROM hook_requests WHERE state = 'taken')`],
      says: /^1 requests that were taken and have no run/,
    },
    'runs.begin': {
      sql: [`UPDATE runs SET state = 'queued', slot = 1, finished_at = NULL, created_at = ${late} WHERE name = 'done'`],
      says: /^1 runs may begin and do not, the oldest for 60 min$/,
    },
    'runs.wait': {
      sql: [
        `UPDATE flows SET most_runs = 5 WHERE name = 'in a queue'`,
        `UPDATE runs SET created_at = ${late} WHERE slot = 0`,
      ],
      says: /^2 runs wait for a slot though their flow has a free one, 60 min late$/,
    },
    'flows.version': {
      sql: [`DELETE FROM flow_versions WHERE flow = (SELECT flow FROM flows WHERE name = 'waiting')`],
      says: /^2 flows or runs whose version is not there/,
    },
    'schedules.due': { sql: [`UPDATE schedules SET next_at = ${late}`], says: /^1 time tables have not started/ },
    'operations.stuck': {
      sql: [`UPDATE operations SET state = 'running', next_at = ${late} WHERE state = 'done'`],
      says: /^1 operations stand still, 60 min late$/,
    },
    'erasures.stuck': {
      sql: [`UPDATE erasures SET due_at = ${late - HOUR} WHERE ended_at IS NULL`],
      says: /^1 erasures stand still, 2 h late$|^1 erasures stand still, 120 min late$/,
    },
    'fanouts.left': {
      sql: [`UPDATE events SET accepted_at = ${late} WHERE event IN (SELECT event FROM fanouts)`],
      says: /^1 events have targets that got no delivery yet/,
    },
    'burials.left': {
      sql: [`UPDATE burials SET deleted_at = ${late}`],
      says: /^1 deleted webhooks have open deliveries/,
    },
    'clock.ahead': {
      sql: [`UPDATE events SET accepted_at = ${now + HOUR} WHERE event = (SELECT max(event) FROM events)`],
      says: /^the newest event is of 60 min from now: the clock was set back$/,
    },
    'workspaces.head': { sql: ['UPDATE workspaces SET head = 1'], says: /^\d counters of workspaces behind/ },
    'certificates.webhooks': {
      sql: [`UPDATE webhooks SET tls = '${tls}' WHERE name = 'mutual tls'`],
      says: /^the client certificate of webhook "mutual tls" ends on 20\d\d-\d\d-\d\d$/,
    },
    'secrets.open': {
      sql: [
        `UPDATE flow_secrets SET value = (SELECT value FROM flow_secrets WHERE name = 'TOKEN') WHERE name = 'GREENLAKE'`,
      ],
      says: /^1 secrets do not open \(flow_secrets GREENLAKE\): a secret sealed with key \w+ was altered, or belongs/,
    },
    'lanes.owner': {
      sql: [
        `UPDATE lanes SET node = NULL WHERE lane = (${unused('min')})`,
        `DELETE FROM lanes WHERE lane = (${unused('max')})`,
      ],
      says: /^there are 63 lanes instead of 64$/,
    },
    'lanes.lease': {
      sql: [`UPDATE lanes SET leased_until = ${now + 25 * HOUR} WHERE lane = 5`],
      says: /^1 lanes are leased to one for more than an hour ahead$/,
    },
    'runs.owner': { sql: ['UPDATE lanes SET node = NULL'], says: /^\d runs are under way and nobody works at them$/ },
  };
}

/** Those that look at the engine itself have a test of their own below; and on PostgreSQL tests run without fsync. */
const ELSEWHERE = new Set(
  STORE_CHECKS.map(({ name }) => name).filter((name) => /^postgres\.|^store\.(pages|log)/.test(name)),
);

for (const engine of ['sqlite', 'postgres'] as const) {
  suite(`doctor on ${engine}`, { skip: engine === 'postgres' && withoutPostgres }, () => {
    test(`${engine}: a busy installation is well; each damage is found, by its check, with a remedy`, async (t) => {
      const { place, ground, look } = await busy(t, engine);
      const names = STORE_CHECKS.map(({ name }) => name).filter((name) => !ELSEWHERE.has(name));
      for (const name of names) assert.deepEqual(await look(name), [], `${name} finds nothing in what is well`);
      const all = damages(ground.now);
      assert.deepEqual(Object.keys(all).toSorted(), names.toSorted(), 'every check has its damage');
      for (const [name, { sql, says }] of Object.entries(all)) {
        assert.deepEqual(await look(name), [], `${name} is well before its damage`);
        for (const statement of sql) await runOn(place, statement);
        const [first = 'nothing found'] = await look(name);
        assert.match(first, says, name);
      }
      assert.match(
        (await look('certificates.webhooks')).join('\n'),
        /\nan authority of webhook "mutual tls" ended on /,
      );
      assert.match((await look('lanes.owner')).join('\n'), /\n63 of 63 lanes have no owner/);
      // What only waits for a platform to start is no finding.
      const stopped = { isRunning: false };
      for (const name of [
        'deliveries.forgotten',
        'runs.begin',
        'runs.wait',
        'runs.owner',
        'schedules.due',
        'fanouts.left',
      ])
        assert.deepEqual(await look(name, stopped), [], name);
      assert.deepEqual(await look('secrets.open', { opens: null }), [], 'that is said by the check of the keys');
      const [wrong] = await look('secrets.open', { opens: opener(makeKey()) });
      assert.match(wrong!, /^the keys here do not open this store: a secret is sealed with key \w{8}; here is key/);
    });

    test(`${engine}: the engine itself`, async (t) => {
      const { place, look, ground } = await busy(t, engine);
      if (engine === 'sqlite') await looksAtFiles(t, { place, look, ground });
      else await looksAtServer({ place, look, ground });
      await assert.rejects(ground.store.ask('DELETE FROM events'), /readonly|read-only/);
    });
  });
}

async function looksAtFiles(t: TestContext, { place, look, ground }: Ground): Promise<void> {
  assert.deepEqual(await look('store.pages'), []);
  assert.deepEqual(await look('store.log-size'), []);
  const file = join(place.folder, 'broken.db');
  const bytes = readFileSync(addressOf(place));
  bytes.fill(0xa5, bytes.length / 2, bytes.length / 2 + 40_000);
  writeFileSync(file, bytes);
  writeFileSync(`${file}-wal`, '');
  const broken = await openLooking(file);
  t.after(() => broken.close());
  const [damaged] = await look('store.pages', { store: broken });
  assert.match(damaged!, /^the file is damaged: /);
  truncateSync(`${file}-wal`, 300 * 2 ** 20);
  const [large] = await look('store.log-size', { store: { ...ground.store, name: file } });
  assert.match(large!, /^the log beside the store has 300 MiB/);
}

// Its version and its clock are what they are: those two are told something else.
async function looksAtServer({ place, look, ground }: Ground): Promise<void> {
  const says = (row: object): Partial<StoreGround> => ({
    store: { ...ground.store, ask: async <R>() => [row as R] },
  });
  assert.deepEqual(await look('postgres.version'), []);
  assert.deepEqual(await look('postgres.version', says({ value: '130004' })), ['the server is PostgreSQL 13']);
  assert.deepEqual(await look('postgres.durability'), ['fsync, full_page_writes, synchronous_commit are off']);
  assert.deepEqual(await look('postgres.durability', says({ value: 'on' })), []);
  assert.deepEqual(await look('postgres.connections'), []);
  const [many] = await look('postgres.connections', { connections: 10_000, isRunning: false });
  assert.match(many!, /^\d+ of \d+ connections are taken, and a node opens 10000$/);
  const empty = `${addressOf(place)}?options=-csearch_path%3Dpg_temp`;
  await assert.rejects(openLooking(empty), /^NoStoreYet: there is no store in PostgreSQL at \S+ yet$/);
  const hasty = await openLooking(addressOf(place), { mostMs: 50 });
  const slow = { ...hasty, ask: <R>() => hasty.ask<R>('SELECT pg_sleep(9)') };
  const [late] = await look('deliveries.event', { store: slow });
  assert.equal(late, 'deliveries.event could not be looked at: the database took longer than 0.05 s');
  await hasty.close();
  assert.deepEqual(await look('postgres.clock'), []);
  const [apart] = await look('postgres.clock', says({ at: Date.now() - 90_000 }));
  assert.match(apart!, /^the clocks of the database and of this machine are 9\d(\.\d+)? s apart$/);
}
