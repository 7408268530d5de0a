// An endpoint that takes thousands of deliveries a second and keeps of each only which it was.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What one path has taken. */
export interface Taken {
  /** When each event was answered 200 (epoch ms), by the webhook-id it came under, by the event's id. */
  events: Map<string, Map<string, number[]>>;
  /** When each event first came, whatever it was answered, and was first answered 200, by a count of what happened. */
  turns: Map<string, { came: number; taken: number }>;
  happened: number;
  /** Deliveries that were refused. */
  refused: number;
}

export interface Endpoint {
  url: string;
  /** By path, `/` included. */
  taken(path: string): Taken;
  /** Paths that answer 500 from now on, after a moment. */
  refuse(...paths: string[]): void;
  /** Called for each request before it is answered; a promise delays the answer. */
  onRequest: ((path: string) => Promise<void> | void) | null;
  /** Resolves when the path has taken all of these events; rejects, with what is missing, after no new one for `withinMs`. */
  complete(path: string, events: ReadonlySet<string>, withinMs: number): Promise<void>;
  stop(): Promise<void>;
}

/** How long a refusal takes: an endpoint in trouble is slow, and its retries pile up. */
const REFUSAL_MS = 50;

/** Starts one on a free port of 127.0.0.1. It understands structured mode; it proves nothing. */
export async function startEndpoint(): Promise<Endpoint> {
  const paths = new Map<string, Taken>();
  const refusing = new Set<string>();
  const waiting = new Set<() => void>();
  const taken = (path: string): Taken => {
    let found = paths.get(path);
    if (!found) paths.set(path, (found = { events: new Map(), turns: new Map(), happened: 0, refused: 0 }));
    return found;
  };
  const server = createServer((request, response) => {
    const path = request.url ?? '/';
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('error', () => {}); // the sender may be killed half-way
    request.on('end', () => {
      const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { id: string };
      void answer(response, { path, event: id, delivery: String(request.headers['webhook-id']) });
    });
  });
  async function answer(
    response: ServerResponse,
    { path, event, delivery }: { path: string; event: string; delivery: string },
  ): Promise<void> {
    const record = taken(path);
    const turns = record.turns.get(event) ?? { came: ++record.happened, taken: Infinity };
    record.turns.set(event, turns);
    await endpoint.onRequest?.(path);
    if (refusing.has(path)) {
      record.refused++;
      setTimeout(() => response.writeHead(500).end(), REFUSAL_MS);
      return;
    }
    const ids = record.events.get(event) ?? new Map<string, number[]>();
    ids.set(delivery, [...(ids.get(delivery) ?? []), Date.now()]);
    record.events.set(event, ids);
    turns.taken = Math.min(turns.taken, ++record.happened);
    response.writeHead(200).end();
    for (const look of waiting) look();
  }
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const endpoint: Endpoint = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    taken,
    onRequest: null,
    refuse: (...names) => {
      refusing.clear();
      for (const name of names) refusing.add(name);
    },
    complete: (path, events, withinMs) =>
      new Promise((resolve, reject) => {
        const missing = (): string[] => [...events].filter((event) => !taken(path).events.has(event));
        const giveUp = (): void => {
          waiting.delete(look);
          const lost = missing();
          reject(new Error(`${path} lacks ${lost.length} of ${events.size} events: ${lost.slice(0, 10).join(' ')} …`));
        };
        let timer = setTimeout(giveUp, withinMs);
        let before = taken(path).events.size;
        const look = (): void => {
          const { size } = taken(path).events;
          if (size > before) {
            before = size;
            clearTimeout(timer);
            timer = setTimeout(giveUp, withinMs);
          }
          if (size < events.size || missing().length > 0) return;
          clearTimeout(timer);
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return endpoint;
}
