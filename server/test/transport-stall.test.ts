// A process that stood still, stopped or collecting garbage: what was answered meanwhile counts as answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { answered, makeTransport, post } from './transport-servers.ts';

/** Answers on its own thread: also while this one stands still. */
const SERVER = `
  const { createServer } = require('node:http');
  const { parentPort, workerData } = require('node:worker_threads');
  const server = createServer((request, response) => {
    request.resume().on('end', () => {
      Atomics.add(workerData, 0, 1);
      Atomics.notify(workerData, 0);
      setTimeout(() => {
        response.end('in time');
        Atomics.add(workerData, 1, 1);
        Atomics.notify(workerData, 1);
      }, 20);
    });
  });
  server.listen(0, '127.0.0.1', () => parentPort.postMessage(server.address().port));
`;

test('answers that came while the process stood still are read before time is up', async (t) => {
  const seen = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(SERVER, { eval: true, workerData: seen });
  t.after(() => worker.terminate());
  const port = await new Promise<number>((resolve) => worker.once('message', resolve));
  const transport = makeTransport(t);
  const sent = Array.from({ length: 20 }, () => transport.send(post(`http://127.0.0.1:${port}/`, { deadlineMs: 300 })));
  while (Atomics.load(seen, 0) < 20) await new Promise(setImmediate);
  // From here on nothing runs on this thread until all deadlines have passed.
  for (let done = Atomics.load(seen, 1); done < 20; done = Atomics.load(seen, 1)) Atomics.wait(seen, 1, done, 5000);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 500);
  for (const outcome of await Promise.all(sent)) assert.equal(answered(outcome).status, 200);
});
