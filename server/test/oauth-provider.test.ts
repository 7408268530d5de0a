// The whole way with a real provider: an endpoint that lets nobody in without an access token of oidc-provider.
import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { answerChallenge } from '@bellwire/receiver';
// @ts-expect-error: the package brings no types.
import Provider from 'oidc-provider';
import { startLife } from '../../test/kit/life.ts';
import { startReceiver, type TestReceiver } from '../../test/kit/receiver.ts';

const SECRET = 's3cr3tKey';
const CLIENT = { client_id: 'bell:wire', client_secret: 'a client s3cret+with:signs' };
const AUDIENCE = 'https://hooks.example.com/';

interface IssuedToken {
  clientId: string;
  scope: string;
  aud: string;
  destroy(): Promise<void>;
}

interface ProviderGround {
  url: string;
  /** Requests for a token. */
  asked(): number;
  /** The token, if it was given out and is good still. */
  find(value: string): Promise<IssuedToken | undefined>;
}

async function startProvider(t: TestContext, method: string): Promise<ProviderGround> {
  let listener: RequestListener = () => undefined;
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.url === '/token') asked += 1;
    return listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // It says on the console that its own defaults are not for production.
  t.mock.method(console, 'warn', () => undefined);
  t.mock.method(console, 'info', () => undefined);
  const provider = new Provider(url, {
    clients: [
      {
        ...CLIENT,
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
        token_endpoint_auth_method: method,
      },
    ],
    scopes: ['hooks'],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({ scope: 'hooks', audience: AUDIENCE, accessTokenFormat: 'opaque' }),
      },
    },
  });
  listener = provider.callback() as RequestListener;
  return {
    url: `${url}/token`,
    asked: () => asked,
    find: (value) => provider.ClientCredentials.find(value) as Promise<IssuedToken | undefined>,
  };
}

/** An endpoint that answers challenges of those who bring a good token, and 401 to all others. */
async function startProtected(t: TestContext, { find }: ProviderGround): Promise<TestReceiver> {
  const receiver = await startReceiver(async ({ headers, body }) => {
    const token = await find(String(headers['authorization']).replace('Bearer ', ''));
    if (token?.scope !== 'hooks' || token.aud !== AUDIENCE) return { status: 401 };
    return { status: 200, ...(await answerChallenge(SECRET, JSON.parse(body.toString() || 'null'))) };
  });
  t.after(() => receiver.stop());
  return receiver;
}

for (const [auth, method] of [
  ['basic', 'client_secret_basic'],
  ['body', 'client_secret_post'],
] as const) {
  test(`R123 challenged and delivered to with tokens of a real provider; a revoked one is renewed at once (${method})`, async (t) => {
    const provider = await startProvider(t, method);
    const hook = await startProtected(t, provider);
    const life = await startLife(t);
    const { client_id: clientId, client_secret: clientSecret } = CLIENT;
    const oauth = { tokenUrl: provider.url, clientId, clientSecret, scope: 'hooks', resource: AUDIENCE, auth };
    const id = await life.webhook({ url: hook.url, secret: SECRET, oauth });
    await life.publish();
    await life.settled(id, 'delivered');
    assert.equal(provider.asked(), 1, 'the challenge and the delivery share a token');

    const bearer = String(hook.requests.at(-1)!.headers['authorization']).replace('Bearer ', '');
    await (await provider.find(bearer))!.destroy();
    await life.publish();
    const [newest] = await life.settled(id, 'delivered', 2);
    assert.equal(provider.asked(), 2);
    const attempts = await life.attempts(newest!['id'] as string);
    assert.equal(attempts.length, 1, 'the second send is part of the attempt');
    assert.deepEqual(
      hook.requests.slice(-2).map(({ headers }) => headers['webhook-id']),
      [newest!['id'], newest!['id']],
    );
    const shown = JSON.stringify(attempts);
    assert.match(shown, /Bearer ••• \(renewed: the first one was answered 401\)/);
    const tokens = hook.requests.map(({ headers }) => String(headers['authorization']).replace('Bearer ', ''));
    for (const secret of [...tokens, clientSecret, encodeURIComponent(clientSecret)]) {
      assert.ok(!shown.includes(secret));
      assert.ok(!life.lines.join('').includes(secret));
    }
  });
}

test('a client the provider does not know: the challenge fails in words, and a right secret heals it', async (t) => {
  const provider = await startProvider(t, 'client_secret_basic');
  const hook = await startProtected(t, provider);
  const life = await startLife(t);
  const { client_id: clientId, client_secret: clientSecret } = CLIENT;
  const oauth = { tokenUrl: provider.url, clientId, clientSecret: 'wrong', scope: 'hooks', resource: AUDIENCE };
  const id = await life.webhook({ url: hook.url, secret: SECRET, oauth }, 'critical');
  const { reason } = await life.expect(200, `GET /v1/webhooks/${id}`);
  assert.match(String(reason), /there is no access token, for 127\.0\.0\.1 answered 401 \(invalid_client/);
  assert.equal(hook.requests.length, 0);
  await life.expect(200, `PATCH /v1/webhooks/${id}`, { body: { oauth: { clientSecret } } });
  await life.expect(200, `POST /v1/webhooks/${id}/test`);
  await life.state(id, 'active');
});
