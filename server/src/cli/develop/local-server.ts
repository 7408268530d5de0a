// A server for the length of one command, on this machine's own address alone.
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EXIT, Failure } from '../failure.ts';

/** A server that listens. */
export interface LocalServer {
  url: string;
  stop(): Promise<void>;
}

/**
 * Starts it on 127.0.0.1; port 0 takes a free one. Throws in words when the port is taken. What is no request is
 * refused, and told why.
 */
export async function startLocalServer(
  listener: RequestListener,
  { port = 0, onUnreadable }: { port?: number; onUnreadable?: (reason: string) => void } = {},
): Promise<LocalServer> {
  const server = createServer(listener);
  if (onUnreadable) {
    server.on('clientError', ({ code, message }: NodeJS.ErrnoException, socket) => {
      // Who hangs up asks for nothing.
      if (!socket.writable || code === 'ECONNRESET') return void socket.destroy();
      const isLong = code === 'HPE_HEADER_OVERFLOW';
      onUnreadable(isLong ? 'its head is larger than 16 KiB' : `it is no HTTP (${message})`);
      socket.end(
        `HTTP/1.1 ${isLong ? '431 Request Header Fields Too Large' : '400 Bad Request'}\r\nConnection: close\r\n\r\n`,
      );
    });
  }
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
