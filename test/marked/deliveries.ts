// Marked secrets of webhooks and post-processings: deliveries that end well and badly, and each secret refused in words.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { AUDIT, auditEvent, STRUCTURED } from '../../server/test/api-ground.ts';
import { issueCertificate } from '../../server/test/certificates.ts';
import { startTokenEndpoint } from '../../server/test/oauth-ground.ts';
import { eventually } from '../kit/handler.ts';
import { ask, make, must, type Ground, type Json } from './ground.ts';

/** Webhooks of every way to prove who sends, and events to all of them. */
export async function deliver(t: TestContext, ground: Ground): Promise<void> {
  const { api, marks, echo } = ground;
  const token = marks.make('AccessToken');
  const provider = await startTokenEndpoint(t, ({ form, authorization }, count) =>
    count % 2 === 0
      ? { body: { access_token: token, token_type: 'Bearer', expires_in: 3600, hint: `${form} ${authorization}` } }
      : {
          status: 400,
          body: { error: 'invalid_client', error_description: `not ${form.get('client_secret')} ${authorization}` },
        },
  );
  const issued = issueCertificate({ name: 'marked', isAuthority: true, names: ['localhost'] });
  marks.learn('PrivateKey', issued.privateKey.split('\n')[1]!);
  const { certificate, privateKey } = issued;
  const oauth = (clientSecret: string, auth: string) => ({
    tokenUrl: provider.url,
    clientId: 'me',
    clientSecret,
    auth,
  });
  const url = (path: string, host = '127.0.0.1') => `http://${host}:${echo.port}${path}`;
  const webhooks: Json[] = [
    { secret: marks.make('WebhookSecret'), url: url('/a'), authorization: `Bearer ${marks.make('FixedValue')}` },
    { secret: marks.make('OwnSecret'), url: url('/ok'), headers: { 'x-api-key': marks.make('HeaderValue') } },
    { url: url('/b'), oauth: oauth(marks.make('ClientSecret'), 'basic') },
    { url: url('/ok/c'), oauth: oauth(marks.make('ClientSecretInBody'), 'body') },
    { url: `https://localhost:${echo.port}/d`, tls: { certificate, privateKey, ca: certificate } },
    { url: 'http://127.0.0.1:81/refused', secret: marks.make('RefusedSecret') },
    { url: url('/e'), secret: marks.make('RotatedAwaySecret'), verification: 'challenge' },
    { mode: 'pull' },
  ];
  const made: string[] = [];
  for (const [index, body] of webhooks.entries()) {
    const verification = body['mode'] === 'pull' ? {} : { verification: 'none' };
    const { id } = await must(ground, 'POST /v1/webhooks', { name: `w${index}`, ...verification, ...body });
    await must(ground, 'POST /v1/subscriptions', { webhook: id, type: AUDIT });
    made.push(id as string);
  }
  const generated = {
    body: { name: 'generated', url: url('/ok/f'), verification: 'none' },
    headers: { 'idempotency-key': 'k1' },
  };
  const own = await make(ground, 'POST /v1/webhooks', { name: 'Generated', ...generated });
  await ask(ground, 'POST /v1/webhooks', generated);
  await make(ground, `POST /v1/webhooks/${own['id']}/rotate`, { name: 'Rotated', body: {} });
  await ask(ground, `POST /v1/webhooks/${made[6]}/rotate`, { body: { secret: marks.make('NewSecret') } });
  await ask(ground, `PATCH /v1/webhooks/${made[0]}`, { body: { authorization: `Bearer ${marks.make('NextValue')}` } });
  for (const id of made) await ask(ground, `POST /v1/webhooks/${id}/test`);
  for (let n = 0; n < 3; n++) await ask(ground, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  await eventually('deliveries have ended', async () => {
    const { items } = await api.expect(200, 'GET /v1/deliveries?limit=200');
    const states = (items as Json[]).map(({ state }) => state);
    // What is to be pulled stays.
    return states.length > 20 && states.filter((state) => state === 'scheduled').length === 3;
  });
  await ask(ground, `POST /v1/webhooks/${made[7]}/pull`, { body: {} });
  await listen(ground);
  await ask(ground, `POST /v1/webhooks/${made[0]}/recover`, { body: { since: new Date(0).toISOString() } });
  await must(ground, 'POST /v1/erasures', { subject: 'nobody' });
  // Whatever was to be said of a secret that is refused.
  for (const bad of [
    { secret: `${marks.make('BadSecret')}\n` },
    { authorization: `Bearer ${marks.make('BadValue')}\r\nx: y` },
    { headers: { 'x-key': `${marks.make('BadHeader')}\n` } },
    { oauth: { tokenUrl: 'nowhere', clientId: 'x', clientSecret: marks.make('BadClientSecret') } },
    {
      tls: {
        certificate: marks.make('NoCertificate'),
        privateKey: `-----BEGIN PRIVATE KEY-----\n${marks.make('BadKey')}`,
      },
    },
    { url: `http://user:${marks.make('UrlPassword')}@127.0.0.1:${echo.port}/` },
    { secrett: marks.make('WrongField') },
  ]) {
    await ask(ground, 'POST /v1/webhooks', { body: { name: 'bad', url: url('/x'), ...bad } });
    await ask(ground, `PATCH /v1/webhooks/${made[0]}`, { body: bad });
  }
  await ask(ground, 'POST /v1/webhooks', { body: `{"name":"cut","secret":"${marks.make('CutBody')}` });
}

/** Somebody listens, is handed a request, and never answers: it stays in the store. */
async function listen(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const authorization = `Bearer ${marks.make('HandedValue')}`;
  const { id } = await must(ground, 'POST /v1/webhooks', {
    name: 'listened to',
    mode: 'listen',
    verification: 'none',
    authorization,
  });
  await must(ground, 'POST /v1/subscriptions', { webhook: id, type: AUDIT });
  await ask(ground, `POST /v1/webhooks/${id}/listen`, { body: {} });
  await ask(ground, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  const handed = await api.expect(200, `POST /v1/webhooks/${id}/listen`, { body: { waitMs: 10_000, takeOver: true } });
  assert.match(JSON.stringify(handed), new RegExp(authorization), 'it is handed what an endpoint would be sent');
}

/** A post-processing of each kind, tested. */
export async function report(ground: Ground): Promise<void> {
  const { marks, echo } = ground;
  await ask(ground, 'POST /v1/groups', { body: { name: 'operations' } });
  const authorization = marks.make('ReportValue');
  const kinds = [
    { name: 'ops', group: 'operations', kind: 'webhook', url: `${echo.url}/report`, authorization },
    { name: 'mail', universal: true, kind: 'email', recipients: ['a@example.com'] },
  ];
  for (const kind of kinds) {
    const { id } = await must(ground, 'POST /v1/post-processings', kind);
    await ask(ground, `POST /v1/post-processings/${id}/test`, { body: {} });
  }
  const bad = { name: 'bad', kind: 'webhook', url: `${echo.url}/x`, authorization: `${marks.make('BadReport')}\n` };
  await ask(ground, 'POST /v1/post-processings', { body: { universal: true, ...bad } });
}
