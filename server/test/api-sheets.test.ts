// Sheets over the API: documents, rows by hand, and the files they are exported as, read back by other readers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCsv } from 'hucre/csv';
import { readXlsx } from 'hucre/xlsx';
import { startApi, type ApiGround } from './api-ground.ts';

const DOCUMENT = 'sheet: AuditLog\ncolumns: [time, user]\nkey: time\n';
const YAML = { 'content-type': 'application/yaml' };

async function furnish({ expect }: ApiGround): Promise<void> {
  await expect(201, 'PUT /v1/sheets/AuditLog', { body: DOCUMENT, headers: YAML });
}

function itemsOf(page: Record<string, unknown>): Record<string, unknown>[] {
  return page['items'] as Record<string, unknown>[];
}

test('R98 API: a sheet is made by its document, shown, listed, replaced and deleted', async (t) => {
  const api = await startApi(t);
  await furnish(api);
  const { expect, refused } = api;
  const again = await expect(200, 'PUT /v1/sheets/AuditLog', { body: DOCUMENT, headers: YAML });
  const { createdAt, updatedAt, ...shown } = again;
  assert.equal(createdAt, updatedAt);
  assert.deepEqual(shown, {
    name: 'AuditLog',
    description: '',
    columns: ['time', 'user'],
    keyColumn: 'time',
    place: { kind: 'built-in' },
    rows: 0,
  });
  const file = 'sheet: Elsewhere\nin: { csv: audit.csv }\nkey: A\n';
  await expect(201, 'PUT /v1/sheets/Elsewhere', { body: file, headers: YAML });
  const names = itemsOf(await expect(200, 'GET /v1/sheets')).map(({ name, rows }) => [name, rows]);
  assert.deepEqual(names, [
    ['AuditLog', 0],
    ['Elsewhere', null],
  ]);
  await refused('wrong-state', 'GET /v1/sheets/Elsewhere/rows');
  await refused('wrong-state', 'GET /v1/sheets/Elsewhere/rows.csv');
  await refused('invalid-document', 'PUT /v1/sheets/Other', { body: DOCUMENT, headers: YAML });
  await refused('invalid-document', 'PUT /v1/sheets/AuditLog', {
    body: 'sheet: AuditLog\ncolmns: []\n',
    headers: YAML,
  });
  const problem = await refused('not-found', 'GET /v1/sheets/AuditLgo');
  assert.match(String(problem['detail']), /did you mean AuditLog\?/);
  await expect(204, 'DELETE /v1/sheets/AuditLog');
  await refused('not-found', 'GET /v1/sheets/AuditLog');
});

test('R98 R106 API: rows are added by hand, one for each key, read page by page, and deleted', async (t) => {
  const api = await startApi(t);
  await furnish(api);
  const { expect, refused } = api;
  const add = (cells: object, headers: Record<string, string> = {}) =>
    ({ body: { cells }, headers }) as Parameters<typeof expect>[2];
  const path = '/v1/sheets/AuditLog/rows';
  assert.deepEqual(await expect(201, `POST ${path}`, add({ time: 't1', user: 'Ada' })), { row: 1, added: true });
  assert.deepEqual(await expect(200, `POST ${path}`, add({ A: 't1', user: 'Bob' })), { row: 1, added: false });
  const key = { 'idempotency-key': 'once' };
  assert.deepEqual(await expect(201, `POST ${path}`, add({ B: 'Eve', D: 4 }, key)), { row: 2, added: true });
  assert.deepEqual(await expect(201, `POST ${path}`, add({ B: 'Eve', D: 4 }, key)), { row: 2, added: true });
  const first = await expect(200, `GET ${path}?limit=1`);
  const next = await expect(200, `GET ${path}?limit=1&cursor=${String(first['next'])}`);
  assert.deepEqual(
    [...itemsOf(first), ...itemsOf(next)].map(({ row, cells }) => [row, cells]),
    [
      [1, { time: 't1', user: 'Ada' }],
      [2, { user: 'Eve', D: 4 }],
    ],
  );
  assert.equal(next['next'], null);
  await refused('invalid-value', `POST ${path}`, add({ usr: 'x' }));
  await refused('invalid-request', `POST ${path}`, add({ user: ['x'] }));
  await expect(204, `DELETE ${path}/1`);
  await refused('not-found', `DELETE ${path}/1`);
  assert.equal((await expect(200, 'GET /v1/sheets/AuditLog'))['rows'], 1);
});

test('R98 API: a sheet is exported as CSV and XLSX; what looks like a formula is none in either', async (t) => {
  const api = await startApi(t);
  await furnish(api);
  const { expect, ask, url, platform } = api;
  const texts = ['plain', '=HYPERLINK("http://x","y")', 'a,b "c"\nd', '-1', "@it's", ''];
  for (const [n, user] of texts.entries()) {
    const cells = { time: `t${n}`, user, ...(n === 0 ? { D: 4.5, C: true } : {}) };
    await expect(201, 'POST /v1/sheets/AuditLog/rows', { body: { cells } });
  }
  const csv = await ask('GET /v1/sheets/AuditLog/rows.csv');
  assert.equal(csv.headers.get('content-type'), 'text/csv; charset=utf-8');
  assert.equal(csv.headers.get('content-disposition'), "attachment; filename*=UTF-8''AuditLog.csv");
  assert.deepEqual(parseCsv(csv.text), [
    ['time', 'user'],
    ['t0', 'plain', 'true', '4.5'],
    ['t1', '\'=HYPERLINK("http://x","y")'],
    ['t2', 'a,b "c"\nd'],
    ['t3', '-1'],
    ['t4', "'@it's"],
    ['t5', ''],
  ]);
  const head = await ask('HEAD /v1/sheets/AuditLog/rows.csv');
  assert.deepEqual([head.status, head.text], [200, '']);
  const headers = { authorization: `Bearer ${platform.adminKey}` };
  const xlsx = await fetch(`${url}/v1/sheets/AuditLog/rows.xlsx`, { headers });
  const [sheet] = (await readXlsx(new Uint8Array(await xlsx.arrayBuffer()))).sheets;
  assert.equal(sheet?.name, 'AuditLog');
  const cells = sheet.rows.map((row) => [...row].map((cell) => cell ?? ''));
  assert.deepEqual(cells[0]!.slice(0, 2), ['time', 'user']);
  assert.deepEqual(cells[1]!.slice(0, 4), ['t0', 'plain', true, 4.5]);
  assert.deepEqual(
    cells.slice(1).map(([, user]) => user),
    texts,
  );
});
