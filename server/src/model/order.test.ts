import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lineOf, orderFault } from './order.ts';

function envelope(over: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ specversion: '1.0', id: 'a', source: '/s', type: 't', ...over }));
}

test('R124 a key is an attribute or a member of the data; what lacks it, or has null, stands in one line', () => {
  const event = envelope({ subject: 'x', data: { user: { id: 7 }, none: null, list: [1] } });
  assert.equal(lineOf(event, null), '');
  assert.equal(lineOf(event, 'subject'), '"x"');
  assert.equal(lineOf(event, 'data/user/id'), '7');
  for (const key of ['partition', 'data/none', 'data/missing', 'data/user/id/deeper', 'data/user/toString']) {
    assert.equal(lineOf(event, key), 'null', key);
  }
  assert.equal(lineOf(envelope({ data_base64: 'AAAA' }), 'data/0'), 'null');
  assert.notEqual(lineOf(envelope({ data: { id: '7' } }), 'data/id'), lineOf(envelope({ data: { id: 7 } }), 'data/id'));
});

test('R124 an order that cannot be kept is refused with the reason', () => {
  const fifo = { kind: 'fifo', key: null, onFailure: 'skip', tries: null } as const;
  assert.equal(orderFault(fifo, 'in-order'), null);
  assert.match(orderFault(fifo, 'fresh-first') ?? '', /recovered in order/);
  assert.match(orderFault({ ...fifo, onFailure: 'block', tries: 3 }, 'in-order') ?? '', /never gives up/);
  for (const key of ['', 'Data', 'data', 'data/', 'data//x', 'a/b']) {
    const fault = orderFault({ ...fifo, key }, 'in-order');
    assert.equal(fault === null, key === 'data', key);
  }
});
