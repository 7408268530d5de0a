import assert from 'node:assert/strict';
import { test } from 'node:test';
import { batchingFault, companyUntil, countTogether, DEFAULT_BATCHING, type Waiting } from './batch.ts';
import { encodeBatch } from './cloud-events/index.ts';
import { ANY_ORDER } from './order.ts';

const NOW = 1_000_000;
const waiting = (bytes: number, over: Partial<Waiting> = {}): Waiting => {
  const carried = { event: 1, type: 't', envelope: new Uint8Array(bytes), trace: null };
  return { batch: null, dueAt: NOW, carried, ...over };
};
const count = (bounds: Partial<typeof DEFAULT_BATCHING>, all: readonly Waiting[]): number =>
  countTogether({ ...DEFAULT_BATCHING, ...bounds }, all, NOW);

test('Batches: ten events or 60 s, unless a webhook says otherwise', () => {
  assert.deepEqual(DEFAULT_BATCHING, { events: 10, waitMs: 60_000, bytes: 1_048_576 });
});

test('Batches: as many go together as the bounds allow, and one in any case', () => {
  const five = [100, 100, 100, 100, 100].map((bytes) => waiting(bytes));
  assert.equal(count({ events: 3 }, five), 3);
  assert.equal(count({ events: 9 }, five), 5);
  assert.equal(count({ events: 9, bytes: 100 }, five), 1);
  assert.equal(count({ events: 9, bytes: 10 }, [waiting(5000)]), 1);
});

test('Batches: the bound on bytes is that of the body, brackets and commas included', () => {
  const three = [10, 20, 30].map((bytes) => waiting(bytes));
  const body = encodeBatch(three.map(({ carried }) => carried.envelope)).length;
  assert.equal(count({ bytes: body }, three), 3);
  assert.equal(count({ bytes: body - 1 }, three), 2);
});

test('Batches: one that was formed before goes by itself, and what is not due joins none', () => {
  const formed = waiting(10, { batch: 4 });
  const later = waiting(10, { dueAt: NOW + 1 });
  assert.equal(count({}, [formed, waiting(10)]), 1);
  assert.equal(count({}, [waiting(10), waiting(10), formed]), 2);
  assert.equal(count({}, [waiting(10), later, waiting(10)]), 1);
});

test('Batches: a wait that a clock set back has made endless is over', () => {
  assert.equal(companyUntil(DEFAULT_BATCHING, { createdAt: NOW }, NOW), NOW + 60_000);
  assert.equal(companyUntil(DEFAULT_BATCHING, { createdAt: NOW + 1 }, NOW), 0);
});

test('Batches: what they do not go with is said', () => {
  const plain = { batch: DEFAULT_BATCHING, order: ANY_ORDER, recovery: 'in-order', format: 'structured' } as const;
  const fifo = { kind: 'fifo', key: null, onFailure: 'block', tries: null } as const;
  assert.equal(batchingFault(plain), null);
  assert.equal(batchingFault({ ...plain, order: fifo }), null);
  assert.match(batchingFault({ ...plain, order: { ...fifo, key: 'subject' } })!, /without a key/);
  assert.match(batchingFault({ ...plain, format: 'binary' })!, /"structured"/);
  assert.match(batchingFault({ ...plain, recovery: 'fresh-first' })!, /fresh-first/);
  assert.equal(batchingFault({ ...plain, batch: null, format: 'binary' }), null);
});
