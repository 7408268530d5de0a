// The cache of catalogs: what it keeps, what it shares, what it lets go.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Catalogs } from '../src/store/catalogs.ts';
import { openSqlite } from '../src/store/sqlite.ts';
import { addWebhook, addWorkspace, NOON } from './store-furniture.ts';
import { sqliteGround } from './store-ground.ts';

const PLAIN = {
  service: null,
  description: '',
  schema: null,
  schemaCheck: 'off',
  example: null,
  deprecation: null,
} as const;

/** A cache on a store of its own: three workspaces of five subscriptions each, one type for all, one of the last. */
async function furnished(t: TestContext, mostKept: number): Promise<{ catalogs: Catalogs; workspaces: number[] }> {
  const ground = await sqliteGround(t);
  const store = await ground.open();
  const workspaces: number[] = [];
  await store.settings.putType({ ...PLAIN, workspace: 0, type: 'com.everybody' }, NOON);
  for (const name of ['one', 'two', 'three']) {
    const workspace = await addWorkspace(store, name);
    workspaces.push(workspace);
    await addWebhook({ store, workspace }, 'w', ...Array.from({ length: 5 }, (_, i) => `com.type${i}`));
  }
  await store.settings.putType({ ...PLAIN, workspace: workspaces[2]!, type: 'com.own' }, NOON);
  await store.close();
  const sql = openSqlite(ground.address);
  ground.after(() => sql.close());
  return { catalogs: new Catalogs(sql, mostKept), workspaces };
}

test('catalogs are kept up to a size, the least used go first; one that is too large alone is kept alone', async (t) => {
  const { catalogs, workspaces } = await furnished(t, 14);
  const [one, two, three] = workspaces as [number, number, number];
  const first = await catalogs.get(one);
  const second = await catalogs.get(two);
  assert.equal(await catalogs.get(one), first);
  await catalogs.get(three);
  assert.equal(catalogs.size, 2);
  assert.equal(await catalogs.get(one), first);
  assert.notEqual(await catalogs.get(two), second);
  const small = await furnished(t, 3);
  const only = await small.catalogs.get(small.workspaces[0]!);
  assert.equal(await small.catalogs.get(small.workspaces[0]!), only);
  assert.equal(small.catalogs.size, 1);
});

test('all catalogs share the types of the installation, and each has its own beside them', async (t) => {
  const { catalogs, workspaces } = await furnished(t, 1000);
  const [one, two, three] = await Promise.all(workspaces.map(async (workspace) => (await catalogs.get(workspace))!));
  assert.equal(one!.types, two!.types);
  assert.equal(one!.types.get('com.everybody'), three!.types.get('com.everybody'));
  assert.equal(one!.types.get('com.own'), undefined);
  assert.deepEqual(
    [...three!.types.values()].map(({ type }) => type),
    ['com.everybody', 'com.own'],
  );
});

test('what is forgotten while it is read is not kept', async (t) => {
  const { catalogs, workspaces } = await furnished(t, 1000);
  const reading = catalogs.get(workspaces[0]!);
  assert.equal(catalogs.get(workspaces[0]!), reading, 'many who ask at once share one reading');
  catalogs.forget(workspaces[0]);
  const old = await reading;
  assert.equal(catalogs.size, 0);
  assert.notEqual(await catalogs.get(workspaces[0]!), old);
});
