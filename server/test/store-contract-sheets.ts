// The store's contract, last part: sheets, of which each key has one row.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Sheet } from '../src/model/sheet.ts';
import type { NewRow, Store, StoredRow, StoredSheet } from '../src/store/index.ts';
import { about, eraseAll, MARKER } from './store-contract-erasing.ts';
import { addFlow, furnishFlows, newRun, numberOf } from './flow-furniture.ts';
import { addWorkspace, DAY, mustPublish, NOON } from './store-furniture.ts';
import type { Ground, Prepare } from './store-ground.ts';

function newSheet(name: string, over: Partial<Sheet> = {}): Sheet {
  return { name, description: '', columns: [], keyColumn: null, place: { kind: 'built-in' }, ...over };
}

interface Desk {
  store: Store;
  workspace: number;
  sheet: StoredSheet;
}

async function furnish(ground: Ground, options: Parameters<Ground['open']>[0] = {}): Promise<Desk> {
  const store = await ground.open(options);
  const workspace = await addWorkspace(store);
  const { sheet } = await store.sheets.put(workspace, newSheet('AuditLog'), NOON);
  return { store, workspace, sheet };
}

function rowOf({ workspace, sheet }: Desk, key: string, over: Partial<NewRow> = {}): NewRow {
  return { workspace, sheet: sheet.sheet, key, cells: { A: key }, run: null, now: NOON, ...over };
}

async function rowsOf({ store, workspace, sheet }: Desk): Promise<StoredRow[]> {
  return (await store.sheets.rows({ workspace, sheet: sheet.sheet, cursor: null, limit: 1_000 })).rows;
}

async function countOf({ store, workspace, sheet }: Desk): Promise<number | undefined> {
  return (await store.sheets.one(workspace, sheet.name))?.rows;
}

/** Runs this part on an engine. */
export function exerciseSheets(engine: string, prepare: Prepare): void {
  test(`${engine}: R98 a sheet is made once, changed by its name, listed, and told of`, async (t) => {
    const { store, workspace, sheet } = await furnish(await prepare(t));
    const told: string[] = [];
    store.on({ sheet: (_workspace, name) => told.push(name) });
    const { sheet: number, createdAt, rows } = sheet;
    assert.deepEqual([rows, createdAt], [0, NOON]);
    assert.equal((await store.sheets.put(workspace, newSheet('AuditLog'), NOON + 1)).change, 'same');
    const titled = newSheet('AuditLog', { columns: ['time', 'user'], keyColumn: 'user', description: 'who did what' });
    const changed = await store.sheets.put(workspace, titled, NOON + 2);
    assert.equal(changed.change, 'changed');
    assert.deepEqual(changed.sheet, { ...titled, sheet: number, rows: 0, createdAt: NOON, updatedAt: NOON + 2 });
    const google = newSheet('Abroad', {
      place: { kind: 'google', spreadsheet: 'x', tab: 'y', account: 'GOOGLE', api: null },
    });
    await store.sheets.put(workspace, google, NOON);
    const listed = await store.sheets.list(workspace);
    assert.deepEqual(
      listed.map(({ name, place }) => [name, place.kind]),
      [
        ['Abroad', 'google'],
        ['AuditLog', 'built-in'],
      ],
    );
    assert.deepEqual(told, ['AuditLog', 'Abroad']);
    assert.equal(await store.sheets.one(workspace, 'auditlog'), null);
    await assert.rejects(store.sheets.put(workspace + 1, newSheet('x'), NOON), { code: 'not-found' });
  });

  test(`${engine}: R106 of one key there is one row, a hundred at once, and after the store was opened anew`, async (t) => {
    const ground = await prepare(t);
    const desk = await furnish(ground);
    const one = Array.from({ length: 100 }, () => desk.store.sheets.append(rowOf(desk, 'evt-1', { run: 7 })));
    const answers = await Promise.all(one);
    assert.equal(answers.filter(({ added }) => added).length, 1);
    assert.deepEqual([...new Set(answers.map(({ row }) => row))], [1]);
    await desk.store.close();
    const again = { ...desk, store: await ground.open() };
    assert.deepEqual(await again.store.sheets.append(rowOf(again, 'evt-1', { run: 8 })), { row: 1, added: false });
    assert.deepEqual(await rowsOf(again), [{ row: 1, key: 'evt-1', cells: { A: 'evt-1' }, at: NOON }]);
    assert.equal(await countOf(again), 1);
  });

  test(`${engine}: R98 R99 rows keep the order in which they came, cells their kind; empty ones are none`, async (t) => {
    const desk = await furnish(await prepare(t));
    const cells = { B: 1.5, A: '=1+1', C: true, AA: 'last', D: null, E: '', F: '\0 \ud800 "A":"x",' };
    await desk.store.sheets.append(rowOf(desk, 'first', { cells }));
    const keys = Array.from({ length: 600 }, (_, n) => `k${n}`);
    const rows = await Promise.all(keys.map((key) => desk.store.sheets.append(rowOf(desk, key, { run: 1 }))));
    assert.deepEqual(
      rows.map(({ row }) => row),
      keys.map((_, n) => n + 2),
    );
    const { rows: some, next } = await desk.store.sheets.rows({
      workspace: desk.workspace,
      sheet: desk.sheet.sheet,
      cursor: null,
      limit: 2,
    });
    assert.deepEqual(Object.entries(some[0]!.cells), [
      ['A', '=1+1'],
      ['B', 1.5],
      ['C', true],
      ['F', '\0 \ud800 "A":"x",'],
      ['AA', 'last'],
    ]);
    assert.equal(some[1]!.key, 'k0');
    const rest = await desk.store.sheets.rows({
      workspace: desk.workspace,
      sheet: desk.sheet.sheet,
      cursor: next,
      limit: 1_000,
    });
    assert.deepEqual([rest.rows.length, rest.rows[0]!.key, rest.next], [599, 'k1', null]);
  });

  test(`${engine}: R98 rows are looked up by their cells, exactly, numbers and their texts alike`, async (t) => {
    const desk = await furnish(await prepare(t));
    const { store, workspace, sheet } = desk;
    const all: NewRow['cells'][] = [
      { A: 'x', B: 12 },
      { A: 'X', B: 123 },
      { A: 'x', B: '12', C: 'tail' },
      { A: 'it says "A":"x", "B":12}' },
      { A: '%_x\\', C: true },
    ];
    for (const [n, cells] of all.entries()) await store.sheets.append(rowOf(desk, `k${n}`, { cells }));
    const found = async (match: NewRow['cells'], limit = 10): Promise<number[]> =>
      (await store.sheets.lookup({ workspace, sheet: sheet.sheet, match, limit })).rows.map(({ row }) => row);
    assert.deepEqual(await found({ A: 'x' }), [1, 3]);
    assert.deepEqual(await found({ A: 'x' }, 1), [1]);
    assert.deepEqual(await found({ B: 12 }), [1, 3]);
    assert.deepEqual(await found({ B: '12' }), [1, 3]);
    assert.deepEqual(await found({ A: 'x', B: 12, C: '' }), [1]);
    assert.deepEqual(await found({ C: null }), [1, 2, 4]);
    assert.deepEqual(await found({ A: 'it says "A":"x", "B":12}' }), [4]);
    assert.deepEqual(await found({ A: '%_x\\', C: 'true' }), [5]);
    assert.deepEqual(await found({}), [1, 2, 3, 4, 5]);
  });

  test(`${engine}: R98 cells are set, rows deleted; a row is added only where none like it came meanwhile`, async (t) => {
    const desk = await furnish(await prepare(t));
    const { store, workspace, sheet } = desk;
    for (const key of ['a', 'b', 'c']) await store.sheets.append(rowOf(desk, key));
    const of = { workspace, sheet: sheet.sheet, run: null, now: NOON };
    assert.equal(await store.sheets.set({ ...of, rows: [1, 3, 9], cells: { A: null, B: 'set' } }), 2);
    assert.equal(await store.sheets.deleteRows(workspace, sheet.sheet, [2, 9]), 1);
    assert.deepEqual(
      (await rowsOf(desk)).map(({ row, cells }) => [row, cells]),
      [
        [1, { B: 'set' }],
        [3, { B: 'set' }],
      ],
    );
    assert.equal(await countOf(desk), 2);
    assert.deepEqual(await store.sheets.append(rowOf(desk, 'b')), { row: 4, added: true });
    const unless = { match: { A: 'new' }, beyond: 4 };
    const wishes = ['d', 'e', 'f'].map((key) => store.sheets.append(rowOf(desk, key, { cells: { A: 'new' }, unless })));
    assert.deepEqual(await Promise.all(wishes), [
      { row: 5, added: true },
      { row: 5, added: false },
      { row: 5, added: false },
    ]);
  });

  test(`${engine}: R98 a sheet that is full or gone takes no row, and says so to those it concerns alone`, async (t) => {
    const desk = await furnish(await prepare(t), { sheetRows: 2 });
    const { store, workspace } = desk;
    const { sheet: other } = await store.sheets.put(workspace, newSheet('Other'), NOON);
    const asked = [
      rowOf(desk, 'a'),
      rowOf(desk, 'b'),
      rowOf(desk, 'c'),
      rowOf(desk, 'a'),
      rowOf({ ...desk, sheet: other }, 'a'),
      rowOf({ ...desk, sheet: { ...other, sheet: 999 } }, 'a'),
    ];
    const answers = await Promise.allSettled(asked.map((row) => store.sheets.append(row)));
    const said = answers.map((one) => (one.status === 'fulfilled' ? one.value.row : (one.reason as Error).message));
    assert.deepEqual(said, [
      1,
      2,
      'the sheet is full: it has 2 rows, which is the most',
      1,
      1,
      'there is no such sheet any more',
    ]);
    await store.sheets.remove(workspace, 'AuditLog');
    await assert.rejects(store.sheets.append(rowOf(desk, 'd')), { code: 'not-found' });
    await assert.rejects(store.sheets.remove(workspace, 'AuditLog'), { code: 'not-found' });
    const { sheet: next } = await store.sheets.put(workspace, newSheet('AuditLog'), NOON);
    assert.notEqual(next.sheet, desk.sheet.sheet);
    assert.deepEqual(await rowsOf({ ...desk, sheet: next }), []);
  });

  test(`${engine}: rows of a deleted sheet, and of a deleted workspace, go a few at a time and leave nothing`, async (t) => {
    const ground = await prepare(t);
    const desk = await furnish(ground);
    const { store, workspace } = desk;
    for (const key of ['a', 'b', 'c', 'd', 'e']) await store.sheets.append(rowOf(desk, key, { run: 3 }));
    await store.sheets.set({
      workspace,
      sheet: desk.sheet.sheet,
      rows: [1],
      cells: { B: 'x' },
      run: 4,
      now: NOON,
    });
    await store.sheets.remove(workspace, 'AuditLog');
    const spans = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
    const pruneAll = async (): Promise<number[]> => {
      const moved: number[] = [];
      for (let n = -1; n !== 0;) moved.push((n = await store.log.prune(spans, NOON, 2)));
      return moved;
    };
    assert.deepEqual(await pruneAll(), [2, 2, 1, 1, 0]);
    const { sheet } = await store.sheets.put(workspace, newSheet('Second'), NOON);
    await store.sheets.append(rowOf({ ...desk, sheet }, 'a'));
    await store.settings.deleteWorkspace(workspace, NOON);
    await assert.rejects(store.sheets.append(rowOf({ ...desk, sheet }, 'b')), { code: 'not-found' });
    await pruneAll();
    for (const table of ['sheets', 'sheet_rows', 'sheet_changes', 'workspaces']) {
      assert.deepEqual(await ground.query(`SELECT 1 AS one FROM ${table}`), [], table);
    }
  });

  test(`${engine}: erasing a subject empties the rows that runs of its events appended or changed, and no other`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace, ground } = place;
    const { sheet } = await store.sheets.put(workspace, newSheet('AuditLog'), NOON);
    const desk = { store, workspace, sheet };
    const flow = await addFlow(place, 'note', { concurrency: { max: 9, then: 'queue' } });
    const [theirs, another] = await mustPublish(place, [about('a', MARKER), about('b', 'somebody')]);
    const causedBy = async (event: number): Promise<number> =>
      numberOf(await store.flows.start(newRun(flow, { cause: { by: 'event', event, type: 'com.example.made' } })));
    const [of, other] = [await causedBy(theirs!.event), await causedBy(another!.event)];
    const add = (key: string, run: number | null, text = key): Promise<unknown> =>
      store.sheets.append(rowOf(desk, key, { run, cells: { A: text } }));
    await add(`k ${MARKER}`, of, MARKER);
    await add('theirs', other);
    await add('by hand', null);
    await add('of both', other);
    const change = { workspace, sheet: sheet.sheet, run: of, now: NOON };
    await store.sheets.set({ ...change, rows: [4], cells: { B: MARKER } });
    await store.erasures.begin({ workspace, subject: MARKER }, NOON);
    await eraseAll(store);
    // The run is still under way: what it does from now on leaves nothing, either.
    await add(`late ${MARKER}`, of, MARKER);
    await store.sheets.set({ ...change, rows: [2], cells: { B: MARKER } });
    assert.deepEqual(
      (await rowsOf(desk)).map(({ key, cells }) => [key, cells]),
      [
        ['erased 1', {}],
        ['theirs', { A: 'theirs' }],
        ['by hand', { A: 'by hand' }],
        ['erased 4', {}],
        ['erased 5', {}],
      ],
    );
    assert.deepEqual(await ground.query(`SELECT 1 AS one FROM sheet_rows WHERE cells LIKE '%${MARKER}%'`), []);
  });
}
