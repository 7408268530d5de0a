// Parameters of runs: types, defaults, allowed values, names that are none.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Param } from './definition.ts';
import { checkParams, faultsInWords } from './params.ts';

const DECLARED: Record<string, Param> = {
  table: { type: 'text', description: '' },
  count: { type: 'integer', default: 3, description: '' },
  ratio: { type: 'number', default: 0.5, description: '' },
  dry: { type: 'boolean', default: false, description: '' },
  size: { type: 'text', oneOf: ['small', 'large'], default: 'small', description: '' },
};

function faults(given: Record<string, unknown>): string[] {
  const checked = checkParams(DECLARED, given);
  return checked.ok ? [] : checked.faults.map(({ name, message }) => `${name}: ${message}`);
}

test('defaults are filled in, what is given counts', () => {
  assert.deepEqual(checkParams(DECLARED, { table: 'orders', dry: true }), {
    ok: true,
    params: { table: 'orders', count: 3, ratio: 0.5, dry: true, size: 'small' },
  });
  assert.deepEqual(checkParams({}), { ok: true, params: {} });
});

test('wrong parameters are named, each with its reason, and nothing is coerced', () => {
  assert.deepEqual(faults({}), ['table: table has to be given.']);
  assert.deepEqual(faults({ table: 3, count: '3', ratio: Number.NaN, dry: 'yes', size: 'huge' }), [
    'table: table must be a text.',
    'count: count must be an integer.',
    'ratio: ratio must be a number.',
    'dry: dry must be true or false.',
    'size: size must be one of "small", "large".',
  ]);
  assert.deepEqual(faults({ table: '', count: 1.5, tabel: 'x' }), [
    'tabel: There is no parameter tabel; did you mean table?',
    'count: count must be an integer.',
  ]);
  assert.deepEqual(faults({ table: null, __proto__x: 1 }).length, 2);
  const none = checkParams({}, { a: 1, toString: 2 });
  assert.equal(none.ok, false);
  assert.match(
    none.ok ? '' : faultsInWords(none.faults),
    /no parameter a; this flow has none\. There is no parameter toString/,
  );
});
