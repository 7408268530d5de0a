// A server for the length of one command, on this machine's own address alone.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT, Failure } from './failure.ts';

/** A server that listens. */
export interface LocalServer {
  url: string;
  stop(): Promise<void>;
}

/** Starts it on 127.0.0.1; port 0 takes a free one. Throws in words when the port is taken. */
export async function startLocalServer(listener: RequestListener, port = 0): Promise<LocalServer> {
  const server = createServer(listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE' && error.code !== 'EACCES') throw error;
    const why = error.code === 'EACCES' ? 'may not be listened on' : 'is taken';
    throw new Failure(`port ${port} ${why}: give another one, or 0 for any`, EXIT.failed);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
