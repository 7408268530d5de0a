// Sheets in XLSX files: rows in their tab, the rest of the workbook as it was, one row per key, and files in trouble.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { openXlsx, readXlsx, writeXlsx } from 'hucre/xlsx';
import { createXlsxPlace } from '../src/flow/sheets/xlsx/index.ts';
import type { Sheet } from '../src/model/sheet.ts';
import { allowed, atHand, failing, sheetFolder } from './sheet-ground.ts';

function furnish(t: TestContext, over: Partial<Sheet> = {}) {
  const folder = sheetFolder(t);
  const start = (everyMs = 0) => {
    const place = createXlsxPlace({ files: allowed(folder), everyMs });
    t.after(() => place.close());
    return place;
  };
  const at = atHand({ kind: 'xlsx', path: 'audit.xlsx', tab: 'AuditLog' }, over);
  const file = join(folder, 'audit.xlsx');
  const rows = async (tab = 'AuditLog') => {
    const { sheets } = await readXlsx(readFileSync(file));
    return sheets.find(({ name }) => name === tab)?.rows;
  };
  return { folder, file, start, place: start(), at, rows };
}

test('R98 R99 a row stands in its tab below the titles, text as text, what is missing empty', async (t) => {
  const { place, at, rows, folder } = furnish(t);
  const cells = { A: 'evt-1', C: '=HYPERLINK("x")' };
  assert.deepEqual(await place.append(at, { key: 'k', cells }), { row: 1, added: true });
  await place.append(at, { key: 'k', cells: { id: 'evt-2', user: 7, text: true } });
  assert.deepEqual(await rows(), [
    ['id', 'user', 'text'],
    ['evt-1', null, '=HYPERLINK("x")'],
    ['evt-2', 7, true],
  ]);
  assert.deepEqual(await place.lookup(at, { match: { user: '7' }, limit: 2 }), [
    { row: 2, cells: { A: 'evt-2', B: 7, C: true } },
  ]);
  assert.deepEqual(readdirSync(folder), ['audit.xlsx']);
});

test('R98 a tab that is not there is made; other tabs stay: values, formulas, dates, merges, looks', async (t) => {
  const { place, file, at } = furnish(t);
  const when = new Date('2026-01-02T03:04:05Z');
  const style = { font: { bold: true } };
  writeFileSync(
    file,
    await writeXlsx({
      sheets: [
        {
          name: 'Budget',
          rows: [['a', 'b'], [1, when], [2]],
          merges: [{ startRow: 0, startCol: 0, endRow: 0, endCol: 1 }],
          cells: new Map([
            ['0,0', { value: 'a', style }],
            ['3,0', { value: null, formula: 'SUM(A2:A3)' }],
          ]),
        },
      ],
    }),
  );
  await place.append(at, { key: 'k', cells: { id: 'evt-1' } });
  await place.append(at, { key: 'k', cells: { id: 'evt-2' } });
  const { sheets } = await openXlsx(readFileSync(file), { readStyles: true });
  assert.deepEqual(
    sheets.map(({ name }) => name),
    ['Budget', 'AuditLog'],
  );
  const [budget, log] = sheets;
  assert.deepEqual(budget!.rows.slice(0, 2), [
    ['a', 'b'],
    [1, when],
  ]);
  assert.equal(budget!.cells?.get('3,0')?.formula, 'SUM(A2:A3)');
  assert.equal(budget!.cells?.get('0,0')?.style?.font?.bold, true);
  assert.equal(budget!.merges?.length, 1);
  assert.equal(log!.rows.length, 3);
});

test('R106 one row per key, gathered in a few writes, and after a restart', async (t) => {
  const { start, at, rows } = furnish(t);
  const place = start(50);
  const asked = Array.from({ length: 40 }, (_, n) => place.append(at, { key: 'k', cells: { id: `evt-${n % 10}` } }));
  const answers = await Promise.all(asked);
  assert.equal(answers.filter(({ added }) => added).length, 10);
  // What is asked at once comes in any order.
  const { row } = answers.find(({ added }, n) => added && n % 10 === 4)!;
  assert.deepEqual(await start().append(at, { key: 'k', cells: { id: 'evt-4' } }), { row, added: false });
  assert.equal((await rows())!.length, 11);
});

test('R98 rows are updated where they stand; upsert appends once', async (t) => {
  const { place, at, rows } = furnish(t, { columns: [], keyColumn: 'A' });
  await place.append(at, { key: 'k', cells: { A: 'evt-1', B: 'x' } });
  const change = { match: { A: 'evt-1' }, cells: { C: 'y' }, upsert: false, key: 'k' };
  assert.deepEqual(await place.update(at, change), { updated: 1, added: false });
  const upsert = { match: { A: 'evt-2' }, cells: { B: 'z' }, upsert: true, key: 'k' };
  assert.deepEqual(await place.update(at, upsert), { updated: 0, added: true });
  assert.deepEqual(await place.update(at, upsert), { updated: 1, added: false });
  assert.deepEqual(await rows(), [
    ['evt-1', 'x', 'y'],
    ['evt-2', 'z', null],
  ]);
});

test('bad input: a file that unpacks to gigabytes, or does not say to how much, is refused before it is unpacked', async (t) => {
  const { file, place, at } = furnish(t);
  const append = () => place.append(at, { key: 'k', cells: { id: 'evt-1' } });
  await append();
  const whole = readFileSync(file);
  for (const size of [600 * 1024 * 1024, 0xffffffff, 0]) {
    const bomb = Buffer.from(whole);
    // The size of the last part, in the directory.
    bomb.writeUInt32LE(size, bomb.lastIndexOf(Buffer.from('PK\x01\x02')) + 24);
    writeFileSync(file, bomb);
    await assert.rejects(append(), failing(/no XLSX workbook: it unpacks to more than 512 MiB/, false));
  }
});

test('bad input: a sheet that is gone is made anew; one that is open elsewhere is locked; and files that are none', async (t) => {
  const { folder, file, place, at, rows } = furnish(t);
  const append = (cells = { id: 'evt-1' }) => place.append(at, { key: 'k', cells });
  await append();
  rmSync(file);
  assert.equal((await append()).added, true);
  writeFileSync(join(folder, '~$audit.xlsx'), '');
  await assert.rejects(append({ id: 'evt-2' }), failing(/is locked: a program has it open/, true));
  rmSync(join(folder, '~$audit.xlsx'));
  assert.equal((await rows())!.length, 2);
  writeFileSync(file, 'id,user\n');
  await assert.rejects(append(), failing(/no XLSX workbook/, false));
  assert.equal(readFileSync(file, 'utf8'), 'id,user\n');
  rmSync(file);
  mkdirSync(file);
  await assert.rejects(append(), failing(/is a folder/, false));
  rmSync(file, { recursive: true });
  const bad = { ...at, sheet: { ...at.sheet, place: { kind: 'xlsx' as const, path: 'audit.xlsx', tab: 'a/b' } } };
  await assert.rejects(place.append(bad, { key: 'k', cells: { id: '1' } }), failing(/no name of a tab/, false));
  const out = { ...at, sheet: { ...at.sheet, place: { kind: 'xlsx' as const, path: '../a.xlsx', tab: 'a' } } };
  await assert.rejects(place.append(out, { key: 'k', cells: { id: '1' } }), failing(/in no folder/, false));
});
