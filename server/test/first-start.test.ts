// The first start, the ones after it, and a first one that is cut short.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { loadConfig } from '../src/config/index.ts';
import { prepareStore } from '../src/first-start.ts';
import { createLog } from '../src/log/index.ts';
import { startPlatform, type PlatformParts, type RunningPlatform } from '../src/platform.ts';
import { openStore } from '../src/store/index.ts';
import { makeKey } from '../src/store/keyring.ts';
import { NOON } from './store-furniture.ts';
import { sqliteGround } from './store-ground.ts';
import { startProcess } from '../../test/kit/platform-process.ts';
import { testDatabase, withoutPostgres } from '../../test/kit/postgres.ts';

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-first-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a platform on this folder; its log goes into `lines`. */
function start(
  folder: string,
  lines: string[] = [],
  parts: Pick<PlatformParts, 'openStore'> = {},
): Promise<RunningPlatform> {
  const { config } = loadConfig({ folder, overrides: { dev: true, listen: { port: 0 }, dataFolder: folder } });
  const log = createLog({ level: 'info', pretty: false, destination: { write: (line: string) => lines.push(line) } });
  return startPlatform({ config, log, version: '0.0.0-test', ...parts });
}

async function status({ url }: RunningPlatform, key: string, path = '/v1/keys'): Promise<number> {
  return (await fetch(url + path, { headers: { authorization: `Bearer ${key}` } })).status;
}

test('R117 a first start that is cut short is done again: the catalog’s first types are there', async (t) => {
  const folder = folderFor(t);
  const broken: typeof openStore = async (options) => {
    const store = await openStore(options);
    const put = store.settings.putType.bind(store.settings);
    let puts = 0;
    store.settings.putType = (type, now) =>
      ++puts === 2 ? Promise.reject(new Error('the machine lost its power')) : put(type, now);
    return store;
  };
  await assert.rejects(start(folder, [], { openStore: broken }), /lost its power/);
  const platform = await start(folder);
  t.after(() => platform.stop());
  const catalog = await platform.store.settings.catalog(1);
  assert.deepEqual(
    [...catalog!.types.keys()].filter((type) => type.startsWith('com.')),
    ['com.hpe.greenlake.audit-log.v1.logs.created', 'com.hpe.greenlake.subscriptions.v1.expiring-subscriptions'],
  );
  assert.equal((await platform.store.settings.workspaces()).length, 1);
});

test('a later start leaves what people changed and deleted as it is, and takes the same key', async (t) => {
  const folder = folderFor(t);
  const first = await start(folder);
  await first.store.settings.deleteType(0, 'com.hpe.greenlake.audit-log.v1.logs.created');
  await first.stop();
  const lines: string[] = [];
  const second = await start(folder, lines);
  t.after(() => second.stop());
  assert.equal(second.adminKey, first.adminKey);
  assert.equal((await second.store.settings.keys()).length, 1);
  assert.ok(!(await second.store.settings.catalog(1))!.types.has('com.hpe.greenlake.audit-log.v1.logs.created'));
  assert.ok(!lines.join('').includes('"warn"'));
});

test('an admin key that was deleted stays deleted: a new one takes its place in the file, and the log says so', async (t) => {
  const folder = folderFor(t);
  const file = join(folder, 'admin-key');
  const first = await start(folder);
  assert.match(first.adminKey, /^bw_[\w-]{43}$/, '256 random bits');
  const [admin] = await first.store.settings.keys();
  await first.store.settings.deleteKey(admin!.key);
  await first.stop();
  const lines: string[] = [];
  const second = await start(folder, lines);
  t.after(() => second.stop());
  assert.notEqual(second.adminKey, first.adminKey);
  assert.deepEqual([await status(second, first.adminKey), await status(second, second.adminKey)], [401, 200]);
  assert.equal(readFileSync(file, 'utf8').trim(), second.adminKey);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const warning = lines
    .map((line) => JSON.parse(line) as Record<string, unknown>)
    .find((one) => one['level'] === 'warn');
  assert.match(String(warning?.['message']), /deleted/);
});

test('a key file that was there before the store is taken over; a lost one is made anew', async (t) => {
  const folder = folderFor(t);
  const file = join(folder, 'admin-key');
  writeFileSync(file, 'bw_of-my-own-making\n');
  const first = await start(folder);
  assert.equal(first.adminKey, 'bw_of-my-own-making');
  await first.stop();
  rmSync(file);
  const second = await start(folder);
  t.after(() => second.stop());
  assert.notEqual(second.adminKey, first.adminKey);
  assert.deepEqual([await status(second, first.adminKey), await status(second, second.adminKey)], [200, 200]);
});

test(
  'R117 two first starts at once on one empty PostgreSQL: both come up, and there is one of everything',
  {
    skip: withoutPostgres,
  },
  async (t) => {
    const env = { BELLWIRE_STORE: await testDatabase(t), BELLWIRE_SECRETS_KEYS: makeKey() };
    const starts = await Promise.allSettled([1, 2].map(() => startProcess({ folder: folderFor(t), env })));
    const nodes = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    t.after(() => Promise.all(nodes.map((node) => node.kill())));
    assert.deepEqual(
      starts.flatMap((start) => (start.status === 'rejected' ? [String(start.reason)] : [])),
      [],
    );
    for (const { url, adminKey } of nodes) {
      const headers = { authorization: `Bearer ${adminKey}` };
      const list = async (path: string): Promise<{ type?: string; name?: string }[]> =>
        ((await (await fetch(url + path, { headers })).json()) as { items: { type?: string; name?: string }[] }).items;
      assert.deepEqual(
        (await list('/v1/workspaces')).map(({ name }) => name),
        ['default'],
      );
      assert.equal((await list('/v1/event-types')).filter(({ type }) => type?.startsWith('com.')).length, 2);
      assert.equal((await list('/v1/keys')).length, 2);
    }
  },
);

test('R117 two nodes that both find an empty store make one workspace', async (t) => {
  const store = await (await sqliteGround(t)).open();
  let asked = 0;
  const both = Promise.withResolvers<void>();
  const settings = {
    ...store.settings,
    workspaces: async () => {
      const found = await store.settings.workspaces();
      if (++asked === 2) both.resolve();
      await both.promise;
      return found;
    },
  };
  const limits = { eventsPerDay: null, bytesPerDay: null, webhooks: null, subscriptions: null, eventTypes: null };
  const log = createLog({ level: 'error', pretty: false, destination: { write: () => undefined } });
  const prepare = (): Promise<string> => prepareStore(settings, { dataFolder: folderFor(t), limits, log, now: NOON });
  const keys = await Promise.all([prepare(), prepare()]);
  assert.equal(new Set(keys).size, 2);
  assert.equal((await store.settings.workspaces()).length, 1);
});
