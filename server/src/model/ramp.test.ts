import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Ramp } from './ramp.ts';

test('R124 a recovery begins slowly, doubles with each second in which the endpoint coped, and ends', () => {
  const ramp = new Ramp(0);
  const paces: number[] = [];
  let now = 0;
  do paces.push(ramp.paceMs);
  while (!ramp.succeeded((now += 1000)));
  assert.deepEqual(paces, [50, 25, 12.5, 6.25, 3.125, 1.5625]);
});

test('R124 a recovery that meets "too much" goes half as fast, once per round, and never stops', () => {
  const ramp = new Ramp(0);
  ramp.failed({ sentAt: 10, now: 20 });
  ramp.failed({ sentAt: 15, now: 30 });
  assert.equal(ramp.paceMs, 100);
  assert.equal(ramp.succeeded(1010), false);
  assert.equal(ramp.paceMs, 100, 'a second has not passed since');
  for (let now = 100; now < 200; now++) ramp.failed({ sentAt: now, now });
  assert.equal(ramp.paceMs, 1000);
});
