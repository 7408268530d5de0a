// A subscriber as our own library makes one, on a free port of 127.0.0.1, and patience for what it is to receive.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { createReceiver, type CloudEvent, type Delivery, type ReceiverOptions } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';

/** An event that was verified and handled. */
export interface Handled {
  event: CloudEvent;
  delivery: Delivery;
}

export interface Handler {
  url: string;
  /** What arrived, each event once, in order. */
  handled: Handled[];
  /** The status of every answer, challenges included, in order. */
  answers: number[];
  /** Goes on with other settings: another secret, another mind. */
  become(options: Partial<ReceiverOptions>): void;
}

/** Starts one; it ends with the test. */
export async function startHandler(t: TestContext, options: ReceiverOptions): Promise<Handler> {
  const handled: Handled[] = [];
  const answers: number[] = [];
  let settings: ReceiverOptions = {
    otherwise: (event, delivery) => void handled.push({ event, delivery }),
    onFailure: () => {},
    ...options,
  };
  let listen = toNodeListener(createReceiver(settings));
  const server = createServer((request, response) => {
    response.once('finish', () => answers.push(response.statusCode));
    void listen(request, response);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    handled,
    answers,
    become(next) {
      settings = { ...settings, ...next };
      listen = toNodeListener(createReceiver(settings));
    },
  };
}

/** Looks until something is so: resolves with the first result that is not false, rejects in words after `withinMs`. */
export async function eventually<T>(
  what: string,
  look: () => T | false | Promise<T | false>,
  withinMs = 10_000,
): Promise<T> {
  const until = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen !== false) return seen;
    assert.ok(performance.now() < until, `still not so after ${withinMs} ms: ${what}`);
    await new Promise((again) => setTimeout(again, 10));
  }
}
