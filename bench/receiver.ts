// The receiver of the benchmark, a process of its own: answers 200 to everything, counts, and notes how long each
// event was on its way; what begins with /hang is never answered, and
// GET /resources is answered with what the parent handed over. Speaks to its parent by IPC: `reset` with what to expect, `first` and
// `done` when the first and the last of it has come.
import net from 'node:net';
import { messages } from './wire.ts';

const ANSWER = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n');
const STAMP = Buffer.from('"sentAt":');

let expected = Infinity;
let count = 0;
let delays: number[] = [];
let resources = '[]';

const server = net.createServer((socket) => {
  socket.setNoDelay(true);
  socket.on('error', () => undefined);
  socket.on(
    'data',
    messages((head, body) => {
      if (head.startsWith('POST /hang')) return;
      if (head.startsWith('GET /resources')) {
        return void socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${resources.length}\r\n\r\n${resources}`);
      }
      socket.write(ANSWER);
      if (count === 0) process.send!({ kind: 'first', at: performance.timeOrigin + performance.now() });
      const at = body.indexOf(STAMP);
      if (at >= 0) {
        const end = body.indexOf(0x2c, at);
        delays.push(
          performance.timeOrigin + performance.now() - Number(body.toString('latin1', at + STAMP.length, end)),
        );
      }
      count++;
      if (count === expected) report();
    }),
  );
});

function report(): void {
  process.send!({ kind: 'done', count, delays });
}

process.on('message', (message: { kind: 'reset'; expected: number; resources?: string } | { kind: 'report' }) => {
  if (message.kind === 'report') return report();
  expected = message.expected;
  count = 0;
  delays = [];
  resources = message.resources ?? '[]';
  process.send!({ kind: 'ready' });
});

server.listen(0, '127.0.0.1', () =>
  process.send!({ kind: 'listening', port: (server.address() as net.AddressInfo).port }),
);
process.on('disconnect', () => process.exit(0));
