import assert from 'node:assert/strict';
import { test } from 'node:test';
import { didYouMean, nearNames } from './near-names.ts';

const types = [
  'com.hpe.greenlake.audit-log.v1.logs.created',
  'com.hpe.greenlake.subscriptions.v1.expiring-subscriptions',
  'com.example.order.created',
];

test('R116 a mistyped event type finds the one that was meant', () => {
  const table: [typed: string, meant: string][] = [
    ['com.hpe.greenlake.audit-log.v1.logs.craeted', types[0] as string],
    ['com.hpe.greenlake.audit-log.v1.log.created', types[0] as string],
    ['com.hpe.greenlake.auditlog.v1.logs.created', types[0] as string],
    ['COM.HPE.GREENLAKE.AUDIT-LOG.V1.LOGS.CREATED', types[0] as string],
    ['audit-log.v1.logs.created', types[0] as string],
    ['expiring-subscriptions', types[1] as string],
    ['com.example.order', types[2] as string],
  ];
  for (const [typed, meant] of table) assert.equal(nearNames(typed, types)[0], meant, typed);
});

test('R116 nothing is suggested when nothing is near', () => {
  assert.deepEqual(nearNames('org.acme.invoice.paid', types), []);
  assert.deepEqual(nearNames('', types), []);
  assert.deepEqual(nearNames('cat', ['dog', 'bird', 'a']), []);
});

test('the nearest comes first, ties in alphabetical order, no more than asked for', () => {
  assert.deepEqual(nearNames('port', ['sort', 'ports', 'port', 'part', 'fort']), ['port', 'fort', 'part']);
  assert.deepEqual(nearNames('liisten', ['listen', 'listener'], 1), ['listen']);
});

test('two exchanged neighbours are one slip', () => {
  assert.deepEqual(nearNames('lsiten', ['listen']), ['listen']);
});

test('a hostile name or list stays bounded: it is cut and the answer still comes', () => {
  const many = Array.from({ length: 200_000 }, (_, i) => `type-${i}`);
  assert.equal(nearNames('type-77', many)[0], 'type-77');
  assert.deepEqual(nearNames('x'.repeat(1_000_000), ['y'.repeat(1_000_000)]), []);
});

test('suggestions read as the end of a sentence', () => {
  assert.equal(didYouMean('sort', ['port']), '; did you mean port?');
  assert.equal(didYouMean('port', ['fort', 'part', 'sort']), '; did you mean fort, part or sort?');
  assert.equal(didYouMean('zzz', ['port']), '');
});
