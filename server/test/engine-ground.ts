// The ground a test of the engine stands on: a real store, the real transport, a clock turned by hand, an active webhook.
import { randomUUID } from 'node:crypto';
import type { TestContext } from 'node:test';
import { testClock, type TestClock } from '../../test/kit/clock.ts';
import { createDelivering, type AttemptEnd, type Delivering, type DeliveringOptions } from '../src/engine/index.ts';
import { openStore, type NewWebhook, type Store, type Webhook } from '../src/store/index.ts';
import { sqliteGround, type Ground } from './store-ground.ts';
import { addWorkspace, mustPublish, newWebhook, NOON, someEvents, subscribe, type Place } from './store-furniture.ts';

/** An engine under test. */
export interface EngineGround extends Place {
  ground: Ground;
  clock: TestClock;
  delivering: Delivering;
  /** Attempts that were written down. */
  ends: AttemptEnd[];
  errors: unknown[];
  /** Makes a webhook that is subscribed to `com.example.*`. */
  webhook(url: string, over?: Partial<NewWebhook>): Promise<Webhook>;
  /** Publishes that many events. */
  publish(count?: number): Promise<void>;
  /** Stops delivering, as a process that ends does, and begins again with what the store has. */
  restart(): Promise<void>;
  /** Lets time pass in twenty steps, and I/O proceed in each: for what must not happen. */
  pass(ms: number): Promise<void>;
  /** Turns the clock in steps of 10 ms, as far as I/O needs, until something is so. */
  until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void>;
}

/** Starts one. `around` may stand between the engine and its store. */
export async function startEngine(
  t: TestContext,
  over: Partial<DeliveringOptions> = {},
  around: (store: Store) => Store = (store) => store,
): Promise<EngineGround> {
  const ground = await sqliteGround(t);
  const store = around(await openStore({ ...ground.options, node: `node-${++names}` }));
  const clock = testClock(NOON);
  const ends: AttemptEnd[] = [];
  const errors: unknown[] = [];
  const begin = (): Delivering =>
    createDelivering({
      ...settings(),
      store,
      clock,
      onError: (error) => errors.push(error),
      onAttempt: (end) => ends.push(end),
      ...over,
    });
  const stop = async (): Promise<void> => {
    let isStopped = false;
    const stopped = engine.delivering.stop(1000).finally(() => (isStopped = true));
    while (!isStopped) await clock.advance(100);
    await stopped;
  };
  t.after(async () => {
    await stop();
    await store.close();
  });
  const delivering = begin();
  await delivering.start();
  const workspace = await addWorkspace(store);
  const engine: EngineGround = {
    store,
    workspace,
    ground,
    clock,
    delivering,
    ends,
    errors,
    async webhook(url, more) {
      const made = await store.settings.createWebhook(newWebhook(workspace, `w${++names}`, { url, ...more }));
      await subscribe(store, made, { type: 'com.example.*' });
      return made;
    },
    async publish(count = 1) {
      await mustPublish({ store, workspace }, someEvents(count, `e${++names}-`), clock.now());
    },
    async restart() {
      await stop();
      engine.delivering = begin();
      await engine.delivering.start();
    },
    async pass(ms) {
      for (let step = 0; step < 20; step++) {
        await clock.advance(ms / 20);
        // What was asked of the store before this has been answered after it.
        for (let turn = 0; turn < 5; turn++) await store.check();
      }
    },
    async until(what, isSo) {
      const giveUpAt = performance.now() + 10_000;
      while (!(await isSo())) {
        if (performance.now() > giveUpAt) throw new Error(`still not so: ${what}`);
        await clock.advance(10);
        // Time must not run ahead of the store's answers.
        await store.check();
      }
    },
  };
  return engine;
}

/** How an engine under test challenges. */
export const CHALLENGE: DeliveringOptions['challenge'] = {
  source: 'https://tests.example/events',
  attempts: 3,
  intervalMs: 5000,
  timeoutMs: 2000,
  success: 'exactly-200',
  origin: 'tests.example',
  concurrency: 64,
  recheckMs: 900_000,
};

let names = 0;

/** What an engine under test is made of, beside its store and its clock. */
export function settings(): Omit<DeliveringOptions, 'store' | 'clock' | 'onError'> {
  return {
    node: `node-${++names}`,
    dice: () => 0.5,
    uuid: randomUUID,
    userAgent: 'Bellwire/test',
    allowAddresses: ['127.0.0.0/8'],
    plan: { delaysMs: [5_000, 10_000, 20_000, 40_000, 80_000], jitter: 0 },
    timeoutMs: 5000,
    window: { min: 1, start: 8, max: 64 },
    queuePerWebhook: 1000,
    queueBytes: 64 * 1024 * 1024,
    concurrency: 256,
    settleDelayMs: 10,
    challenge: CHALLENGE,
    backlog: null,
    report: { intervalMs: 60_000, timeoutMs: 5_000 },
    mail: null,
    lease: { leaseMs: 15_000, heartbeatMs: 5000 },
    fanout: 1000,
    retention: { eventsMs: 1e12, deliveriesMs: 1e12, idempotencyMs: 1e12, changesMs: 1e12, runsMs: 1e12 },
  };
}
