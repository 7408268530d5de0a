// The way of spans to a collector that is away, slow or no collector: nothing else notices, and what is lost is told.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { startReceiver, type Answer } from '../../test/kit/receiver.ts';
import { systemClock } from '../src/clock.ts';
import type { Log } from '../src/log/index.ts';
import { createMetrics } from '../src/metrics.ts';
import { openTracing } from '../src/tracing/index.ts';
import { SpanQueue } from '../src/tracing/span-queue.ts';

type Line = [fields: Record<string, unknown>, message: string];

function listening(): { log: Log; lines: Line[] } {
  const lines: Line[] = [];
  const take = (fields: object, message: string): void => void lines.push([{ ...fields }, message]);
  const log: Log = { debug: take, info: take, warn: take, error: take, child: () => log };
  return { log, lines };
}

test('tracing: a full queue drops what comes, counts it, and tells of it once a minute', async () => {
  const clock = testClock();
  const { log, lines } = listening();
  const metrics = createMetrics();
  const dropped = metrics.counter({ name: 'dropped', help: '', labels: ['reason'] });
  const taken: number[] = [];
  let answer: (() => void) | undefined;
  const queue = new SpanQueue({
    clock,
    log,
    dropped,
    exporter: {
      export: (spans, done) => {
        taken.push(spans.length);
        answer = () => done({ code: 0 });
      },
    },
  });
  for (let i = 0; i < 5_000; i++) queue.onEnd({} as never);
  // One request is under way, with as many as one takes; the queue behind it is full.
  assert.deepEqual(taken, [512]);
  assert.match(await metrics.read(), /dropped\{reason="queue"\} 392/);
  assert.deepEqual(lines, [[{ spans: 1, reason: 'more wait than the queue holds' }, 'spans were dropped']]);
  const flushed = queue.forceFlush();
  while (taken.length < 9) {
    answer?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  answer?.();
  await flushed;
  assert.equal(
    taken.reduce((sum, one) => sum + one),
    4_608,
  );
});

const STRANGE: [string, Answer | null, RegExp][] = [
  ['refuses', { status: 403, headers: { 'content-type': 'text/html' }, body: '<html>no</html>' }, /answers 403/],
  ['hangs', { mood: 'hang' }, /has stopped/],
  ['resets', { mood: 'refuse' }, /has stopped|cannot be reached/],
  ['is not there', null, /has stopped|cannot be reached/],
];

for (const [what, answer, reason] of STRANGE) {
  test(`tracing: a collector that ${what} holds nothing up, and what it does not take is counted`, async (t) => {
    const receiver = await startReceiver();
    t.after(() => receiver.stop());
    if (answer === null) await receiver.stop();
    else receiver.behave(answer);
    const { log, lines } = listening();
    const metrics = createMetrics();
    const clock = testClock();
    const { tracer, stop } = await openTracing({
      setting: { endpoint: `${receiver.url}/v1/traces`, sample: 1, headers: {}, service: 's', attributes: {} },
      clock,
      log,
      metrics,
      version: '0',
      node: 'n',
    });
    tracer.begin('one', { parent: null }).end();
    const stopped = stop();
    // Whoever answers is heard at once; for others it is two seconds, and no more.
    if (what !== 'refuses') await clock.advance(2_000);
    await stopped;
    assert.match(await metrics.read(), /bellwire_trace_spans_dropped_total\{reason="\w+"\} 1/);
    assert.match(String(lines[0]?.[0]['reason']), reason);
    assert.ok(!JSON.stringify(lines).includes('html'));
  });
}

test('tracing: the share of traces that are begun here is recorded; links decide where there are any', async () => {
  const receiver = await startReceiver();
  const { tracer, stop } = await openTracing({
    setting: { endpoint: receiver.url, sample: 0.25, headers: {}, service: 's', attributes: {} },
    clock: systemClock,
    log: listening().log,
    metrics: createMetrics(),
    version: '0',
    node: 'n',
  });
  const spans = Array.from({ length: 2_000 }, () => tracer.begin('one', { parent: null }));
  const recorded = spans.filter(({ isRecorded }) => isRecorded).length;
  assert.ok(recorded > 350 && recorded < 650, `${recorded} of 2000`);
  assert.equal(new Set(spans.map(({ trace }) => trace)).size, 2_000);
  for (const { trace, isRecorded } of spans) assert.match(trace, isRecorded ? /^00-\w{32}-\w{16}-01$/ : /-00$/);
  const yes = spans.find(({ isRecorded }) => isRecorded);
  const no = spans.find(({ isRecorded }) => !isRecorded)!;
  assert.ok(tracer.begin('two', { parent: null, links: [no.trace, yes!.trace] }).isRecorded);
  assert.ok(!tracer.begin('two', { parent: null, links: [no.trace] }).isRecorded);
  assert.equal(tracer.begin('child', { parent: no.trace }).trace, no.trace, 'who is not recorded goes on as it came');
  await stop();
  await receiver.stop();
});
