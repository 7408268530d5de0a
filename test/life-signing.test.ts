// Signatures as others verify them: the official libraries of npm and PyPI, and endpoints in the middle of a rotation.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createVerifier, generateSecret } from '@bellwire/receiver';
import { Webhook } from 'standardwebhooks';
import { systemClock } from '../server/src/clock.ts';
import { startHandler } from './kit/handler.ts';
import { startLife, type Life } from './kit/life.ts';
import { startReceiver, type Received } from './kit/receiver.ts';

const KEY = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/** Publishes one event to an endpoint that verifies nothing; resolves the request as it came. */
async function deliver(life: Life, t: { after(fn: () => Promise<void>): void }, webhook: object): Promise<Received> {
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  await life.webhook({ url: endpoint.url, verification: 'none', ...webhook });
  await life.publish({ data: { id: 'ä', category: 'c', description: '— “exact bytes” —', created_at: 1 } });
  return (await endpoint.received(1))[0]!;
}

function signed({ headers }: Received): Record<string, string> {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}

test('Standard Webhooks: the official library of npm accepts a delivery, and refuses it when a byte is changed', async (t) => {
  const life = await startLife(t);
  const request = await deliver(life, t, { secret: KEY });
  const body = request.body.toString();
  assert.equal((new Webhook(KEY).verify(body, signed(request)) as { specversion: string }).specversion, '1.0');
  assert.throws(() => new Webhook(KEY).verify(body.replace('ä', 'ö'), signed(request)));
  assert.throws(() => new Webhook(KEY).verify(body, { ...signed(request), 'webhook-id': 'dlv_other' }));
});

test('Standard Webhooks: the official library of PyPI accepts a delivery, and refuses it when a byte is changed', async (t) => {
  const python = pythonWithLibrary(t);
  if (typeof python === 'string') return t.skip(python);
  const life = await startLife(t);
  const request = await deliver(life, t, { secret: KEY });
  const verify = (body: string): number | null => {
    const input = JSON.stringify({ key: KEY, body, headers: signed(request) });
    const { status, stderr } = spawnSync(python.path, ['-c', PROGRAM], { input, encoding: 'utf8' });
    assert.ok(status === 0 || status === 3, stderr);
    return status;
  };
  assert.equal(verify(request.body.toString()), 0);
  assert.equal(verify(request.body.toString().replace('ä', 'ö')), 3);
});

const PROGRAM = `
import json, sys
from standardwebhooks.webhooks import Webhook, WebhookVerificationError
given = json.load(sys.stdin)
try:
    Webhook(given["key"]).verify(given["body"], given["headers"])
except WebhookVerificationError:
    sys.exit(3)
`;

/** An environment of its own with the library in it, or why there is none. */
function pythonWithLibrary(t: { after(fn: () => void): void }): { path: string } | string {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-python-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const made = spawnSync('python3', ['-m', 'venv', folder], { encoding: 'utf8', timeout: 30_000 });
  const path = join(folder, 'bin', 'python');
  if (made.status !== 0 || !existsSync(path)) return 'there is no python3 with venv on this machine';
  const options = ['--quiet', '--disable-pip-version-check', '--retries', '0', '--timeout', '5'];
  const got = spawnSync(path, ['-m', 'pip', 'install', ...options, 'standardwebhooks'], {
    encoding: 'utf8',
    timeout: 40_000,
  });
  return got.status === 0 ? { path } : 'the package standardwebhooks cannot be had from PyPI here';
}

test('several signatures at once, each verified by its own key: v1, v1a and the HPE signature', async (t) => {
  const life = await startLife(t);
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  const signing = ['standard-v1', 'standard-v1a', 'hpe'];
  const made = await life.expect(201, 'POST /v1/webhooks', {
    body: { name: 'all', url: endpoint.url, verification: 'none', secret: 's3cr3tKey', signing },
  });
  await life.subscribe(made['id'] as string);
  await life.publish();
  const [request] = await endpoint.received(1);
  const { body, rawHeaders } = request!;
  const headers = new Headers();
  for (let i = 0; i < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  const keys = { hpe: 's3cr3tKey', v1: made['standardKey'] as string, v1a: made['publicKey'] as string };
  for (const scheme of ['v1', 'v1a'] as const) {
    const verdict = await createVerifier({ secret: [keys.hpe, keys[scheme]] })({ headers, body });
    assert.deepEqual(verdict.ok && verdict.schemes, [scheme, 'hpe']);
  }
});

test('R71 a rotation: Standard Webhooks signs with both keys, so that either side may be first', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: KEY, require: 'standard-webhooks' });
  const webhook = await life.webhook({ url: handler.url, secret: KEY });
  const next = generateSecret(randomBytes(32));
  await life.expect(200, `POST /v1/webhooks/${webhook}/rotate`, { body: { secret: next } });
  await life.publish();
  await life.settled(webhook, 'delivered', 1);
  handler.become({ secret: next });
  await life.publish();
  await life.settled(webhook, 'delivered', 2);
  assert.ok(
    handler.answers.every((status) => status === 200),
    `${handler.answers}`,
  );
});

test('R71 R113 a rotation: the HPE signature is made with the secret that was proved last', async (t) => {
  const life = await startLife(t);
  const handler = await startHandler(t, { secret: 'old secret', require: 'hpe' });
  const webhook = await life.webhook({ url: handler.url, secret: 'old secret' });
  await life.expect(200, `POST /v1/webhooks/${webhook}/rotate`, { body: { secret: 'new secret' } });
  await life.publish();
  await life.settled(webhook, 'delivered', 1);
  handler.become({ secret: 'new secret' });
  const tested = await life.expect(200, `POST /v1/webhooks/${webhook}/test`);
  assert.equal((tested['outcome'] as { ok: boolean }).ok, true);
  await life.publish();
  await life.settled(webhook, 'delivered', 2);
  assert.ok(
    handler.answers.every((status) => status === 200),
    `${handler.answers}`,
  );
});

test('R71 a rotation ends: the former secret is honoured until then, and not after', async (t) => {
  let laterMs = 0;
  const life = await startLife(t, {}, { ...systemClock, now: () => Date.now() + laterMs });
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  const webhook = await life.webhook({ url: endpoint.url, verification: 'none', secret: KEY });
  await life.expect(200, `POST /v1/webhooks/${webhook}/rotate`, { body: { graceMs: 3_600_000 } });
  await life.publish();
  const [during] = await endpoint.received(1);
  assert.equal(signed(during!)['webhook-signature']!.split(' ').length, 2);
  new Webhook(KEY).verify(during!.body.toString(), signed(during!));
  await life.settled(webhook, 'delivered');
  laterMs = 3_600_001;
  await life.publish();
  const [, after] = await endpoint.received(2);
  assert.throws(() => new Webhook(KEY).verify(after!.body.toString(), signed(after!)));
});

test('R123 deliveries hang on no token: the key that registered the webhook is gone, its secret knows no end', async (t) => {
  const life = await startLife(t);
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  const made = await life.expect(201, 'POST /v1/keys', { body: { name: 'subscriber', scopes: ['manage', 'read'] } });
  const key = made['key'] as string;
  const body = { name: 'of the subscriber', url: endpoint.url, verification: 'none', secret: KEY };
  const webhook = await life.expect(201, 'POST /v1/webhooks', { key, body });
  await life.subscribe(webhook['id'] as string);
  await life.expect(204, `DELETE /v1/keys/${made['id'] as string}`);
  await life.publish();
  const [request] = await endpoint.received(1);
  new Webhook(KEY).verify(request!.body.toString(), signed(request!));
  const shown = await life.state(webhook['id'] as string, 'active');
  assert.equal(shown['secondaryUntil'], null, 'the only instant a secret has is the end of a former one');
});
