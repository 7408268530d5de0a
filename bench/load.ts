// The publisher of the benchmark, a process of its own: as fast as it is answered, or at a steady rate.
import { Poster } from './wire.ts';

/** What to publish. */
export interface Load {
  port: number;
  key: string;
  events: number;
  /** Events per request: 1 is a single structured event, more a batch. */
  perRequest: number;
  connections: number;
  /** Events per second, or 0 for as fast as it is answered. */
  rate: number;
  type: string;
}

const PAD = 'x'.repeat(760);
let serial = 0;

// About 1 KB, as a publisher would send it.
function event(type: string): string {
  serial++;
  const sentAt = (performance.timeOrigin + performance.now()).toFixed(3);
  return (
    `{"specversion":"1.0","id":"${process.pid}-${serial}","source":"https://bench.example/load","type":"${type}",` +
    `"datacontenttype":"application/json","time":"2026-11-22T12:00:00Z","data":{"sentAt":${sentAt},"n":${serial},"pad":"${PAD}"}}`
  );
}

function body(type: string, events: number): Buffer {
  return Buffer.from(events === 1 ? event(type) : `[${Array.from({ length: events }, () => event(type)).join(',')}]`);
}

async function run({ port, key, events, perRequest, connections, rate, type }: Load): Promise<void> {
  const mediaType = perRequest === 1 ? 'application/cloudevents+json' : 'application/cloudevents-batch+json';
  const head = `POST /v1/events HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${key}\r\ncontent-type: ${mediaType}\r\n`;
  const posters = await Promise.all(Array.from({ length: connections }, () => Poster.open(port)));
  let left = events;
  let failed = 0;
  const send = async (poster: Poster): Promise<void> => {
    const n = Math.min(perRequest, left);
    left -= n;
    const answer = await poster.post(head, body(type, n));
    if (answer.status !== 202) {
      failed++;
      if (failed === 1) console.error(`published in vain: ${answer.status} ${answer.body.toString().slice(0, 300)}`);
    }
  };
  const startedAt = performance.now();
  if (rate === 0)
    await Promise.all(
      posters.map(async (poster) => {
        while (left > 0) await send(poster);
      }),
    );
  else await steadily(posters, { send, rate: rate / perRequest, more: () => left > 0 });
  const tookMs = performance.now() - startedAt;
  for (const poster of posters) poster.close();
  process.send!({ kind: 'loaded', tookMs, failed });
}

// Each request at its own instant, whether or not the former ones have been answered: a slow answer delays nobody.
async function steadily(
  posters: Poster[],
  { send, rate, more }: { send: (poster: Poster) => Promise<void>; rate: number; more: () => boolean },
): Promise<void> {
  const free = [...posters];
  const pending = new Set<Promise<void>>();
  const startedAt = performance.now();
  for (let sent = 0; more();) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * rate);
    for (; sent < due && free.length > 0 && more(); sent++) {
      const poster = free.pop()!;
      const done: Promise<void> = send(poster).then(() => {
        free.push(poster);
        pending.delete(done);
      });
      pending.add(done);
    }
    await new Promise((next) => setTimeout(next, 1));
  }
  await Promise.all(pending);
}

process.on('message', (load: Load) => void run(load));
process.on('disconnect', () => process.exit(0));
process.send!({ kind: 'ready' });
