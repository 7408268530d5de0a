// The receiver as a whole: Request in, Response out, and what happened to the events in between.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { createReceiver, createSeen, sign, verificationOf } from '@bellwire/receiver';
import type { CloudEvent, Delivery, ReceiverOptions, SigningKey } from '@bellwire/receiver';
import { auditLogText, challengeVectors, greenlakeBody, secret } from './vectors.ts';

const now = 1_700_000_000_000;
const json = 'application/json';
const structured = 'application/cloudevents+json';
const auditLog = 'com.hpe.greenlake.audit-log.v1.logs.created';
const v1: SigningKey = { scheme: 'v1', secret };
const hpe: SigningKey = { scheme: 'hpe', secret };

interface Sent {
  readonly id?: string;
  readonly keys?: readonly SigningKey[];
  readonly headers?: Record<string, string>;
}

/** A signed request; the content type is structured mode's unless `headers` says otherwise. */
async function delivery(
  body: string | object,
  { id = 'dlv_1', keys = [v1], headers = {} }: Sent = {},
): Promise<Request> {
  const bytes = new TextEncoder().encode(typeof body === 'string' ? body : JSON.stringify(body));
  const signatures = keys.length === 0 ? {} : await sign({ id, sentAt: now, body: bytes }, keys);
  return post(bytes, { 'content-type': structured, ...signatures, ...headers });
}

function post(body: BodyInit, headers: Record<string, string> = { 'content-type': json }): Request {
  return new Request('https://handler.example/hook', { method: 'POST', headers, body });
}

function event(id: string, extra: object = {}): CloudEvent {
  return { specversion: '1.0', id, source: '/s', type: 't', ...extra };
}

/** A receiver that writes down the ids of what it handles. */
function recorder(options: Partial<ReceiverOptions> = {}) {
  const handled: string[] = [];
  const failures: unknown[] = [];
  const receive = createReceiver({
    secret,
    now: () => now,
    otherwise: ({ id }) => void handled.push(id),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  return { receive, handled, failures };
}

async function seenAs(response: Response): Promise<string> {
  return `${response.status} ${await response.text()}`;
}

describe('events', () => {
  test('R57 R58 R73 R100 R119 a typed handler gets the parsed event; the answer is 200 with nothing in it', async () => {
    const got: [CloudEvent, Delivery][] = [];
    const { receive, handled } = recorder({ on: { [auditLog]: (...args) => void got.push(args) } });
    const response = await receive(await delivery(auditLogText));
    assert.equal(await seenAs(response), '200 ');
    assert.deepEqual([...response.headers], []);
    assert.deepEqual(got[0]![0], JSON.parse(auditLogText));
    assert.deepEqual([got[0]![1].id, got[0]![1].schemes], ['dlv_1', ['v1']]);
    assert.deepEqual(handled, []);
  });

  test('R74 an unknown type goes to otherwise; without one it is accepted and nothing is done', async () => {
    const { receive, handled } = recorder({ on: { other: () => assert.fail() } });
    assert.equal((await receive(await delivery(event('a')))).status, 200);
    assert.deepEqual(handled, ['a']);
    const bare = createReceiver({ secret, now: () => now });
    assert.equal((await bare(await delivery(event('a')))).status, 200);
  });

  test('a type named like a member of every object has no handler', async () => {
    const { receive, handled } = recorder({ on: {} });
    for (const type of ['constructor', 'toString', '__proto__']) {
      assert.equal((await receive(await delivery(event(type, { type }), { id: type.length.toString() }))).status, 200);
    }
    assert.deepEqual(handled, ['constructor', 'toString', '__proto__']);
  });

  test('R58 a handler that throws or rejects is answered 500 without its reason, and reported', async () => {
    for (const otherwise of [() => assert.fail('inner'), () => Promise.reject(new Error('inner'))]) {
      const { receive, failures } = recorder({ otherwise });
      assert.equal(await seenAs(await receive(await delivery(event('a')))), '500 {"failed":[0],"malformed":[]}');
      assert.match(String(failures[0]), /inner/);
    }
  });

  test('wire 4: binary mode is dispatched like any other', async () => {
    const { receive, handled } = recorder();
    const headers = { 'content-type': json, 'ce-specversion': '1.0', 'ce-id': 'b', 'ce-source': '/s', 'ce-type': 't' };
    assert.equal((await receive(await delivery('{"a":1}', { headers }))).status, 200);
    assert.deepEqual(handled, ['b']);
  });
});

describe('what is refused', () => {
  test('R55 R20 only POST', async () => {
    const { receive } = recorder();
    for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
      const response = await receive(new Request('https://handler.example/', { method }));
      assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST']);
    }
  });

  test('R56 R58 content type 415, JSON and shape 400, signature 401: nothing of it reaches a handler', async () => {
    const { receive, handled } = recorder();
    const text = JSON.stringify(event('a'));
    assert.equal((await receive(post(text, { 'content-type': 'text/plain' }))).status, 415);
    assert.equal((await receive(post(auditLogText.slice(0, -2)))).status, 400);
    assert.equal((await receive(post(''))).status, 400);
    assert.equal((await receive(await delivery({ ...event('a'), id: '' }))).status, 400);
    assert.equal((await receive(post(text))).status, 401);
    const forged = await delivery(event('a'), { headers: { 'webhook-id': 'dlv_2' } });
    assert.equal((await receive(forged)).status, 401);
    assert.deepEqual(handled, []);
  });

  test('R56 a body over the limit is 413, announced or not; one at the limit passes', async () => {
    const body = JSON.stringify(event('a', { data: 'x'.repeat(1000) }));
    const { receive } = recorder({ maxBytes: body.length });
    assert.equal((await receive(await delivery(body))).status, 200);
    assert.equal((await receive(await delivery(`${body} `))).status, 413);
    let pulled = 0;
    const endless = new ReadableStream({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(1000));
      },
    });
    const init = { method: 'POST', headers: { 'content-type': json }, body: endless, duplex: 'half' };
    assert.equal((await receive(new Request('https://handler.example/', init as RequestInit))).status, 413);
    assert.ok(pulled < 10);
    const announced = post('{}', { 'content-type': json, 'content-length': '99999' });
    assert.equal((await receive(announced)).status, 413);
  });

  test('a body that breaks off is 400; one that was read already says so', async () => {
    const { receive } = recorder();
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error('reset')) });
    const init = { method: 'POST', headers: { 'content-type': json }, body: broken, duplex: 'half' };
    assert.equal((await receive(new Request('https://handler.example/', init as RequestInit))).status, 400);
    const read = await delivery(event('a'));
    await read.text();
    assert.match(await seenAs(await receive(read)), /^500 .*untouched request/);
  });

  test('R4 R56 Authorization is compared verbatim where it is asked for', async () => {
    const { receive } = recorder({ authorization: 'CAAuth abc' });
    const status = async (headers: Record<string, string>) =>
      (await receive(await delivery(event('a'), { headers }))).status;
    assert.equal(await status({ authorization: 'CAAuth abc' }), 200);
    for (const authorization of ['CAAuth abd', 'caauth abc', 'Bearer CAAuth abc', '']) {
      assert.equal(await status({ authorization }), 401);
    }
    assert.equal(await status({}), 401);
  });
});

describe('challenges', () => {
  test('R61 R63 R72 R90 R91 R92 R113 answered at any time on the same URL, unsigned, between events', async () => {
    const { receive, handled } = recorder({ secret: 's3cr3tKey' });
    const keys: SigningKey[] = [{ scheme: 'hpe', secret: 's3cr3tKey' }];
    for (const round of ['a', 'b']) {
      const response = await receive(post(greenlakeBody));
      assert.equal(response.headers.get('content-type'), json);
      assert.equal(await seenAs(response), `200 {"verification":"${challengeVectors[0]![2]}"}`);
      assert.equal((await receive(await delivery(event(round), { keys }))).status, 200);
    }
    assert.deepEqual(handled, ['a', 'b']);
  });

  test('R90 R95 told by its field: any type, any client, also in binary mode', async () => {
    const { receive } = recorder({ secret: 's3cr3tKey', authorization: 'x' });
    const data = { challengeRequest: '550e8400-e29b-41d4-a716-446655440000' };
    const expected = `200 {"verification":"${challengeVectors[5]![2]}"}`;
    assert.equal(await seenAs(await receive(post(JSON.stringify({ data })))), expected);
    assert.equal(await seenAs(await receive(post(JSON.stringify({ ...event('a'), data })))), expected);
    const headers = { 'content-type': json, 'ce-specversion': '1.0' };
    assert.equal(await seenAs(await receive(post(JSON.stringify(data), headers))), expected);
  });

  test('of several secrets the first that is text answers', async () => {
    const { receive } = recorder({
      secret: ['whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=', 's3cr3tKey', 'MySecretKey'],
    });
    assert.equal(await seenAs(await receive(post(greenlakeBody))), `200 {"verification":"${challengeVectors[0]![2]}"}`);
  });

  test('a receiver with public keys only has no answer and asks for a signature', async () => {
    const { receive } = recorder({ secret: 'whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=' });
    assert.equal((await receive(post(greenlakeBody))).status, 401);
  });

  test('the answer carries the rate that the receiver wants', async () => {
    const { receive } = recorder({ ratePerMinute: 120 });
    assert.equal((await receive(post(greenlakeBody))).headers.get('webhook-allowed-rate'), '120');
  });

  test('what a challenge gives away is never a signature that is accepted', async () => {
    const { receive, handled } = recorder();
    const binary = { 'content-type': 'text/plain', 'ce-specversion': '1.0', 'ce-source': '/s', 'ce-type': 't' };
    const forge = async (text: string, headers: Record<string, string>) => {
      const asked = await receive(post(JSON.stringify({ data: { challengeRequest: text } })));
      const { verification } =
        asked.status === 200 ? ((await asked.json()) as { verification: string }) : { verification: '0'.repeat(64) };
      return (await receive(post(text, { ...headers, 'hpe-webhook-signature': `sha256=${verification}` }))).status;
    };
    assert.equal(await forge(JSON.stringify(event('a')), { 'content-type': structured }), 401);
    assert.equal(await forge('token-8cbecfea', { ...binary, 'ce-id': 'a' }), 401);
    const anything = fc.oneof(fc.json(), fc.string(), fc.stringMatching(/^[\w.+/=~-]{1,140}$/), fc.uuid());
    await fc.assert(
      fc.asyncProperty(anything, fc.uuid(), async (text, id) => {
        assert.notEqual(await forge(text, { ...binary, 'ce-id': id }), 200);
      }),
    );
    assert.deepEqual(handled, []);
  });

  test('a signed event whose challengeRequest is no token is an ordinary event', async () => {
    const { receive, handled } = recorder();
    await receive(await delivery(event('a', { data: { challengeRequest: 'how do you do?' } })));
    assert.deepEqual(handled, ['a']);
  });

  test('R71 R109 the secret answers as it stands, white space and all', async () => {
    const { receive } = recorder({ secret: ' s3cr3tKey ' });
    const expected = await verificationOf(' s3cr3tKey ', '8cbecfea-d708-4706-bba3-669225084a10');
    assert.equal(await seenAs(await receive(post(greenlakeBody))), `200 {"verification":"${expected}"}`);
  });
});

describe('duplicates', () => {
  test('a delivery that comes again is answered 200 and not handled again', async () => {
    const { receive, handled } = recorder();
    for (let round = 0; round < 3; round++) {
      assert.equal((await receive(await delivery(event('a')))).status, 200);
    }
    assert.deepEqual(handled, ['a']);
  });

  test('told apart by webhook-id where it is signed (a replay is handled), else by source and id', async () => {
    const signed = recorder();
    await signed.receive(await delivery(event('a'), { id: 'dlv_1' }));
    await signed.receive(await delivery(event('a'), { id: 'dlv_2' }));
    assert.deepEqual(signed.handled, ['a', 'a']);

    const hpeOnly = recorder();
    const headers = (id: string) => ({ 'webhook-id': id });
    await hpeOnly.receive(await delivery(event('a'), { keys: [hpe], headers: headers('1') }));
    await hpeOnly.receive(await delivery(event('a'), { keys: [hpe], headers: headers('2') }));
    await hpeOnly.receive(await delivery(event('a', { source: '/other' }), { keys: [hpe] }));
    assert.deepEqual(hpeOnly.handled, ['a', 'a']);
  });

  test('an id counts as seen only after its handler succeeded', async () => {
    let healthy = false;
    const handled: string[] = [];
    const { receive } = recorder({
      otherwise({ id }) {
        if (!healthy) throw new Error('not yet');
        handled.push(id);
      },
    });
    assert.equal((await receive(await delivery(event('a')))).status, 500);
    healthy = true;
    assert.equal((await receive(await delivery(event('a')))).status, 200);
    assert.equal((await receive(await delivery(event('a')))).status, 200);
    assert.deepEqual(handled, ['a']);
  });

  test('duplicates that arrive while the first is running wait for it and share its outcome', async () => {
    for (const fails of [false, true]) {
      const gate = Promise.withResolvers<void>();
      let runs = 0;
      const { receive } = recorder({
        authorization: 'x',
        async otherwise() {
          runs++;
          await gate.promise;
          if (fails) throw new Error('no');
        },
      });
      // Authorization is looked at last before the events are handed on, with no wait in between.
      let arrived = 0;
      const noticed = (request: Request): Request => {
        const get = request.headers.get.bind(request.headers);
        request.headers.get = (name) => {
          if (name === 'authorization' && ++arrived === 3) setImmediate(gate.resolve);
          return get(name);
        };
        return request;
      };
      const requests = [1, 2, 3].map(() => delivery(event('a'), { headers: { authorization: 'x' } }));
      const responses = (await Promise.all(requests)).map((request) => receive(noticed(request)));
      const statuses = (await Promise.all(responses)).map((response) => response.status);
      assert.deepEqual(
        statuses,
        Array.from({ length: 3 }, () => (fails ? 500 : 200)),
      );
      assert.equal(runs, 1);
    }
  });

  test('a memory of one’s own: asked before, told after, keys of at most 256 characters', async () => {
    const keys = new Set<string>();
    const calls: string[] = [];
    const { receive, handled } = recorder({
      seen: {
        async has(key) {
          calls.push('has');
          return keys.has(key);
        },
        async add(key) {
          calls.push('add');
          keys.add(key);
        },
      },
    });
    const long = 'x'.repeat(60_000);
    await receive(await delivery(event('a')));
    await receive(await delivery(event(long)));
    await receive(await delivery(event(long)));
    assert.deepEqual(handled, ['a', long]);
    assert.deepEqual(calls, ['has', 'add', 'has', 'add', 'has']);
    assert.deepEqual([...keys][0], '["dlv_1","/s","a"]');
    assert.ok([...keys].every((key) => key.length <= 256));
  });

  test('a memory that cannot be read means another try; one that cannot be written does not', async () => {
    const broken = () => Promise.reject(new Error('down'));
    const unreadable = recorder({ seen: { has: broken, add: () => {} } });
    assert.equal((await unreadable.receive(await delivery(event('a')))).status, 500);
    assert.deepEqual(unreadable.handled, []);
    const unwritable = recorder({ seen: { has: () => false, add: broken } });
    assert.equal((await unwritable.receive(await delivery(event('a')))).status, 200);
    assert.deepEqual([unwritable.handled, unwritable.failures.length], [['a'], 1]);
  });

  test('the memory of this process forgets the oldest first', () => {
    const seen = createSeen(2);
    for (const key of ['a', 'b', 'a', 'c']) seen.add(key);
    assert.deepEqual(
      ['a', 'b', 'c'].map((key) => seen.has(key)),
      [true, false, true],
    );
  });
});

describe('batches', () => {
  const batch = { 'content-type': 'application/cloudevents-batch+json' };

  test('R36 each event goes to its own handler, in order; zero events are a success', async () => {
    const order: string[] = [];
    const { receive, handled } = recorder({ on: { t: ({ id }) => void order.push(id) } });
    const events = [event('a'), event('b', { type: 'u' }), event('c')];
    assert.equal(await seenAs(await receive(await delivery(events, { headers: batch }))), '200 ');
    assert.deepEqual([order, handled], [['a', 'c'], ['b']]);
    assert.equal((await receive(await delivery([], { headers: batch }))).status, 200);
    assert.equal(
      (await receive(await delivery([event('d')], { id: 'dlv_2', headers: { 'content-type': json } }))).status,
      200,
    );
    assert.deepEqual(order, ['a', 'c', 'd']);
  });

  test('one that fails does not stop the others; the repetition reaches only it', async () => {
    let healthy = false;
    const handled: string[] = [];
    const { receive } = recorder({
      otherwise({ id }) {
        if (id === 'b' && !healthy) throw new Error('not yet');
        handled.push(id);
      },
    });
    const events = [event('a'), event('b'), event('c')];
    const first = await receive(await delivery(events, { headers: batch }));
    assert.equal(await seenAs(first), '500 {"failed":[1],"malformed":[]}');
    healthy = true;
    assert.equal((await receive(await delivery(events, { headers: batch }))).status, 200);
    assert.deepEqual(handled, ['a', 'c', 'b']);
  });

  test('one that is malformed is named, the others are handled', async () => {
    const { receive, handled } = recorder();
    const response = await receive(await delivery([event('a'), { id: 'b' }, event('c')], { headers: batch }));
    assert.equal(await seenAs(response), '400 {"failed":[],"malformed":[1]}');
    assert.deepEqual(handled, ['a', 'c']);
  });
});

describe('R20 wire 4: the OPTIONS handshake', () => {
  const ask = (headers: Record<string, string>) =>
    new Request('https://handler.example/', { method: 'OPTIONS', headers });

  test('answered where asked for, with origin and rate', async () => {
    const { receive } = recorder({ allowOrigins: ['gateway.example'], ratePerMinute: 60 });
    const response = await receive(ask({ 'webhook-request-origin': 'Gateway.example', 'webhook-request-rate': '999' }));
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('webhook-allowed-origin'), 'Gateway.example');
    assert.equal(response.headers.get('webhook-allowed-rate'), '60');
    const any = recorder({ allowOrigins: '*' });
    const answer = await any.receive(ask({ 'webhook-request-origin': 'x' }));
    assert.equal(answer.headers.get('webhook-allowed-rate'), '*');
  });

  test('no consent for other origins, nor without an origin', async () => {
    const { receive } = recorder({ allowOrigins: ['gateway.example'] });
    for (const headers of [{ 'webhook-request-origin': 'evil.example' }, {}]) {
      const response = await receive(ask(headers as Record<string, string>));
      assert.ok(response.status >= 400);
      assert.equal(response.headers.get('webhook-allowed-origin'), null);
    }
  });
});
