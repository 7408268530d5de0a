// Delivery in the field: beside neighbours that hang, with a million deliveries held, after a crash, for a long time.
import { createClient } from '../server/src/client/index.ts';
import { deliver, publish, receiverUrl, rssMiB, serve, type Ground, type Served } from './measure.ts';
import { percentiles, type Figure } from './figures.ts';
import { register, subscribe, TYPE, type Address } from './setup.ts';

/** What is measured, by the name that `--case=field/NAME` takes; `scale` 1 is the whole of it. */
export const FIELD: Record<string, (ground: Ground, scale: number) => Promise<Omit<Figure, 'engine'>[]>> = {
  neighbour,
  backlog,
  stored,
  polling,
  soak,
};

const HANGING = 'com.example.hanging.v1';

/** A healthy endpoint at 100 events/s beside so many that hang, each of which gets 20 events/s. */
async function neighbour(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const figures: Omit<Figure, 'engine'>[] = [];
  let alone = 0;
  for (const hanging of [0, 50, 1_000]) {
    const platform = await serve(ground);
    await register(platform, TYPE);
    await register(platform, HANGING);
    const target = receiverUrl(ground);
    await subscribe(platform, { fanout: 1, target });
    const other = await neighbours(platform, `${target}hang/`, hanging);
    await deliver({ fanout: 1, perRequest: 1, connections: 32, rate: 0, events: 5_000 }, platform, ground);
    const events = Math.round(2_000 * scale);
    const load = { type: HANGING, perRequest: 1, connections: 4, rate: 20, events: Math.round(400 * scale) };
    const beside = hanging > 0 ? publish(load, other) : Promise.resolve();
    const { delays } = await deliver(
      { fanout: 1, perRequest: 1, connections: 32, rate: 100, events },
      platform,
      ground,
    );
    await beside;
    await platform.stop();
    const { p50, p99 } = percentiles(delays);
    if (hanging === 0) alone = p99;
    const where = hanging === 0 ? 'alone' : `beside ${hanging} hanging`;
    figures.push({ what: `healthy p50 ${where}`, value: p50, unit: 'ms' });
    figures.push({ what: `healthy p99 ${where}`, value: p99, unit: 'ms' });
    if (hanging > 0) figures.push({ what: `p99 ${where} ÷ alone`, value: p99 / alone, unit: '×' });
  }
  return figures;
}

/** Another customer's workspace with webhooks that never get an answer. */
async function neighbours(platform: Served, target: string, count: number): Promise<Address> {
  const admin = createClient(platform);
  const { id } = await admin.workspaces.create({ name: 'neighbour' });
  const { key } = await admin.keys.create({
    name: 'neighbour',
    scopes: ['publish', 'manage', 'read'],
    workspaces: [id],
  });
  const address = { url: platform.url, key: key! };
  await subscribe(address, { fanout: count, target, type: HANGING });
  return address;
}

/** A million deliveries held for a hundred webhooks; a crash in the middle of their recovery; the drain. */
async function backlog(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const webhooks = 100;
  const events = Math.round(10_000 * scale);
  const first = await serve(ground);
  await register(first, TYPE);
  const ids = await subscribe(first, { fanout: webhooks, target: receiverUrl(ground) });
  const client = createClient(first);
  for (const id of ids) await client.webhooks.pause(id);
  await publish({ type: TYPE, perRequest: 100, connections: 4, rate: 0, events }, first);
  const held = rssMiB(first.pid);
  const done = ground.receiver.heard('done');
  await ground.receiver.ask({ kind: 'reset', expected: Infinity }, 'ready');
  const begun = ground.receiver.heard('first');
  for (const id of ids) await client.webhooks.resume(id);
  await begun;
  await ground.receiver.ask({ kind: 'reset', expected: Infinity }, 'ready');
  const restarted = ground.receiver.heard('first');
  const startedAt = performance.timeOrigin + performance.now();
  const second = await first.crash();
  const { at } = await restarted;
  const drained = performance.now();
  const most = await whileDraining(second);
  const seconds = (performance.now() - drained) / 1000;
  ground.receiver.tell({ kind: 'report' });
  const { count } = await done;
  await second.stop();
  const deliveries = webhooks * events;
  return [
    { what: `RSS with ${deliveries} held deliveries`, value: held, unit: 'MiB' },
    { what: 'from start to first delivery after kill -9 with them', value: (at as number) - startedAt, unit: 'ms' },
    { what: 'RSS at most while they drain', value: most, unit: 'MiB' },
    { what: 'drained', value: (count as number) / seconds, unit: 'deliveries/s' },
  ];
}

/** Resolves with the largest RSS seen, in MiB, when nothing is open any more. */
async function whileDraining(platform: Served): Promise<number> {
  const client = createClient(platform);
  let most = 0;
  for (;;) {
    most = Math.max(most, rssMiB(platform.pid));
    const { items } = await client.deliveries.list({ state: 'scheduled', limit: 1 }).page();
    if (items.length === 0) return most;
    await new Promise((again) => setTimeout(again, 500));
  }
}

/** What a delivery costs when ten thousand are stored, and when a million are. */
async function stored(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const platform = await serve(ground);
  await register(platform, TYPE);
  await subscribe(platform, { fanout: 10, target: receiverUrl(ground) });
  const task = { fanout: 10, perRequest: 100, connections: 8, rate: 0 };
  const cost = async (): Promise<number> => {
    const [before, events] = [platform.cpuMs(), Math.round(6_000 * scale)];
    await deliver({ ...task, events }, platform, ground);
    return (platform.cpuMs() - before) / (events * 10);
  };
  await deliver({ ...task, events: 2_000 }, platform, ground);
  const few = await cost();
  await deliver({ ...task, events: Math.round(100_000 * scale) }, platform, ground);
  const many = await cost();
  await platform.stop();
  return [
    { what: 'CPU per delivery at 10^4 stored', value: few, unit: 'ms' },
    { what: 'CPU per delivery at 10^6 stored', value: many, unit: 'ms' },
    { what: 'at 10^6 ÷ at 10^4', value: many / few, unit: '×' },
  ];
}

/** The same events pushed, and read by somebody who asks once a second (R48). */
async function polling(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const platform = await serve(ground);
  await register(platform, TYPE);
  await subscribe(platform, { fanout: 1, target: receiverUrl(ground) });
  const events = Math.round(400 * scale);
  const poller = poll(platform, events);
  const { delays } = await deliver({ fanout: 1, perRequest: 1, connections: 4, rate: 20, events }, platform, ground);
  const polled = percentiles(await poller);
  const pushed = percentiles(delays);
  await platform.stop();
  return [
    { what: 'pushed, p50', value: pushed.p50, unit: 'ms' },
    { what: 'pushed, p99', value: pushed.p99, unit: 'ms' },
    { what: 'polled every second, p50', value: polled.p50, unit: 'ms' },
    { what: 'polled every second, p99', value: polled.p99, unit: 'ms' },
  ];
}

async function poll(platform: Address, events: number): Promise<number[]> {
  const client = createClient(platform);
  const delays: number[] = [];
  let cursor: string | undefined;
  while (delays.length < events) {
    const page = await client.events.list({ order: 'oldest-first', limit: 500, cursor }).page();
    const now = performance.timeOrigin + performance.now();
    for (const { envelope } of page.items) delays.push(now - (envelope['data'] as { sentAt: number }).sentAt);
    cursor = page.next ?? cursor;
    await new Promise((again) => setTimeout(again, 1_000));
  }
  return delays;
}

/** Ten minutes of the same: what memory does after the first. */
async function soak(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const platform = await serve(ground);
  await register(platform, TYPE);
  await subscribe(platform, { fanout: 2, target: receiverUrl(ground) });
  const minutes = Math.max(1, Math.round(10 * scale));
  const each: number[] = [];
  for (let minute = 0; minute < minutes; minute++) {
    await deliver({ fanout: 2, perRequest: 1, connections: 16, rate: 300, events: 300 * 60 }, platform, ground);
    each.push(rssMiB(platform.pid));
  }
  await platform.stop();
  return [
    { what: 'RSS after the first minute', value: each[0]!, unit: 'MiB' },
    { what: `RSS after ${minutes} minutes at 600 deliveries/s`, value: each.at(-1)!, unit: 'MiB' },
    { what: 'RSS at most', value: Math.max(...each), unit: 'MiB' },
  ];
}
