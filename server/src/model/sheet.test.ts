// Columns by letters and titles, and what keeps a cell from being taken for a formula.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cellOf,
  cellsByLetter,
  cellsByTitle,
  columnOf,
  columnOfLetters,
  guardFormula,
  lettersOf,
  unguardFormula,
} from './sheet.ts';

test('R98 columns go by letters: A to Z, AA, and on to XFD', () => {
  const known: [number, string][] = [
    [0, 'A'],
    [25, 'Z'],
    [26, 'AA'],
    [51, 'AZ'],
    [701, 'ZZ'],
    [702, 'AAA'],
    [16_383, 'XFD'],
  ];
  for (const [column, letters] of known) {
    assert.equal(lettersOf(column), letters);
    assert.equal(columnOfLetters(letters), column);
  }
  for (const letters of ['', 'a', 'A1', 'XFE', 'AAAA', 'Ä']) assert.equal(columnOfLetters(letters), null, letters);
});

test('R98 a column goes by its title as well, and a title that looks like letters is a title', () => {
  const sheet = { columns: ['time', 'A', 'user'] };
  assert.equal(columnOf(sheet, 'user'), 2);
  assert.equal(columnOf(sheet, 'A'), 1);
  assert.equal(columnOf(sheet, 'B'), 1);
  assert.equal(columnOf(sheet, 'nobody'), null);
});

test('R98 what would be taken for a formula is guarded; numbers and other text are not; and it can be undone', () => {
  for (const text of ['=1+1', '+cmd|x', '-2+3', '@SUM(A1)', '\t=1', ' =1', '\r=1', '\n', '＝1', "'=1", "''@x"]) {
    assert.equal(guardFormula(text), `'${text}`, JSON.stringify(text));
    assert.equal(unguardFormula(guardFormula(text)), text);
  }
  for (const text of ['', 'a=b', '-5', '+81312345678', '-1.5e-3', "'", "it's", "'quoted'", '2026-11-23']) {
    assert.equal(guardFormula(text), text, JSON.stringify(text));
    assert.equal(unguardFormula(text), text);
  }
});

test('R98 R99 cells by titles or letters become cells by letters, and what cannot is said', () => {
  const sheet = { columns: ['time', 'user name'] };
  const read = cellsByLetter(sheet, { 'user name': 'Ada', A: 1, AB: null });
  assert.deepEqual(read, { ok: true, cells: { B: 'Ada', A: 1, AB: null } });
  assert.deepEqual(cellsByTitle(sheet, { A: 1, B: 'Ada', AB: null }), { time: 1, 'user name': 'Ada', AB: null });
  const faults: [Record<string, string>, string][] = [
    [{ 'user nme': '' }, 'has no column "user nme"; did you mean user name?'],
    [{ a: '' }, 'has no column "a"'],
    [{ XFE: '' }, 'has no column "XFE"'],
    [{ A: '', time: '' }, 'is given the column A twice, once as "time"'],
    [{ A: 'x'.repeat(32_768) }, 'cannot hold what is for "A": a cell has at most 32,767 characters'],
  ];
  for (const [cells, fault] of faults) assert.deepEqual(cellsByLetter(sheet, cells), { ok: false, fault });
  const none = cellsByLetter({ columns: [] }, { user: 1 });
  assert.deepEqual(none, { ok: false, fault: 'has no column "user": columns are A to XFD' });
});

test('R99 a list or an object is its JSON in a cell; numbers stay numbers, what is missing is empty', () => {
  assert.equal(cellOf({ a: [1, null] }), '{"a":[1,null]}');
  assert.deepEqual(['text', 1.5, true, null, 'half \ud800'].map(cellOf), ['text', 1.5, true, null, 'half \ufffd']);
});
