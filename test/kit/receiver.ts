// A real HTTP endpoint for tests: records every request to the byte, and behaves as badly as it is told to.
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

/** One request as it arrived. */
export interface Received {
  method: string;
  /** Path and query. */
  url: string;
  headers: IncomingHttpHeaders;
  /** Names and values alternating, in order, spelled as sent, duplicates included. */
  rawHeaders: string[];
  /** The exact bytes. */
  body: Buffer;
  /** Epoch ms at which the last byte arrived. */
  receivedAt: number;
  /** Number of the TCP connection, from 0: equal numbers mean keep-alive was used. */
  connection: number;
}

/** What to answer. Without `mood` it is an honest answer: 200 and an empty body unless said otherwise. */
export interface Answer {
  status?: number;
  /** Values may be lists; sent as given. */
  headers?: Record<string, string | string[]>;
  body?: string | Uint8Array;
  /** Bytes written to the socket instead of any well-formed answer; then it is closed. */
  raw?: string | Uint8Array;
  /**
   * hang: never answers. drip: sends the body byte by byte, one each `everyMs` (default 100). endless: sends a body
   * without end. reset: sends headers and half of the body, then resets the connection. refuse: resets at once.
   */
  mood?: 'hang' | 'drip' | 'endless' | 'reset' | 'refuse';
  everyMs?: number;
}

/** Decides on each request; `nth` counts all requests from 0. */
export type Behaviour = (request: Received, nth: number) => Answer | Promise<Answer>;

export interface TestReceiver {
  /** `http://127.0.0.1:<port>`, without a slash at the end. */
  url: string;
  port: number;
  /** All requests so far, oldest first. */
  requests: Received[];
  /**
   * Resolves with the requests (those that satisfy `where`) as soon as there are `count`; rejects after `withinMs`
   * (default 10,000) and says how many came. Waits for the events themselves, never polls.
   */
  received(count: number, options?: { withinMs?: number; where?: (request: Received) => boolean }): Promise<Received[]>;
  /** Replaces the behaviour for the requests to come. */
  behave(behaviour: Behaviour | Answer): void;
  /** Connections open at this moment. */
  openSockets(): number;
  /** Connections ever accepted. */
  connections(): number;
  /** Cuts every open connection and stops listening; twice is harmless. */
  stop(): Promise<void>;
}

/** Starts an endpoint on a free port of 127.0.0.1 (or the given one, to come back after a stop). */
export async function startReceiver(behaviour: Behaviour | Answer = {}, port = 0): Promise<TestReceiver> {
  let behave = asFunction(behaviour);
  const requests: Received[] = [];
  const waiting = new Set<() => void>();
  const sockets = new Map<Socket, number>();
  let accepted = 0;

  const server = createServer({ keepAlive: true, requestTimeout: 0, headersTimeout: 0 }, (request, response) => {
    void collect(request, sockets.get(request.socket) ?? -1).then(async (received) => {
      if (!received) return;
      const nth = requests.push(received) - 1;
      for (const look of waiting) look();
      send(response, await behave(received, nth));
    });
  });
  server.on('connection', (socket) => {
    sockets.set(socket, accepted++);
    socket.on('error', () => {}); // a sender that hangs up is what some tests are about
    socket.once('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  const actualPort = (server.address() as AddressInfo).port;

  return {
    url: `http://127.0.0.1:${actualPort}`,
    port: actualPort,
    requests,
    received(count, { withinMs = 10_000, where = () => true } = {}) {
      return new Promise((resolve, reject) => {
        const timeout = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${requests.filter(where).length} of ${count} requests came within ${withinMs} ms`));
        }, withinMs);
        function look(): void {
          const found = requests.filter(where);
          if (found.length < count) return;
          clearTimeout(timeout);
          waiting.delete(look);
          resolve(found);
        }
        waiting.add(look);
        look();
      });
    },
    behave: (next) => void (behave = asFunction(next)),
    openSockets: () => sockets.size,
    connections: () => accepted,
    stop() {
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        for (const socket of sockets.keys()) socket.destroy();
      });
    },
  };
}

function asFunction(behaviour: Behaviour | Answer): Behaviour {
  return typeof behaviour === 'function' ? behaviour : () => behaviour;
}

/** The whole request, or undefined when the sender gave up half-way. */
async function collect(request: IncomingMessage, connection: number): Promise<Received | undefined> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of request) chunks.push(chunk as Buffer);
  } catch {
    return undefined;
  }
  const { method = '', url = '', headers, rawHeaders } = request;
  return { method, url, headers, rawHeaders, body: Buffer.concat(chunks), receivedAt: Date.now(), connection };
}

function send(response: ServerResponse, answer: Answer): void {
  const { status = 200, headers = {}, mood } = answer;
  const body = Buffer.from(answer.body ?? '');
  const socket = response.socket;
  if (mood === 'hang') return;
  if (mood === 'refuse') return void socket?.resetAndDestroy();
  if (answer.raw !== undefined) return void socket?.end(answer.raw);
  if (mood === 'endless') return sendEndlessly(response, status);
  if (mood === 'drip') return drip(response, body, { status, everyMs: answer.everyMs ?? 100 });
  response.writeHead(status, { 'content-length': String(body.length), ...headers });
  if (mood !== 'reset') return void response.end(body);
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => socket?.resetAndDestroy());
  response.flushHeaders();
}

function sendEndlessly(response: ServerResponse, status: number): void {
  const chunk = Buffer.alloc(64 * 1024, 'x');
  response.writeHead(status);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
  };
  response.on('drain', more);
  more();
}

function drip(response: ServerResponse, body: Buffer, { status, everyMs }: { status: number; everyMs: number }): void {
  response.writeHead(status, { 'content-length': String(body.length) });
  response.flushHeaders();
  let at = 0;
  const timer = setInterval(() => {
    if (at < body.length) response.write(body.subarray(at, ++at));
    else response.end();
  }, everyMs);
  response.once('close', () => clearInterval(timer));
}
