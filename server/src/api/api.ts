// The HTTP API as something that starts and stops: a listening server over the route table.
import { createServer, STATUS_CODES, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { problem, PROBLEM_TYPE } from '../model/problem.ts';
import { createAuth } from './auth.ts';
import { createDoor } from './door.ts';
import type { Tools } from './kernel.ts';
import { describeApi } from './openapi.ts';
import type { ApiParts } from './parts.ts';
import { makeReference } from './reference/made.ts';
import { routes } from './routes.ts';
import { createSources } from './sources.ts';

export type { ApiConfig, ApiParts, EnginePort, Random, SettledAttempt } from './parts.ts';

/** The API over HTTP. */
export interface Api {
  /** Listens; port 0 takes a free one. Rejects with the system's reason, such as EADDRINUSE. */
  listen(host: string, port: number): Promise<{ address: string; port: number }>;
  /**
   * Stops: takes no more connections, ends streams, lets requests in flight finish for up to `graceMs`, then cuts them.
   * Twice is harmless.
   */
  close(graceMs: number): Promise<void>;
}

/** Limits on slow and idle clients. The whole request must have arrived within `requestTimeout`. */
const TIMES = {
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 72_000,
  connectionsCheckingInterval: 2_000,
};

/** Makes the API. Nothing listens yet. */
export function createApi(parts: ApiParts): Api {
  const ending = new AbortController();
  const document = once(() => JSON.stringify(describeApi(routes, parts.version)));
  const tools: Tools = {
    ...parts,
    auth: createAuth(parts.store, parts.clock),
    sources: createSources(parts, ending.signal),
    document,
    reference: once(() => makeReference(document())),
  };
  const door = createDoor(routes, tools, () => ending.signal.aborted);
  const server = createServer({ ...TIMES, insecureHTTPParser: false }, (request, response) => {
    door(request, response).catch((error: unknown) => {
      parts.log.error({ error }, 'a request could not be answered');
      response.destroy();
    });
  });
  // The door counts headers itself: Node would drop what exceeds its limit without a word.
  server.maxHeadersCount = 0;
  server.on('clientError', refuseBytes);
  // Without a listener an error of accepting (no descriptors left) would end the process. It is over with the next close.
  server.on('error', (error) => parts.log.error({ error }, 'the API reports an error of its socket'));
  let closed: Promise<void> | null = null;
  return {
    listen: (host, port) => listen(server, host, port),
    close(graceMs) {
      ending.abort();
      closed ??= close(server, parts, graceMs);
      return closed;
    },
  };
}

function listen(server: Server, host: string, port: number): Promise<{ address: string; port: number }> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      const { address, port: taken } = server.address() as AddressInfo;
      resolve({ address, port: taken });
    });
  });
}

function close(server: Server, { clock }: ApiParts, graceMs: number): Promise<void> {
  if (!server.listening) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = clock.after(graceMs, () => server.closeAllConnections());
    server.close(() => {
      timer.cancel();
      resolve();
    });
    // Connections that fall idle from now on say `Connection: close` with their last answer.
    server.closeIdleConnections();
  });
}

/** Bytes that are no request, or too slow, or too long in the head: answered as a problem, too, then cut. */
function refuseBytes(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const document =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? problem('header-too-large', 'The headers exceed 16 KiB.')
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? problem('request-timeout', 'The request took too long to arrive.')
        : problem('malformed-http', 'The bytes received are not an HTTP/1.1 request.');
  const body = JSON.stringify(document);
  socket.end(
    `HTTP/1.1 ${document.status} ${STATUS_CODES[document.status]}\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}
