import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { narrow, openWindow, widen } from './window.ts';

const limits = { min: 1, start: 8, max: 64 };

test('R53 a window begins small and doubles with each round of successes, up to its bound', () => {
  let window = openWindow(limits);
  assert.equal(window.size, 8);
  for (const size of [16, 32, 64, 64]) {
    for (let sent = window.size; sent > 0; sent--) window = widen(window, limits);
    assert.equal(window.size, size);
  }
});

test('R53 a setback halves it, and from there it grows by about one a round', () => {
  let window = narrow({ ...openWindow(limits), size: 40 }, limits, { sentAt: 5, now: 10 });
  assert.deepEqual([window.size, window.threshold], [20, 20]);
  for (let sent = 20; sent > 0; sent--) window = widen(window, limits);
  assert.ok(window.size > 20.9 && window.size <= 21, String(window.size));
});

test('R53 what was sent before the last setback says nothing new', () => {
  const first = narrow({ ...openWindow(limits), size: 40 }, limits, { sentAt: 5, now: 10 });
  assert.equal(narrow(first, limits, { sentAt: 9, now: 12 }), first);
  assert.equal(narrow(first, limits, { sentAt: 10, now: 15 }).size, 10);
});

test('R53 whatever happens, it stays within its bounds', () => {
  const bounds = fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 0, max: 8 }),
    fc.integer({ min: 0, max: 64 }),
  );
  fc.assert(
    fc.property(bounds, fc.array(fc.boolean(), { maxLength: 300 }), ([min, more, most], steps) => {
      const of = { min, start: min + more, max: min + more + most };
      let window = openWindow(of);
      for (const [now, good] of steps.entries()) {
        window = good ? widen(window, of) : narrow(window, of, { sentAt: now, now });
        assert.ok(window.size >= of.min && window.size <= of.max, String(window.size));
        assert.ok(Math.floor(window.size) >= 1, 'something may always be sent');
      }
    }),
  );
});
