// The actions about sheets over every place at once: a row for each event, none twice, whatever ends in between.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test, type TestContext } from 'node:test';
import { startGoogleSheets } from '../../test/kit/google-sheets.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import { createDatabases } from '../src/flow/databases/index.ts';
import { createPlacesElsewhere } from '../src/flow/sheets/elsewhere.ts';
import type { SheetPlace } from '../src/model/sheet.ts';
import { does, startFlows } from './flow-ground.ts';
import { allowed, sheetFolder } from './sheet-ground.ts';
import { NOON } from './store-furniture.ts';

async function furnish(t: TestContext) {
  const folder = sheetFolder(t);
  const google = await startGoogleSheets(() => NOON);
  t.after(() => google.stop());
  google.spreadsheet('1AbC', { AuditLog: [] });
  const guard = createAddressGuard({ allow: ['127.0.0.0/8'] });
  const transport = createTransport({ guard, userAgent: 'Bellwire/test' });
  const files = allowed(folder);
  const databases = createDatabases({ addresses: guard, files });
  const elsewhere = createPlacesElsewhere({
    files,
    xlsxEveryMs: 0,
    googleEveryMs: 0,
    databases,
    maxBytes: 65_536,
    fetch: fetchOver((request) => transport.send(request)),
    clock: { now: () => NOON },
  });
  t.after(async () => {
    await elsewhere.close();
    await databases.close();
    await transport.close({ force: true });
  });
  const flows = await startFlows(t, { sheetPlaces: elsewhere.places });
  const { store, workspace } = flows;
  await store.flows.putSecret({ workspace, name: 'GOOGLE', value: google.account }, NOON);
  await store.flows.putSecret({ workspace, name: 'DB', value: 'sqlite:audit.db' }, NOON);
  const database = new DatabaseSync(join(folder, 'audit.db'));
  t.after(() => database.close());
  database.exec('CREATE TABLE audit (id text PRIMARY KEY, text text)');
  const places: Record<string, SheetPlace> = {
    csv: { kind: 'csv', path: 'logs/audit.csv' },
    xlsx: { kind: 'xlsx', path: 'audit.xlsx', tab: 'AuditLog' },
    sql: { kind: 'sql', connection: 'DB', table: 'audit' },
    google: { kind: 'google', spreadsheet: '1AbC', tab: 'AuditLog', account: 'GOOGLE', api: google.url },
  };
  for (const [name, place] of Object.entries(places)) {
    await store.sheets.put(workspace, { name, description: '', columns: ['id', 'text'], keyColumn: 'id', place }, NOON);
  }
  mkdirSync(join(folder, 'logs'));
  const append = (to: string) => ({
    ...does('sheet.append', { to, row: { A: '${ event.data.id }', B: '${ event.data.text }' } }),
    retry: { times: 1, waitMs: 100 },
  });
  return { flows, folder, google, database, append, names: Object.keys(places) };
}

test('R98 R106 a row in every place for each event, one only when the event comes again', async (t) => {
  const { flows, folder, google, database, append, names } = await furnish(t);
  const job = await flows.job('log', [
    ...names.map(append),
    ...names.map((name) => does('sheet.lookup', { in: name })),
  ]);
  for (const [id, count] of [
    ['evt-1', 1],
    ['evt-2', 2],
    ['evt-1', 2],
  ] as const) {
    const run = await flows.play(job, { event: { data: { id, text: '=1+1' } } });
    assert.equal(run.state, 'completed', run.reason ?? '');
    for (const at of [4, 5, 6, 7]) {
      const { output } = await flows.step(run.run, `steps[${at}]`);
      const { rows } = output as { rows: { cells: unknown }[] };
      assert.deepEqual(rows[0]?.cells, { id: 'evt-1', text: '=1+1' }, names[at - 4] ?? '');
      assert.equal(rows.length, count, names[at - 4] ?? '');
    }
  }
  const text = readFileSync(join(folder, 'logs', 'audit.csv'), 'utf8');
  assert.equal(text, `id,"text"\r\nevt-1,"'=1+1"\r\nevt-2,"'=1+1"\r\n`);
  assert.equal(google.rows('1AbC', 'AuditLog').length, 3);
  assert.equal(database.prepare('SELECT id FROM audit').all().length, 2);
});

test('R106 bad input: a place that is in trouble for a moment gets its row by the next try, once', async (t) => {
  const { flows, folder, google, append } = await furnish(t);
  google.trouble('append', { cut: 'after' });
  rmSync(join(folder, 'logs'), { recursive: true });
  const job = await flows.job('log', [append('google'), append('csv')]);
  const run = await flows.start(job, { event: { data: { id: 'evt-1', text: 'a' } } });
  await flows.untilSo('the folder is missed', async () =>
    (await flows.lines(run)).some((line) => line.includes('is gone, or its folder is')),
  );
  mkdirSync(join(folder, 'logs'));
  const ended = await flows.until(run, 'completed', 'failed');
  assert.ok((await flows.lines(run)).some((line) => line.includes('Try 1 failed: Google: ')));
  assert.deepEqual(google.rows('1AbC', 'AuditLog'), [
    ['id', 'text'],
    ['evt-1', 'a'],
  ]);
  // The folder may have come back too late for the second try: then the run says so, and one by hand makes the row.
  if (ended.state === 'failed') await flows.play(job, { event: { data: { id: 'evt-1', text: 'a' } } });
  assert.equal(readFileSync(join(folder, 'logs', 'audit.csv'), 'utf8'), 'id,"text"\r\nevt-1,"a"\r\n');
});

test('R106 a platform that is killed in the middle of an append makes one row in the end', async (t) => {
  const { flows, google, append, folder } = await furnish(t);
  google.trouble('append', { cut: 'after' });
  const job = await flows.job('log', [append('google'), append('csv'), append('xlsx'), append('sql')]);
  const run = await flows.start(job, { event: { data: { id: 'evt-1', text: 'a' } } });
  await flows.untilSo('Google has the row', () => google.rows('1AbC', 'AuditLog').length === 2);
  await flows.crash();
  assert.equal((await flows.until(run, 'completed', 'failed')).state, 'completed');
  assert.equal(google.rows('1AbC', 'AuditLog').length, 2);
  assert.equal(readFileSync(join(folder, 'logs', 'audit.csv'), 'utf8'), 'id,"text"\r\nevt-1,"a"\r\n');
});
