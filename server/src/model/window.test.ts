import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Window } from './window.ts';

const limits = { min: 1, start: 8, max: 64 };
const quick = { durationMs: 10, sentAt: 0, now: 0 };

function grown(size: number): Window {
  const window = new Window(limits);
  while (window.size < size) window.succeeded(quick);
  return window;
}

test('R53 a window begins small and doubles with each round of successes, up to its bound', () => {
  const window = new Window(limits);
  assert.equal(window.size, 8);
  for (const size of [16, 32, 64, 64]) {
    for (let sent = window.size; sent > 0; sent--) window.succeeded(quick);
    assert.equal(window.size, size);
  }
});

test('R53 429 and 5xx halve it, and from there it grows by about one a round', () => {
  const window = grown(40);
  window.overwhelmed({ sentAt: 5, now: 10 });
  assert.equal(window.size, 20);
  for (let sent = 20; sent > 0; sent--) window.succeeded(quick);
  assert.ok(window.size > 20.9 && window.size <= 21, String(window.size));
});

test('R53 silence until time is up leaves one place; answers bring half of it back quickly', () => {
  const window = grown(40);
  window.unanswered({ sentAt: 5, now: 10 });
  assert.equal(window.size, 1);
  for (let sent = 0; sent < 19; sent++) window.succeeded(quick);
  assert.equal(window.size, 20);
  window.succeeded(quick);
  assert.ok(window.size < 20.1);
});

test('R53 what was sent before the last setback says nothing new', () => {
  const window = grown(40);
  window.overwhelmed({ sentAt: 5, now: 10 });
  window.overwhelmed({ sentAt: 9, now: 12 });
  window.unanswered({ sentAt: 9, now: 12 });
  assert.equal(window.size, 20);
  window.overwhelmed({ sentAt: 10, now: 15 });
  assert.equal(window.size, 10);
});

test('R53 answers much slower than the endpoint’s own best stop the growth, then narrow it, not below the start', () => {
  const window = grown(32);
  for (let n = 0; n < 40; n++) window.succeeded({ durationMs: 150, sentAt: 0, now: 1 });
  const stopped = window.size;
  for (let n = 0; n < 40; n++) window.succeeded({ durationMs: 150, sentAt: 0, now: 1 });
  assert.equal(window.size, stopped, 'slow answers add nothing');
  for (let now = 2; now < 100; now++) window.succeeded({ durationMs: 2000, sentAt: now, now });
  assert.equal(window.size, 8);
});

test('R53 an endpoint that always takes its time is not slow; its best is what it was of late', () => {
  const window = new Window(limits);
  for (let now = 0; now < 64; now++) window.succeeded({ durationMs: 2000, sentAt: now, now });
  assert.equal(window.size, 64);
  const turned = grown(32);
  for (let now = 0; now < 200_000; now += 1000) turned.succeeded({ durationMs: 3000, sentAt: now, now });
  assert.ok(turned.size > 12, `after two minutes slow is what it is: ${turned.size}`);
});

test('R53 whatever happens, it stays within its bounds', () => {
  const bounds = fc.tuple(
    fc.integer({ min: 1, max: 8 }),
    fc.integer({ min: 0, max: 8 }),
    fc.integer({ min: 0, max: 64 }),
  );
  const step = fc.record({
    what: fc.constantFrom('succeeded', 'overwhelmed', 'unanswered', 'reset'),
    durationMs: fc.integer({ min: 1, max: 5000 }),
    passes: fc.integer({ min: -50, max: 40_000 }),
  });
  fc.assert(
    fc.property(bounds, fc.array(step, { maxLength: 300 }), ([min, more, most], steps) => {
      const of = { min, start: min + more, max: min + more + most };
      const window = new Window(of);
      let now = 0;
      for (const { what, durationMs, passes } of steps) {
        now += passes;
        window[what as 'succeeded']({ durationMs, sentAt: now, now });
        assert.ok(window.size >= of.min && window.size <= of.max, String(window.size));
      }
    }),
  );
});
