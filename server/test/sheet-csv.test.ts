// Sheets in CSV files: what stands in the file, one row per key, and every way in which a file can be in trouble.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createCsvPlace } from '../src/flow/sheets/csv/index.ts';
import { fileFault } from '../src/flow/sheets/file-fault.ts';
import type { Sheet } from '../src/model/sheet.ts';
import { allowed, atHand, failing, sheetFolder } from './sheet-ground.ts';

function furnish(t: TestContext, over: Partial<Sheet> = {}) {
  const folder = sheetFolder(t);
  const file = join(folder, 'audit.csv');
  const start = () => {
    const place = createCsvPlace({ files: allowed(folder) });
    t.after(() => place.close());
    return place;
  };
  const at = atHand({ kind: 'csv', path: 'audit.csv' }, over);
  return { folder, file, start, place: start(), at, text: () => readFileSync(file, 'utf8') };
}

test('R98 R99 a row stands in the chosen columns, below the titles; what is missing is an empty cell', async (t) => {
  const { place, at, text } = furnish(t);
  assert.deepEqual(await place.append(at, { key: 'k', cells: { A: 'evt-1', C: 'He said "no",\nthen left' } }), {
    row: 1,
    added: true,
  });
  await place.append(at, { key: 'k', cells: { id: 'evt-2', user: null, text: true } });
  assert.equal(text(), 'id,user,"text"\r\nevt-1,,"He said ""no"",\nthen left"\r\nevt-2,,"true"\r\n');
  assert.deepEqual(await place.lookup(at, { match: { id: 'evt-1' }, limit: 5 }), [
    { row: 1, cells: { A: 'evt-1', B: null, C: 'He said "no",\nthen left' } },
  ]);
});

test('R98 without titles columns go by letters alone, and there is no header', async (t) => {
  const { place, at, text } = furnish(t, { columns: [], keyColumn: 'B' });
  await place.append(at, { key: 'k', cells: { A: 1, B: 'evt-1', D: -2.5 } });
  assert.equal(text(), '1,evt-1,,"-2.5"\r\n');
});

test('R98 a cell that would be taken for a formula is guarded in the file, and found by what it was', async (t) => {
  const { place, at, text } = furnish(t);
  await place.append(at, { key: 'k', cells: { id: 'evt-1', user: '=HYPERLINK("x")', text: '-5' } });
  assert.equal(text(), `id,user,"text"\r\nevt-1,"'=HYPERLINK(""x"")","-5"\r\n`);
  const [found] = await place.lookup(at, { match: { user: '=HYPERLINK("x")' }, limit: 1 });
  assert.equal(found?.cells['B'], '=HYPERLINK("x")');
});

test('R106 one row per key, however many ask at once and whoever asks later', async (t) => {
  const { place, start, at, text } = furnish(t);
  const asked = Array.from({ length: 60 }, (_, n) => {
    return place.append(at, { key: `k${n}`, cells: { id: `evt-${n % 20}`, user: 'u' } });
  });
  const answers = await Promise.all(asked);
  assert.equal(answers.filter(({ added }) => added).length, 20);
  // As after a restart: nothing is remembered.
  assert.deepEqual(await start().append(at, { key: 'other', cells: { id: 'evt-7' } }), { row: 8, added: false });
  assert.equal(text().trimEnd().split('\r\n').length, 21);
});

test('R106 a row that has nothing in the key column gets its key there', async (t) => {
  const { place, at, text } = furnish(t);
  await place.append(at, { key: 'req-1/steps[0]', cells: { user: 'u' } });
  await place.append(at, { key: 'req-1/steps[0]', cells: { user: 'u' } });
  assert.equal(text(), 'id,user,"text"\r\nreq-1/steps[0],u,""\r\n');
});

test('R106 a sheet without a key column is refused', async (t) => {
  const { place, at } = furnish(t, { keyColumn: null });
  await assert.rejects(place.append(at, { key: 'k', cells: {} }), failing(/needs a keyColumn/, false));
});

test('R98 rows are updated where they stand; what is not theirs stays as a person wrote it', async (t) => {
  const { place, at, file, text } = furnish(t);
  writeFileSync(file, '\uFEFFid,text,user\nevt-1,=SUM(A1),"a"\nevt-2,x,b\n');
  assert.deepEqual(await place.update(at, { match: { id: 'evt-2' }, cells: { user: '+c' }, upsert: false, key: 'k' }), {
    updated: 1,
    added: false,
  });
  assert.equal(text(), '\uFEFFid,text,user\nevt-1,=SUM(A1),"a"\nevt-2,x,"\'+c"\n');
  const upsert = { match: { id: 'evt-3' }, cells: { user: 'd' }, upsert: true, key: 'k' };
  assert.deepEqual(await place.update(at, upsert), { updated: 0, added: true });
  assert.deepEqual(await place.update(at, upsert), { updated: 1, added: false });
  assert.deepEqual(await place.lookup(at, { match: { user: 'd' }, limit: 9 }), [
    { row: 3, cells: { A: 'evt-3', B: 'd', C: null } },
  ]);
});

test('R106 a row that a crash cut short is set aside and written whole; a line without an end gets one', async (t) => {
  const torn = ['evt-2,u,"half a te', 'evt-2,u', 'evt-2,u,', 'evt', 'evt-2,u,\0\0\0'];
  for (const piece of torn) {
    const { file, start, at, text } = furnish(t);
    writeFileSync(file, `id,user,"text"\r\nevt-1,u,"a"\r\n${piece}`);
    assert.equal(
      (await start().append(at, { key: 'k', cells: { id: 'evt-2', user: 'u', text: 'half a text' } })).added,
      true,
    );
    assert.equal(text(), 'id,user,"text"\r\nevt-1,u,"a"\r\nevt-2,u,"half a text"\r\n', piece);
    assert.equal(readFileSync(`${file}.torn`, 'utf8'), `${piece}\r\n`);
  }
  for (const whole of ['evt-2,u,"text"', 'evt-2,u,text', 'evt-2,u,"text"\r']) {
    const { file, start, at, text } = furnish(t);
    writeFileSync(file, `id,user,"text"\r\n${whole}`);
    assert.equal((await start().append(at, { key: 'k', cells: { id: 'evt-2' } })).added, false);
    assert.equal(text(), `id,user,"text"\r\n${whole.trimEnd()}\r\n`);
    assert.ok(!existsSync(`${file}.torn`));
  }
});

test('bad input: a file that ends within a quote over several lines is nobody’s to mend but a person’s', async (t) => {
  const { place, file, at, text } = furnish(t);
  const spoilt = 'id,user,text\r\nevt-1,"u,a\r\nevt-2,u,b\r\n';
  writeFileSync(file, spoilt);
  await assert.rejects(place.append(at, { key: 'k', cells: { id: 'evt-3' } }), failing(/mend it by hand/, false));
  assert.equal(text(), spoilt);
});

test('bad input: a sheet that is gone is made anew; what others changed meanwhile is seen', async (t) => {
  const { place, file, at, text } = furnish(t);
  await place.append(at, { key: 'k', cells: { id: 'evt-1' } });
  rmSync(file);
  assert.equal((await place.append(at, { key: 'k', cells: { id: 'evt-1' } })).added, true);
  assert.equal(text(), 'id,user,"text"\r\nevt-1,,""\r\n');
  writeFileSync(file, 'user,id\nx,evt-9\n');
  assert.equal((await place.append(at, { key: 'k', cells: { id: 'evt-9' } })).added, false);
  const misfit = place.append(at, { key: 'k', cells: { id: 'evt-1', text: 'y' } });
  await assert.rejects(misfit, failing(/no column with the title "text"/, false));
});

test('bad input: a path out of the allowed folders, by dots, links or a link to nothing', async (t) => {
  const { folder, place } = furnish(t);
  const elsewhere = sheetFolder(t);
  symlinkSync(join(elsewhere, 'there.csv'), join(folder, 'nowhere.csv'));
  writeFileSync(join(elsewhere, 'here.csv'), '');
  symlinkSync(join(elsewhere, 'here.csv'), join(folder, 'link.csv'));
  symlinkSync(elsewhere, join(folder, 'sub'));
  for (const path of ['../x.csv', join(elsewhere, 'x.csv'), 'nowhere.csv', 'link.csv', 'sub/x.csv', 'a\0.csv']) {
    const asked = place.append(atHand({ kind: 'csv', path }), { key: 'k', cells: { id: '1' } });
    await assert.rejects(asked, failing(/in no folder that the operator allows \(sheets\.folders\)/, false), path);
  }
  const none = createCsvPlace({ files: allowed() });
  const asked = none.append(atHand({ kind: 'csv', path: 'x.csv' }), { key: 'k', cells: { id: '1' } });
  await assert.rejects(asked, failing(/the operator allows no folder/, false));
  assert.ok(!existsSync(join(elsewhere, 'there.csv')));
  mkdirSync(join(folder, 'data'));
  const careful = createCsvPlace({ files: { ...allowed(folder), except: [join(folder, 'data')] } });
  const own = careful.append(atHand({ kind: 'csv', path: 'data/x.csv' }), { key: 'k', cells: { id: '1' } });
  await assert.rejects(own, failing(/in no folder/, false));
  const other = place.append(atHand({ kind: 'csv', path: 'bellwire.yaml' }), { key: 'k', cells: { id: '1' } });
  await assert.rejects(other, failing(/no name of such a file/, false));
});

test('bad input: a folder, no text, a folder that is not there, and a column that is not', async (t) => {
  const { folder, place, at, file } = furnish(t);
  mkdirSync(join(folder, 'folder.csv'));
  const append = (path: string, cells = { id: '1' }) =>
    place.append(atHand({ kind: 'csv', path }), { key: 'k', cells });
  await assert.rejects(append('folder.csv'), failing(/is a folder/, false));
  await assert.rejects(append('no/where.csv'), failing(/is gone, or its folder is/, true));
  writeFileSync(join(folder, 'latin.csv'), Buffer.from([0x69, 0xe4, 0x0a]));
  await assert.rejects(append('latin.csv'), failing(/no UTF-8 text/, false));
  await assert.rejects(place.append(at, { key: 'k', cells: { colour: 'red' } }), failing(/no column "colour"/, false));
  // The others of the same round are not held up by it.
  await append('audit.csv');
  assert.equal(statSync(file).mode & 0o777, 0o640);
});

test('bad input: a sheet that is locked or full says so, and may be tried again', async (t) => {
  const fault = (code: string) => fileFault('audit.csv', Object.assign(new Error(code), { code }));
  failing(/is locked/, true)(fault('EACCES'));
  failing(/is locked by another program/, true)(fault('EBUSY'));
  failing(/the disk is full/, true)(fault('ENOSPC'));
  failing(/read-only/, false)(fault('EROFS'));
  const { place, at, file } = furnish(t);
  writeFileSync(file, '');
  chmodSync(file, 0o000);
  if (process.getuid?.() === 0) return;
  await assert.rejects(place.append(at, { key: 'k', cells: { id: '1' } }), failing(/is locked/, true));
});

test('a step whose time was up before its turn adds nothing', async (t) => {
  const { place, at, text } = furnish(t);
  const over = new AbortController();
  const first = place.append(at, { key: 'k', cells: { id: '1' } });
  const late = place.append({ ...at, signal: over.signal }, { key: 'k', cells: { id: '2' } });
  over.abort(new Error('too late'));
  await assert.rejects(late, /too late/);
  await first;
  assert.equal(text(), 'id,user,"text"\r\n1,,""\r\n');
});
