// The depth of chains of runs: by the header of a post-processing, by the event of a run's end, by what a run publishes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { depthAfterEvent, depthAfterRequest } from './depth.ts';

test('R16 a request of a post-processing is one deeper than the run it tells of; any other begins a chain', () => {
  assert.equal(depthAfterRequest('0', false), 1);
  assert.equal(depthAfterRequest('9', true), 10);
  assert.equal(depthAfterRequest(undefined, true), 1);
  for (const other of [undefined, '', '-1', '1.5', 'x', '12345678', ' 1', '1e3'])
    assert.equal(depthAfterRequest(other, false), 0);
});

test('R16 an event of a run is one deeper than it; any other begins a chain', () => {
  const of = (type: string, attributes: Record<string, unknown>, data: unknown): number =>
    depthAfterEvent({ type, attributes, data });
  assert.equal(of('bellwire.job.completed', {}, { depth: 3 }), 4);
  assert.equal(of('com.example.made', { bellwiredepth: 2 }, { depth: 7 }), 3);
  assert.equal(of('com.example.made', {}, { depth: 7 }), 0);
  for (const depth of [-1, 1.5, '3', null]) assert.equal(of('bellwire.job.failed', {}, { depth }), 0);
  assert.equal(of('bellwire.job.failed', {}, null), 0);
});
