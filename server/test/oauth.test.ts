// Access tokens by client credentials: asked for once, kept, renewed, and what a token endpoint can do wrong.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { testClock, type TestClock } from '../../test/kit/clock.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createSender, makeCredentials, type AuthorizedRequest, type Sender } from '../src/engine/oauth/index.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { isOurFault } from '../src/model/outcome.ts';
import type { OAuthClient } from '../src/model/webhook.ts';
import { clientOf, startTokenEndpoint, type TokenAnswer, type TokenEndpoint } from './oauth-ground.ts';
import { answered, failed, http, listen, post, type RawServer } from './transport-servers.ts';

const SECRET = 'cl1ent s3cret';

interface Ground {
  clock: TestClock;
  tokens: TokenEndpoint;
  endpoint: RawServer;
  sender: Sender;
  /** A request of this client. */
  request(over?: Partial<AuthorizedRequest>): AuthorizedRequest;
  /** The Authorization of each request that arrived. */
  shown(): string[];
}

const token = (n: number, over: object = {}): TokenAnswer => ({
  body: { access_token: `token-${n}`, token_type: 'Bearer', expires_in: 3600, ...over },
});

async function prepare(
  t: TestContext,
  answer: (count: number) => TokenAnswer,
  { status = () => 200, client = {} }: { status?: (count: number) => number; client?: Partial<OAuthClient> } = {},
): Promise<Ground> {
  const tokens = await startTokenEndpoint(t, (_, count) => answer(count));
  const endpoint = await listen(t, ({ socket, request }) => socket.write(http(status(request))));
  const clock = testClock();
  const transport = createTransport({
    guard: createAddressGuard({ allow: ['127.0.0.0/8'] }),
    userAgent: 'Bellwire/test',
  });
  t.after(() => transport.close({ force: true }));
  const credentials = makeCredentials(clientOf(tokens.url, client), SECRET);
  return {
    clock,
    tokens,
    endpoint,
    sender: createSender(transport, clock, 300),
    request: (over) => ({ ...post(endpoint.url), credentials, ...over }),
    shown: () => endpoint.requests.map(({ head }) => /^authorization: (.*)$/im.exec(head)?.[1] ?? '-'),
  };
}

test('R123 many deliveries at once ask for one token; it is kept till it expires, and renewed before', async (t) => {
  const { clock, tokens, sender, request, shown } = await prepare(t, (n) => token(n));
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => sender.send(request())));
  assert.ok(outcomes.every((outcome) => answered(outcome).status === 200));
  assert.equal(tokens.asked.length, 1);
  await clock.advance(3_539_000);
  await sender.send(request());
  assert.equal(tokens.asked.length, 1, 'a minute before its end it is still good');
  await clock.advance(2_000);
  await sender.send(request());
  assert.equal(tokens.asked.length, 2);
  assert.deepEqual([shown().at(50), shown().at(51)], ['Bearer token-1', 'Bearer token-2']);
});

test('RFC 6749 4.4: the client shows itself in the header or in the form, and asks for what it was told', async (t) => {
  const odd = 'a:b c+%~';
  const basic = await prepare(t, (n) => token(n), {
    client: { clientId: odd, scope: 'hooks:write other', audience: 'https://api.example', resource: 'urn:x' },
  });
  await basic.sender.send(basic.request());
  const [asked] = basic.tokens.asked;
  const [id, secret] = Buffer.from(asked!.authorization!.replace('Basic ', ''), 'base64').toString().split(':');
  const decode = (text: string) => new URLSearchParams(`x=${text}`).get('x');
  assert.deepEqual([asked!.method, decode(id!), decode(secret!)], ['POST', odd, SECRET]);
  assert.deepEqual(Object.fromEntries(asked!.form), {
    grant_type: 'client_credentials',
    scope: 'hooks:write other',
    audience: 'https://api.example',
    resource: 'urn:x',
  });
  const body = await prepare(t, (n) => token(n), { client: { auth: 'body' } });
  await body.sender.send(body.request());
  assert.equal(body.tokens.asked[0]!.authorization, undefined);
  assert.deepEqual(Object.fromEntries(body.tokens.asked[0]!.form), {
    grant_type: 'client_credentials',
    client_id: 'bellwire',
    client_secret: SECRET,
  });
});

for (const [says, keptMs] of [
  [3600, 3_540_000],
  ['3600', 3_540_000],
  [100, 90_000],
  [0, 4_500],
  [-1, 270_000],
  [1e300, 86_340_000],
  ['soon', 270_000],
  [undefined, 270_000],
  [{}, 270_000],
] as const) {
  test(`a token endpoint that lies about expiry: expires_in ${JSON.stringify(says)} is kept ${keptMs / 1000} s`, async (t) => {
    const { clock, tokens, sender, request } = await prepare(t, (n) => token(n, { expires_in: says }));
    await sender.send(request());
    await clock.advance(keptMs - 1);
    await sender.send(request());
    assert.equal(tokens.asked.length, 1);
    await clock.advance(1);
    await sender.send(request());
    assert.equal(tokens.asked.length, 2);
  });
}

test('R123 a 401 renews the token once, and the delivery is sent again at once, as one attempt', async (t) => {
  const ground = await prepare(t, (n) => token(n), { status: (n) => (n === 2 ? 401 : 200) });
  const { sender, request, tokens, shown } = ground;
  await sender.send(request());
  const outcome = await sender.send(request({ headers: ['webhook-id', 'msg_1'] }));
  assert.deepEqual([outcome.status, outcome.sentTwice], [200, true]);
  assert.deepEqual(shown(), ['Bearer token-1', 'Bearer token-1', 'Bearer token-2']);
  assert.match(ground.endpoint.requests[2]!.head, /webhook-id: msg_1/);
  assert.equal(tokens.asked.length, 2);
});

test('deliveries whose token was refused together renew it once between them', async (t) => {
  let isRevoked = false;
  const ground = await prepare(t, (n) => token(n));
  const endpoint = await listen(t, ({ socket, head }) =>
    socket.write(http(isRevoked && head.includes('token-1') ? 401 : 200)),
  );
  const ask = () => ground.sender.send(ground.request({ target: post(endpoint.url).target }));
  await ask();
  isRevoked = true;
  const outcomes = await Promise.all(Array.from({ length: 20 }, ask));
  assert.ok(outcomes.every((outcome) => answered(outcome).status === 200));
  assert.equal(ground.tokens.asked.length, 2);
});

test('an endpoint that takes no token is answered 401 in the log, and the token endpoint is not hammered', async (t) => {
  const { clock, sender, request, tokens, shown } = await prepare(t, (n) => token(n), { status: () => 401 });
  assert.equal(answered(await sender.send(request())).status, 401);
  assert.deepEqual([shown().length, tokens.asked.length], [2, 2], 'sent again with a new token, which was no better');
  for (let n = 0; n < 10; n++) assert.equal(answered(await sender.send(request())).status, 401);
  assert.deepEqual([shown().length, tokens.asked.length], [12, 2]);
  await clock.advance(1_000);
  await sender.send(request());
  assert.equal(tokens.asked.length, 3);
  await clock.advance(1_999);
  await sender.send(request());
  assert.equal(tokens.asked.length, 3, 'twice as long each time');
});

const BAD: [what: string, answer: TokenAnswer, words: RegExp][] = [
  ['hangs', () => undefined, /did not answer within 300 ms$/],
  [
    'answers HTML',
    { body: '<html>Sign in</html>', headers: { 'content-type': 'text/html; charset=utf-8' } },
    /answered 200 with text\/html instead of a token$/,
  ],
  [
    'answers 400 invalid_client',
    { status: 400, body: { error: 'invalid_client', error_description: `no\r\nsuch client with ${SECRET}` } },
    /answered 400 \(invalid_client: no such client with •••\)$/,
  ],
  [
    'redirects',
    { status: 302, body: '', headers: { location: 'https://elsewhere.example/' } },
    /answered 302, and redirects are not followed$/,
  ],
  [
    'never stops',
    (response) => {
      const chunk = Buffer.alloc(16 * 1024, '{"x":"');
      const write = (): void => void response.write(chunk, (error) => error || write());
      write();
    },
    /answered with more than a token can be$/,
  ],
  ['answers an array', { body: [1] }, /instead of a token$/],
  ['leaves the token out', { body: { token_type: 'Bearer' } }, /answered 200 without a token$/],
  [
    'gives a token with a line break',
    { body: { access_token: 'a\r\nx-injected: 1', token_type: 'Bearer' } },
    /answered 200 without a token$/,
  ],
  ['gives a token of another type', { body: { access_token: 'x', token_type: 'mac' } }, /is not of the type Bearer$/],
  ['closes the connection', (response) => void response.destroy(), /closed the connection without answering$/],
];

for (const [what, answer, words] of BAD) {
  test(`a token endpoint that ${what}: an outcome in words, nothing sent, and it is left alone for a while`, async (t) => {
    const { clock, sender, request, tokens, shown } = await prepare(t, (n) => (n < 3 ? answer : token(n)));
    const outcome = failed(await sender.send(request()));
    assert.match(outcome.message, /^was not sent to: there is no access token, for 127\.0\.0\.1 /);
    assert.match(outcome.message, words);
    assert.ok(!outcome.message.includes(SECRET));
    assert.deepEqual([outcome.code, outcome.quietMs, tokens.asked.length], ['no-token', 1_000, 1]);
    const again = failed(await sender.send(request()));
    assert.deepEqual([again.message, tokens.asked.length], [outcome.message, 1]);
    await clock.advance(1_000);
    assert.equal(failed(await sender.send(request())).quietMs, 2_000);
    assert.equal(answered(await sender.send(request({ eager: true }))).status, 200, 'a person may ask at any time');
    assert.equal(answered(await sender.send(request())).status, 200);
    assert.deepEqual([tokens.asked.length, shown().length], [3, 2]);
  });
}

test('what is our own fault on the way to a token endpoint is not the endpoint’s, and uses up no try', async (t) => {
  const tokens = await startTokenEndpoint(t, (_, n) => token(n));
  const gone = await listen(t, ({ socket }) => socket.destroy());
  const transport = createTransport({
    guard: createAddressGuard({ allow: ['127.0.0.0/8'] }),
    userAgent: 'Bellwire/test',
    proxy: { hostname: '127.0.0.1', port: gone.port, authorization: null },
  });
  const credentials = makeCredentials(clientOf(tokens.url), SECRET);
  const sender = createSender(transport, testClock());
  const outcome = failed(await sender.send({ ...post('http://hooks.example.test/'), credentials }));
  assert.deepEqual([outcome.code, isOurFault(outcome)], ['proxy', true]);
  assert.match(outcome.message, /^was not sent to: the proxy closed the connection/);
  await transport.close();
  const stopped = failed(await sender.send({ ...post('http://hooks.example.test/'), credentials, eager: true }));
  assert.deepEqual([stopped.code, stopped.message], ['closed', 'was not sent to: the platform is stopping']);
});

test('an endpoint that takes no token leaves the others of the same client their renewals', async (t) => {
  let isRevoked = false;
  const { sender, request, tokens } = await prepare(t, (n) => token(n), { status: () => 401 });
  const well = await listen(t, ({ socket, head }) =>
    socket.write(http(isRevoked && head.includes('token-2') ? 401 : 200)),
  );
  const mine = makeCredentials(clientOf(tokens.url), SECRET);
  const ask = () => sender.send(request({ target: post(well.url).target, credentials: mine }));
  await ask();
  assert.equal(answered(await sender.send(request())).status, 401);
  assert.equal(tokens.asked.length, 2);
  isRevoked = true;
  assert.equal(answered(await ask()).status, 200);
  assert.equal(tokens.asked.length, 3);
});

test('wire 6: the token endpoint’s address is judged like any other', async (t) => {
  const inside = await startTokenEndpoint(t, (_, n) => token(n), '127.0.0.2');
  const endpoint = await listen(t, ({ socket }) => socket.write(http(200)));
  const guard = createAddressGuard({ allow: ['127.0.0.1/32'] });
  const transport = createTransport({ guard, userAgent: 'Bellwire/test' });
  t.after(() => transport.close({ force: true }));
  const credentials = makeCredentials(clientOf(inside.url), SECRET);
  const outcome = failed(await createSender(transport, testClock()).send({ ...post(endpoint.url), credentials }));
  assert.match(outcome.message, /127\.0\.0\.2 is a loopback address, which the operator does not allow$/);
  assert.deepEqual([inside.asked.length, endpoint.requests.length], [0, 0]);
});

test('a token endpoint that asks for patience gets it, up to a minute', async (t) => {
  const busy: TokenAnswer = { status: 429, body: {}, headers: { 'retry-after': '17' } };
  const { sender, request } = await prepare(t, () => busy);
  assert.equal(failed(await sender.send(request())).quietMs, 17_000);
});

test('tokens are shared by the same client with the same secret only', async (t) => {
  const { sender, request, tokens } = await prepare(t, (n) => token(n));
  await sender.send(request());
  await sender.send(request({ credentials: makeCredentials(clientOf(tokens.url), SECRET) }));
  assert.equal(tokens.asked.length, 1);
  await sender.send(request({ credentials: makeCredentials(clientOf(tokens.url), 'another') }));
  await sender.send(request({ credentials: makeCredentials(clientOf(tokens.url, { scope: 'x' }), SECRET) }));
  assert.equal(tokens.asked.length, 3);
  assert.equal(answered(await sender.send(request({ credentials: null }))).status, 200);
});
