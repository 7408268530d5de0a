// Servers the transport's tests talk to: raw TCP, so that they can misbehave in every way, and a transport for them.
import type { TestContext } from 'node:test';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import {
  createTransport,
  parseTarget,
  type OutgoingRequest,
  type Transport,
  type TransportOptions,
} from '../src/engine/transport/index.ts';
import type { Answer, Failure, Outcome } from '../src/model/outcome.ts';

/** One request as it came over the wire. */
export interface RawRequest {
  head: string;
  body: Buffer;
  socket: Socket;
  /** Counts the connections of the server from 1. */
  connection: number;
  /** Counts the requests of the server from 1. */
  request: number;
}

export interface RawServer {
  port: number;
  url: string;
  requests: RawRequest[];
  connections: Set<Socket>;
}

/** A server that hands over every complete request as bytes; what is answered is up to the handler. */
export async function listen(t: TestContext, answer: (request: RawRequest) => void): Promise<RawServer> {
  const requests: RawRequest[] = [];
  const connections = new Set<Socket>();
  let connected = 0;
  const server = createServer((socket) => {
    const connection = (connected += 1);
    let pending: Buffer = Buffer.alloc(0);
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      pending = Buffer.concat([pending, chunk]);
      const end = pending.indexOf('\r\n\r\n');
      if (end === -1) return;
      const head = pending.subarray(0, end).toString('latin1');
      const length = Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
      if (pending.length < end + 4 + length) return;
      const body = pending.subarray(end + 4, end + 4 + length);
      pending = pending.subarray(end + 4 + length);
      const request = { head, body, socket, connection, request: requests.length + 1 };
      requests.push(request);
      answer(request);
    });
  });
  const port = await start(t, server, connections);
  return { port, url: `http://127.0.0.1:${port}/hook`, requests, connections };
}

/** Listens on a free port of loopback; closed with all its connections when the test ends. */
export async function start(
  t: TestContext,
  server: ReturnType<typeof createServer>,
  connections: Iterable<Socket> = [],
): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A complete answer with a body. */
export function http(status: number, body: string | Uint8Array = '', headers: string[] = []): Buffer {
  const lines = [`HTTP/1.1 ${status} Status`, `content-length: ${Buffer.byteLength(body)}`, ...headers];
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), Buffer.from(body)]);
}

/** A transport that may reach loopback; closed when the test ends. */
export function makeTransport(t: TestContext, options: Partial<TransportOptions> = {}): Transport {
  const guard = createAddressGuard({ allow: ['127.0.0.0/8', '::1/128'] });
  const transport = createTransport({ guard, userAgent: 'Bellwire/test', ...options });
  t.after(() => transport.close({ force: true }));
  return transport;
}

/** A POST of a small body. */
export function post(url: string, request: Partial<OutgoingRequest> = {}): OutgoingRequest {
  return {
    target: parseTarget(url),
    method: 'POST',
    headers: [],
    body: Buffer.from('{}'),
    deadlineMs: 5_000,
    ...request,
  };
}

/** The outcome as an answer, or a failed test that shows what it was. */
export function answered(outcome: Outcome): Answer {
  if (outcome.kind !== 'response') throw new Error(`no answer: ${outcome.code}, ${outcome.message}`);
  return outcome;
}

/** The outcome as a failure, or a failed test that shows what it was. */
export function failed(outcome: Outcome): Failure {
  if (outcome.kind !== 'failure') throw new Error(`answered ${outcome.status}`);
  return outcome;
}
