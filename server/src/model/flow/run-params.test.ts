// Parameters of runs: typed, with defaults; everything that is wrong at once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Param } from './definition.ts';
import { judgeParams } from './run-params.ts';

const declared: Record<string, Param> = {
  table: { type: 'text', oneOf: ['orders', 'users'], description: '' },
  rows: { type: 'integer', default: 10, description: '' },
  share: { type: 'number', default: 0.5, description: '' },
  all: { type: 'boolean', default: false, description: '' },
};

test('run parameters are typed, with defaults', () => {
  assert.deepEqual(judgeParams(declared, { table: 'users', all: true }), {
    ok: true,
    params: { table: 'users', rows: 10, share: 0.5, all: true },
  });
  assert.deepEqual(judgeParams({}, {}), { ok: true, params: {} });
});

test('wrong parameters: all of them by name, nothing converted', () => {
  const judged = judgeParams(declared, { tabel: 'users', rows: 1.5, share: '1', all: 'true' });
  assert.ok(!judged.ok);
  assert.deepEqual(
    judged.faults.map(({ message }) => message),
    [
      'There is no param "tabel"; did you mean table?',
      'The param table has to be given.',
      'The param rows must be of type integer.',
      'The param share must be of type number.',
      'The param all must be of type boolean.',
    ],
  );
  const other = judgeParams(declared, { table: 'all' });
  assert.deepEqual(!other.ok && other.faults[0]?.message, 'The param table must be one of: orders, users.');
  const strange = judgeParams({}, { constructor: 1 });
  assert.deepEqual(!strange.ok && strange.faults.length, 1);
});
