// Errors that the parts report: each its line, but for an outage of the store, which all of them meet all the time.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { createErrorLog } from '../src/error-log.ts';
import type { Log } from '../src/log/index.ts';
import { StoreOutage } from '../src/store/index.ts';

test('the log of an outage is one line a minute, whoever meets it; another error has its own', async () => {
  const lines: [others: unknown, message: string][] = [];
  const take = ({ others }: Record<string, unknown>, message: string): void => void lines.push([others, message]);
  const log: Log = { debug: take, info: take, warn: take, error: take, child: () => log };
  const clock = testClock();
  const { store, engine, flows } = createErrorLog(log, clock);
  const outage = new StoreOutage('the disk is full');
  for (let at = 0; at < 90; at++) {
    store(outage);
    engine(new Error('fan-out: the disk is full', { cause: outage }));
    if (at === 30) flows(new Error('a bug'));
    await clock.advance(1_000);
  }
  assert.deepEqual(lines, [
    [0, 'the store is out of order'],
    [undefined, 'the flow engine reports an error'],
    [119, 'the store is out of order'],
  ]);
});
