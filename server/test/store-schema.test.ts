// The schema: how it comes about, when it is refused, and the rule that keeps the road to many shards open.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { openStore, type Webhook } from '../src/store/index.ts';
import { makeKey, openKeyring } from '../src/store/keyring.ts';
import { SCHEMA_VERSION } from '../src/store/migrate.ts';
import { addWebhook, addWorkspace } from './store-furniture.ts';
import { postgresGround, sqliteGround, type Ground, type Prepare } from './store-ground.ts';

/** Tables that every shard holds whole, each with the reason; all others are distributed by their workspace. */
const REFERENCE: Record<string, string> = {
  installation: 'a few values of the whole installation',
  migrations: 'the schema is everywhere the same',
  services: 'the catalog of publishers belongs to the installation',
  api_keys: 'a key is looked up by its hash before the workspace is known',
  lanes: 'sixty-four rows that say which node owns which targets of all workspaces',
  workspaces: 'a workspace is looked up by its token or name before its number is known',
};

interface Key {
  table: string;
  name: string;
  columns: string[];
}

/** Every primary key, unique index and foreign key. */
async function keysOf({ engine, query }: Ground): Promise<Key[]> {
  const rows = await query<{ table: string; name: string; columns: string }>(
    engine === 'postgres'
      ? `SELECT t.relname AS "table", i.relname AS name, string_agg(a.attname, ',') AS columns
         FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
         JOIN pg_namespace n ON n.oid = t.relnamespace
         JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = ANY(x.indkey)
         WHERE n.nspname = 'public' AND x.indisunique GROUP BY 1, 2
         UNION ALL
         SELECT c.conrelid::regclass::text, c.conname, string_agg(a.attname, ',')
         FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = ANY(c.conkey)
         WHERE c.contype = 'f' GROUP BY 1, 2`
      : `SELECT m.name AS "table", l.name AS name, group_concat(i.name) AS columns
         FROM sqlite_schema m, pragma_index_list(m.name) l, pragma_index_info(l.name) i
         WHERE m.type = 'table' AND l."unique" = 1 GROUP BY 1, 2
         UNION ALL
         SELECT m.name, 'primary key', group_concat(c.name) FROM sqlite_schema m, pragma_table_info(m.name) c
         WHERE m.type = 'table' AND c.pk > 0 GROUP BY 1, 2
         UNION ALL
         SELECT m.name, 'foreign key ' || f.id, group_concat(f."from")
         FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' GROUP BY 1, 2`,
  );
  return rows.map(({ table, name, columns }) => ({ table, name, columns: columns.split(',') }));
}

function lacking(keys: Key[]): string[] {
  return keys
    .filter(({ table, columns }) => !(table in REFERENCE) && !columns.includes('workspace'))
    .map(({ table, name, columns }) => `${name} (${columns.join(', ')}) of ${table} lacks workspace`)
    .sort();
}

function exerciseSchema(engine: string, prepare: Prepare): void {
  test(`${engine}: every key of a distributed table contains the workspace`, async (t) => {
    const ground = await prepare(t);
    await ground.open();
    const keys = await keysOf(ground);
    assert.deepEqual(lacking(keys), []);
    const tables = new Set(keys.map(({ table }) => table));
    for (const table of [...Object.keys(REFERENCE), 'events', 'deliveries', 'attempts'])
      assert.ok(tables.has(table), table);
    assert.ok(keys.length >= tables.size);

    // What a rule that sees nothing would hide.
    await ground.query('CREATE TABLE bad (id BIGINT PRIMARY KEY, workspace BIGINT, name TEXT UNIQUE, service TEXT)');
    await ground.query('CREATE TABLE worse (workspace BIGINT PRIMARY KEY, service TEXT REFERENCES services (service))');
    const named = lacking(await keysOf(ground));
    assert.ok(named.every((line) => / of (bad|worse) lacks/.test(line)));
    for (const words of [/\(id\) of bad/, /\(name\) of bad/, /\(service\) of worse/]) {
      assert.ok(
        named.some((line) => words.test(line)),
        named.join('\n'),
      );
    }
  });

  test(`${engine}: a fresh store is migrated once, and opens again as it was`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const workspace = await addWorkspace(store);
    await store.close();
    await store.close();
    const again = await ground.open();
    assert.equal((await again.settings.workspaces())[0]!.workspace, workspace);
    const applied = await ground.query<{ number: unknown }>('SELECT number FROM migrations');
    assert.equal(applied.length, SCHEMA_VERSION);
  });

  test(`${engine}: a store that is newer, or that another program made, is refused in words`, async (t) => {
    const ground = await prepare(t);
    await (await ground.open()).close();
    const newer = SCHEMA_VERSION + 1;
    await ground.query(
      `INSERT INTO migrations (number, name, checksum, release) VALUES (${newer}, '00${newer}-later', 'x', '9.0.0')`,
    );
    await assert.rejects(
      ground.open(),
      /^Error: this store is at schema \d+ by bellwire 9\.0\.0, and this is bellwire \d\S+, which knows schemas up to \d+: start bellwire 9\.0\.0 or a newer one; nothing was changed$/,
    );
    await ground.query(`DELETE FROM migrations WHERE number = ${newer}`);
    await (await ground.open()).close();
    await ground.query(`UPDATE migrations SET checksum = 'x' WHERE number = 1`);
    await assert.rejects(
      ground.open(),
      /migration 1 of this store \(001-begin, by bellwire \S+\) is not the one that this bellwire \S+ knows/,
    );
  });

  test(`${engine}: a migration that fails leaves nothing behind`, async (t) => {
    const ground = await prepare(t);
    if (engine === 'sqlite') {
      await (await ground.open()).close();
      const made = await ground.query<{ name: string }>(`SELECT name FROM sqlite_schema WHERE type = 'table'`);
      for (const { name } of made) await ground.query(`DROP TABLE ${name}`);
    }
    // The last table of the first migration is there already: what came before it must go again.
    await ground.query('CREATE TABLE fanouts (workspace BIGINT)');
    await assert.rejects(ground.open(), /fanouts/);
    await ground.query('DROP TABLE fanouts');
    await addWorkspace(await ground.open());
  });

  test(`${engine}: R71 keys that do not open the store refuse it in words`, async (t) => {
    const ground = await prepare(t);
    await (await ground.open()).close();
    const keyring = openKeyring({ keys: [makeKey()] });
    const wrong = openStore({ ...ground.options, keyring, node: 'one' });
    await assert.rejects(
      wrong,
      /the keys do not open this store: a secret is sealed with key [0-9a-f]{8}; here is key/,
    );
    const rotated = openKeyring({ keys: [makeKey(), ground.key] });
    await (await ground.open({ keyring: rotated })).close();
    await ground.open();
  });

  test(`${engine}: R71 a new key in front seals everything again, and then the former one can be taken away`, async (t) => {
    const ground = await prepare(t);
    const before = await ground.open();
    const place = { store: before, workspace: await addWorkspace(before) };
    const webhooks: Webhook[] = [];
    for (let i = 0; i < 5; i++) webhooks.push(await addWebhook(place, `w${i}`));
    await before.close();
    const fresh = makeKey();
    const both = await ground.open({ keyring: openKeyring({ keys: [fresh, ground.key] }) });
    const alone = { keyring: openKeyring({ keys: [fresh] }) };
    assert.equal(await both.settings.reseal(3), 3);
    await both.close();
    // Cut short: the former key is still needed, and is asked for.
    await assert.rejects(
      ground.open(alone),
      /the keys do not open this store: a secret is sealed with key [0-9a-f]{8}/,
    );
    const again = await ground.open({ keyring: openKeyring({ keys: [fresh, ground.key] }) });
    const moved: number[] = [];
    while (moved.at(-1) !== 0) moved.push(await again.settings.reseal(3));
    assert.deepEqual(moved, [2, 1, 0]);
    await again.close();
    const after = await ground.open(alone);
    for (const { workspace, webhook, revision } of webhooks) {
      const target = (await after.settings.target({ workspace, target: webhook }))!;
      assert.equal(target.secrets.secret, 's3cr3tKey');
      assert.equal(target.webhook.revision, revision);
    }
    await after.close();
    await assert.rejects(ground.open(), /the keys do not open this store/);
  });
}

suite('the schema on SQLite', () => exerciseSchema('sqlite', sqliteGround));
suite('the schema on PostgreSQL', { skip: withoutPostgres }, () => exerciseSchema('postgres', postgresGround));
