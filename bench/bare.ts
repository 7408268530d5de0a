// Bare node:http, a process of its own: takes a request whole and answers 200, which is as little as a hook can do.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const server = createServer((request, response) => {
  request.resume().once('end', () => response.end());
}).listen(0, '127.0.0.1', () => {
  process.send!({ kind: 'listening', port: (server.address() as AddressInfo).port });
});
process.once('disconnect', () => process.exit(0));
