// Trace contexts as headers and events bring them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isSampled,
  readTraceContext,
  spanIdOf,
  traceHeaders,
  traceIdOf,
  traceparentOf,
  tracestateOf,
} from './trace-context.ts';

const PARENT = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

test('W3C Trace Context 3.2: a traceparent is kept as it came, of a later version, too; a malformed one is none', () => {
  assert.equal(readTraceContext(PARENT), PARENT);
  const later = `cc${PARENT.slice(2)}-what-the-future-will-be-like`;
  assert.equal(readTraceContext(later), later);
  const malformed = [
    undefined,
    7,
    '',
    PARENT.toUpperCase(),
    `ff${PARENT.slice(2)}`,
    `${PARENT}-x`,
    `${PARENT}, ${PARENT}`,
    PARENT.replace(/-b7ad6b7169203331-/, '-0000000000000000-'),
    PARENT.replace(/0af7651916cd43dd8448eb211c80319c/, '0'.repeat(32)),
    `cc${PARENT.slice(2)}.x`,
    `cc${PARENT.slice(2)}-${'x'.repeat(600)}`,
    // A blank would part it from its tracestate; what no header can hold could never be delivered.
    ...['a b', 'é', '😀', 'a\r\nx: y'].map((future) => `cc${PARENT.slice(2)}-${future}`),
  ];
  for (const one of malformed) assert.equal(readTraceContext(one), null, String(one));
});

test('W3C Trace Context 3.3: a tracestate goes with it; a malformed or endless one is as if it were not there', () => {
  const state = 'rojo=00f067aa0ba902b7,congo=t61rcWkgMzE, tenant@vendor=a b';
  const trace = readTraceContext(PARENT, state)!;
  assert.deepEqual([traceparentOf(trace), tracestateOf(trace)], [PARENT, state]);
  assert.deepEqual(traceHeaders(trace), { traceparent: PARENT, tracestate: state });
  assert.deepEqual(traceHeaders(PARENT), { traceparent: PARENT });
  const malformed = [
    '',
    ' ',
    'a',
    'A=1',
    'a=',
    'a=1=2',
    'a=1\r\nx: y',
    'a=é',
    `a=${'x'.repeat(600)}`,
    'a=1,'.repeat(33),
  ];
  for (const one of malformed) assert.equal(readTraceContext(PARENT, one), PARENT, one);
  assert.equal(readTraceContext(undefined, state), null, 'alone it says nothing');
});

test('W3C Trace Context 3.2.2: its parts, with and without a tracestate', () => {
  for (const trace of [PARENT, `${PARENT} a=1`]) {
    assert.equal(traceIdOf(trace), '0af7651916cd43dd8448eb211c80319c');
    assert.equal(spanIdOf(trace), 'b7ad6b7169203331');
    assert.equal(isSampled(trace), true);
    assert.equal(isSampled(trace.replace('-01', '-02')), false);
    assert.equal(isSampled(trace.replace('-01', '-03')), true);
  }
});
