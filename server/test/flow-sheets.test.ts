// The actions about sheets on the built-in place, on each engine: one row per key, and words for whatever cannot be done.
import assert from 'node:assert/strict';
import { after, suite, test } from 'node:test';
import type { Json } from '../src/model/flow/definition.ts';
import type { Sheet } from '../src/model/sheet.ts';
import { does, each, startFlows, storesFor, type FlowGround } from './flow-ground.ts';
import { NOON } from './store-furniture.ts';
import { sqliteGround } from './store-ground.ts';

const closers: (() => Promise<void>)[] = [];
after(async () => {
  for (const close of closers) await close();
});

async function addSheet({ store, workspace }: FlowGround, over: Partial<Sheet> = {}): Promise<void> {
  const sheet: Sheet = {
    name: 'AuditLog',
    description: '',
    columns: [],
    keyColumn: null,
    place: { kind: 'built-in' },
    ...over,
  };
  await store.sheets.put(workspace, sheet, NOON);
}

async function rowsOf({ store, workspace }: FlowGround, name = 'AuditLog'): Promise<Record<string, Json>[]> {
  const sheet = await store.sheets.one(workspace, name);
  assert.ok(sheet);
  const { rows } = await store.sheets.rows({ workspace, sheet: sheet.sheet, cursor: null, limit: 1_000 });
  return rows.map(({ cells }) => cells);
}

let jobs = 0;

/** Plays a job of one step; resolves its output, or why it failed. */
async function play(flows: FlowGround, [action, input]: readonly [string, Json], data: Json = {}): Promise<Json> {
  const job = await flows.job(`job-${++jobs}`, [does(action, input)]);
  const run = await flows.play(job, { event: { data } });
  const step = await flows.step(run.run, 'steps[0]');
  return run.state === 'completed' ? step.output : (step.error?.replace(/^steps\[0\] \([a-z.]+\): /, '') ?? null);
}

for (const { name, skip, prepare } of storesFor((close) => void closers.push(close))) {
  suite(`sheets on ${name}`, { skip }, () => {
    test('R98 R99 a row takes text, numbers and lists; a field that is missing is an empty cell', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      await addSheet(flows);
      const row = {
        A: '${ event.data.time }',
        B: '${ event.data.user.name }',
        C: '${ event.data.nothing.at.all }',
        D: '${ event.data.count }',
        E: '${ event.data.tags }',
        F: '=1+1',
        AA: 'at ${ event.data.count }',
      };
      const data = { time: '2026-11-23T05:00:00Z', user: { name: 'Ada' }, count: 3, tags: ['a', { b: 1 }] };
      const append = { to: 'AuditLog', row };
      assert.deepEqual(await play(flows, ['sheet.append', append], data), { sheet: 'AuditLog', row: 1, added: true });
      assert.deepEqual(await rowsOf(flows), [
        { A: '2026-11-23T05:00:00Z', B: 'Ada', D: 3, E: '["a",{"b":1}]', F: '=1+1', AA: 'at 3' },
      ]);
      const many = { to: 'AuditLog', row: [{ A: 1 }, { A: 2 }, { A: 3 }] };
      assert.deepEqual(await play(flows, ['sheet.append', many]), { sheet: 'AuditLog', rows: [2, 3, 4], added: 3 });
    });

    test('R106 of one key there is one row: twenty runs at once, a loop has one for each item', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      await addSheet(flows);
      const append = { to: 'AuditLog', row: { A: '${ event.data.id }' }, key: '${ event.data.id }' };
      const job = await flows.job('same', [does('sheet.append', append)]);
      const starts = Array.from({ length: 20 }, () => flows.start(job, { event: { data: { id: 'evt-1' } } }));
      for (const run of await Promise.all(starts)) {
        assert.equal((await flows.until(run, 'completed', 'failed')).state, 'completed');
      }
      assert.deepEqual(await rowsOf(flows), [{ A: 'evt-1' }]);
      const loop = each('event.data.ids', [does('sheet.append', { to: 'AuditLog', row: { A: '${ item }' } })]);
      const run = await flows.play(await flows.job('loop', [loop]), { event: { data: { ids: ['x', 'y', 'x'] } } });
      assert.equal(run.state, 'completed', run.reason ?? '');
      assert.deepEqual(await rowsOf(flows), [{ A: 'evt-1' }, { A: 'x' }, { A: 'y' }, { A: 'x' }]);
    });

    test('R106 a run that is killed as it appends has one row when it is over', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      await addSheet(flows);
      const steps = [does('sheet.append', { to: 'AuditLog', row: { A: 'once' } }), does('wait', '1h')];
      const run = await flows.start(await flows.job('killed', steps));
      await flows.untilSo('there is a row', async () => (await rowsOf(flows)).length > 0);
      await flows.crash();
      await flows.until(run, 'completed');
      assert.deepEqual(await rowsOf(flows), [{ A: 'once' }]);
    });

    test('R106 where a sheet has a key column, what stands there tells rows apart, whoever appends', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      await addSheet(flows, { columns: ['id', 'user'], keyColumn: 'id' });
      const append = (id: string, user: string) => play(flows, ['sheet.append', { to: 'AuditLog', row: { id, user } }]);
      assert.deepEqual(await append('evt-1', 'Ada'), { sheet: 'AuditLog', row: 1, added: true });
      assert.deepEqual(await append('evt-1', 'Bob'), { sheet: 'AuditLog', row: 1, added: false });
      assert.deepEqual(await append('', 'Eve'), { sheet: 'AuditLog', row: 2, added: true });
      assert.deepEqual(await rowsOf(flows), [{ A: 'evt-1', B: 'Ada' }, { B: 'Eve' }]);
    });

    test('R98 rows are found and changed by their cells, by titles or letters, and added where there is none', async (t) => {
      const flows = await startFlows(t, {}, prepare);
      await addSheet(flows, { columns: ['user', 'seen'] });
      const update = { in: 'AuditLog', where: { user: 'Ada' }, set: { seen: 1, C: 'x' }, upsert: true };
      assert.deepEqual(await play(flows, ['sheet.update', update]), { sheet: 'AuditLog', updated: 0, added: true });
      const again = { ...update, set: { seen: 2 } };
      assert.deepEqual(await play(flows, ['sheet.update', again]), { sheet: 'AuditLog', updated: 1, added: false });
      const nobody = { in: 'AuditLog', where: { A: 'Bob' }, set: { seen: 9 } };
      assert.deepEqual(await play(flows, ['sheet.update', nobody]), { sheet: 'AuditLog', updated: 0, added: false });
      assert.deepEqual(await play(flows, ['sheet.lookup', { in: 'AuditLog', where: { seen: '2' } }]), {
        sheet: 'AuditLog',
        found: 1,
        rows: [{ row: 1, cells: { user: 'Ada', seen: 2, C: 'x' } }],
      });
      assert.deepEqual(await play(flows, ['sheet.lookup', { in: 'AuditLog', where: { user: 'nobody' } }]), {
        sheet: 'AuditLog',
        found: 0,
        rows: [],
      });
    });
  });
}

test('R98 what cannot be done is said: no such sheet, no such column, no such place, no secret, a cell too long', async (t) => {
  const flows = await startFlows(t);
  await addSheet(flows, { columns: ['user', 'time'] });
  await addSheet(flows, { name: 'Abroad', place: { kind: 'sql', connection: 'DB', table: 'audit' } });
  const append = (to: string, row: Json) => play(flows, ['sheet.append', { to, row }]);
  assert.equal(await append('AuditLgo', { A: 1 }), 'there is no sheet "AuditLgo"; did you mean AuditLog?');
  assert.equal(await append('AuditLog', { usr: 1 }), 'the sheet AuditLog has no column "usr"; did you mean user?');
  assert.equal(
    await append('AuditLog', { A: 1, user: 2 }),
    'the sheet AuditLog is given the column A twice, once as "user"',
  );
  assert.match(
    JSON.stringify(await append('AuditLog', { A: 'x'.repeat(32_768) })),
    /a cell has at most 32,767 characters/,
  );
  assert.equal(await append('Abroad', { A: 1 }), 'the sheet Abroad is kept in sql, which is not to hand here');
  assert.deepEqual(await rowsOf(flows), []);
  assert.deepEqual(flows.errors, []);
});

test('R98 a sheet that was deleted fails the step, one made anew takes the row at once', async (t) => {
  const flows = await startFlows(t);
  const { store, workspace } = flows;
  await addSheet(flows);
  const append = { to: 'AuditLog', row: { A: 1 } };
  assert.deepEqual(await play(flows, ['sheet.append', append]), { sheet: 'AuditLog', row: 1, added: true });
  await store.sheets.remove(workspace, 'AuditLog');
  assert.equal(await play(flows, ['sheet.append', append]), 'there is no sheet "AuditLog"');
  await addSheet(flows);
  assert.deepEqual(await play(flows, ['sheet.append', append]), { sheet: 'AuditLog', row: 1, added: true });
  assert.deepEqual(await rowsOf(flows), [{ A: 1 }]);
});

test('R98 a sheet that is full fails the step, and says so', async (t) => {
  const flows = await startFlows(t, {}, async (of) => {
    const ground = await sqliteGround(of);
    return { ...ground, open: (options) => ground.open({ ...options, sheetRows: 1 }) };
  });
  await addSheet(flows);
  const append = { to: 'AuditLog', row: [{ A: 1 }, { A: 2 }] };
  const full = 'the sheet AuditLog is full: it has 1 rows, which is the most';
  assert.equal(await play(flows, ['sheet.append', append]), full);
  assert.deepEqual(await rowsOf(flows), [{ A: 1 }]);
});
