// The adapters in front of real servers: raw bytes in, the receiver's answer out.
import assert from 'node:assert/strict';
import { createServer, request as httpRequest } from 'node:http';
import type { RequestListener, Server } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { text as readText } from 'node:stream/consumers';
import { ReadableStream } from 'node:stream/web';
import { describe, test } from 'node:test';
import express from 'express';
import Fastify from 'fastify';
import { createReceiver, sign } from '@bellwire/receiver';
import { toExpress } from '@bellwire/receiver/express';
import { toFastify } from '@bellwire/receiver/fastify';
import { toLambda } from '@bellwire/receiver/lambda';
import { toNodeListener } from '@bellwire/receiver/node';
import { auditLogText, challengeVectors, greenlakeBody, secret } from './vectors.ts';

interface Host {
  readonly url: string;
  readonly handled: string[];
  [Symbol.asyncDispose](): Promise<void>;
}

type Start = (receiver: ReturnType<typeof createReceiver>) => Promise<{ url: string; close: () => unknown }>;

async function host(start: Start): Promise<Host> {
  const handled: string[] = [];
  const receiver = createReceiver({
    secret: [secret, 's3cr3tKey'],
    maxBytes: 100_000,
    otherwise: (event) => void handled.push(`${event.id} ${JSON.stringify(event.data).length}`),
  });
  const { url, close } = await start(receiver);
  return {
    url,
    handled,
    async [Symbol.asyncDispose]() {
      await close();
    },
  };
}

async function listen(listener: RequestListener): Promise<{ url: string; close: () => unknown }> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

const starts: Record<string, Start> = {
  'node:http': (receiver) => listen((incoming, outgoing) => void toNodeListener(receiver)(incoming, outgoing)),
  Express: (receiver) => {
    const app = express();
    app.all('/hook', toExpress(receiver));
    app.use(express.json());
    return listen(app);
  },
  'Express after express.raw()': (receiver) => {
    const app = express();
    app.use(express.raw({ type: () => true, limit: '1mb' }));
    app.all('/hook', toExpress(receiver));
    return listen(app);
  },
  Fastify: async (receiver) => {
    const app = Fastify();
    await app.register(toFastify(receiver, { url: '/hook' }));
    app.post('/other', (request) => request.body);
    return { url: `${await app.listen({ port: 0, host: '127.0.0.1' })}/hook`, close: () => app.close() };
  },
};

async function signed(body: string): Promise<RequestInit> {
  const bytes = new TextEncoder().encode(body);
  const headers = await sign({ id: 'dlv_1', sentAt: Date.now(), body: bytes }, [{ scheme: 'v1', secret }]);
  return { method: 'POST', headers: { ...headers, 'content-type': 'application/cloudevents+json' }, body: bytes };
}

const json = { 'content-type': 'application/json' };

for (const [name, start] of Object.entries(starts)) {
  describe(`R54 R121 ${name}`, () => {
    test('R55 R57 R58 a signed event is handled from its raw bytes and answered 200 with no body', async () => {
      await using at = await host(start);
      const response = await fetch(at.url, await signed(auditLogText.replace('{', '{ \n')));
      assert.deepEqual([response.status, await response.text()], [200, '']);
      assert.equal(response.headers.get('content-length'), '0');
      assert.equal(at.handled.length, 1);
    });

    test('R61 R92 a challenge is answered', async () => {
      await using at = await host(start);
      const response = await fetch(at.url, { method: 'POST', headers: json, body: greenlakeBody });
      assert.equal(response.status, 200);
      assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
      const body = (await response.json()) as { verification: string };
      assert.match(body.verification, /^[0-9a-f]{64}$/);
      assert.ok(challengeVectors.length > 0);
    });

    test('R56 R58 other methods 405, other content 415, bad JSON 400, no signature 401, too large 413', async () => {
      await using at = await host(start);
      const status = async (init: RequestInit) => (await fetch(at.url, init)).status;
      const post = (headers: HeadersInit, body: string) => status({ method: 'POST', headers, body });
      assert.equal(await status({ method: 'GET' }), 405);
      assert.equal(await status({ method: 'DELETE' }), 405);
      assert.equal(await post({ 'content-type': 'application/xml' }, '<a/>'), 415);
      assert.equal(await post(json, auditLogText.slice(0, -1)), 400);
      assert.equal(await post(json, auditLogText), 401);
      assert.equal(await post(json, JSON.stringify('x'.repeat(200_000))), 413);
      const unannounced = ReadableStream.from(Array.from({ length: 200 }, () => Buffer.alloc(1000)));
      const init = { method: 'POST', headers: json, body: unannounced, duplex: 'half' };
      assert.equal(await status(init as unknown as RequestInit), 413);
      assert.deepEqual(at.handled, []);
    });

    test('wire 4: a header that must be single is refused when repeated, though Node would join or drop it', async () => {
      await using at = await host(start);
      const { headers, body } = await signed(auditLogText);
      // A list of headers is sent as it stands: Node adds no Host to it.
      const list = ['host', 'localhost', ...Object.entries(headers as Record<string, string>).flat()];
      const send = (...more: string[]) =>
        new Promise((resolve, reject) => {
          const outgoing = httpRequest(at.url, { method: 'POST', headers: [...list, ...more] });
          outgoing.on('response', (incoming) => readText(incoming).then((text) => resolve(text), reject));
          outgoing.on('error', reject);
          outgoing.end(body);
        });
      assert.equal(await send('x-other', 'a', 'x-other', 'b'), '');
      for (const name of ['webhook-id', 'Webhook-Signature', 'content-type', 'authorization']) {
        assert.equal(await send('authorization', 'a', name, 'dlv_1'), 'a header that must be single is repeated\n');
      }
    });
  });
}

test('R56 a body that a parser consumed is a failure that says what to do', async () => {
  const receiver = createReceiver({ secret });
  const app = express();
  app.use(express.json());
  app.post('/hook', toExpress(receiver));
  const errors: Error[] = [];
  // oxlint-disable-next-line max-params -- Express tells an error handler by its four parameters
  app.use(((error, _request, response, _next) => {
    errors.push(error as Error);
    response.status(500).end();
  }) as express.ErrorRequestHandler);
  const { url, close } = await listen(app);
  const response = await fetch(url, { method: 'POST', headers: json, body: auditLogText });
  assert.equal(response.status, 500);
  assert.match(errors[0]!.message, /mount this route before express\.json\(\)/);
  await close();
});

test('R56 node:http says so, too, when the body is gone', async () => {
  const listener = toNodeListener(createReceiver({ secret }));
  const { url, close } = await listen((incoming, outgoing) => {
    incoming.resume().on('end', () => void listener(incoming, outgoing));
  });
  const response = await fetch(url, { method: 'POST', headers: json, body: auditLogText });
  assert.equal(response.status, 500);
  assert.match(await response.text(), /already read by a body parser/);
  await close();
});

test('the connection is fit for the next request after a body that was too large', async () => {
  await using at = await host(starts['node:http']!);
  const socket = connect(Number(new URL(at.url).port), '127.0.0.1');
  const head = 'host: x\r\ncontent-type: application/json\r\n';
  const chunks = `3e8\r\n${'x'.repeat(1000)}\r\n`.repeat(200);
  socket.write(`POST / HTTP/1.1\r\n${head}transfer-encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`);
  socket.write(`POST / HTTP/1.1\r\n${head}content-length: 2\r\nconnection: close\r\n\r\n{}`);
  const answers = (await readText(socket)).match(/^HTTP\/1\.1 \d+/gm);
  assert.deepEqual(answers, ['HTTP/1.1 413', 'HTTP/1.1 401']);
});

test('a sender that leaves in the middle of its body harms nobody', async () => {
  await using at = await host(starts['node:http']!);
  const outgoing = httpRequest(at.url, { method: 'POST', headers: { ...json, 'content-length': 1000 } });
  const ended = new Promise((resolve) => outgoing.on('error', resolve));
  outgoing.write('{"half":', () => outgoing.destroy(new Error('gone')));
  await ended;
  assert.equal((await fetch(at.url, await signed(auditLogText))).status, 200);
});

test('Express: a kept rawBody is verified even behind express.json()', async () => {
  const handled: string[] = [];
  const app = express();
  app.use(
    express.json({ type: () => true, verify: (request, _response, raw) => Object.assign(request, { rawBody: raw }) }),
  );
  app.post('/hook', toExpress(createReceiver({ secret, otherwise: (event) => void handled.push(event.id) })));
  const { url, close } = await listen(app);
  const response = await fetch(url, await signed(auditLogText));
  assert.equal(response.status, 200);
  assert.equal(handled.length, 1);
  await close();
});

test('Fastify: the parsers of other routes are untouched', async () => {
  await using at = await host(starts['Fastify']!);
  const response = await fetch(at.url.replace('/hook', '/other'), { method: 'POST', headers: json, body: '{"a":1}' });
  assert.deepEqual(await response.json(), { a: 1 });
});

describe('R54 R121 AWS Lambda', () => {
  const post = { requestContext: { http: { method: 'POST' } }, rawPath: '/hook', rawQueryString: '' };

  test('a signed event, as text and as base64', async () => {
    const handled: string[] = [];
    const handler = toLambda(createReceiver({ secret, otherwise: (event) => void handled.push(event.id) }));
    const body = auditLogText.replace('john.doe', 'jörg 😀');
    const { headers } = (await signed(body)) as { headers: Record<string, string> };
    assert.deepEqual(await handler({ ...post, headers, body }), { statusCode: 200, headers: {}, body: '' });
    const base64 = Buffer.from(body).toString('base64');
    const again = await handler({ ...post, headers, body: base64, isBase64Encoded: true });
    assert.equal(again.statusCode, 200);
    assert.equal(handled.length, 1);
  });

  test('a challenge', async () => {
    const handler = toLambda(createReceiver({ secret: 's3cr3tKey' }));
    const result = await handler({ ...post, headers: json, body: greenlakeBody });
    assert.equal(result.statusCode, 200);
    assert.equal(result.headers['content-type'], 'application/json');
    assert.deepEqual(JSON.parse(result.body), { verification: challengeVectors[0]![2] });
  });

  test('other payload formats and parsed bodies are refused in a sentence', async () => {
    const handler = toLambda(createReceiver({ secret }));
    await assert.rejects(handler({ headers: json, body: '{}' }), /format 2\.0/);
    const parsed = { ...post, headers: json, body: { id: 'a' } } as unknown as Parameters<typeof handler>[0];
    await assert.rejects(handler(parsed), /remove the JSON body parser/);
  });
});
