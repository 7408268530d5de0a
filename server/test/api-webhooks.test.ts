// Webhooks over the API: registered, proved, changed, rotated, paused, deleted; their secrets seen once.
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { answerChallenge } from '@bellwire/receiver';
import { startReceiver, type Received, type TestReceiver } from '../../test/kit/receiver.ts';
import { AUDIT, auditEvent, startApi, STRUCTURED, type ApiGround } from './api-ground.ts';

/** The policy of a webhook that says nothing about it. */
const PLAIN = {
  retryDelaysMs: null,
  timeoutMs: null,
  rate: null,
  recovery: 'in-order',
  order: { kind: 'any' },
  batch: null,
};

/** An endpoint that proves the secret it is told; it can be told another. */
async function endpoint(t: TestContext): Promise<TestReceiver & { learn(secret: string): void }> {
  let secret = 'not told yet';
  const receiver = await startReceiver(async ({ body }) => {
    const answer = await answerChallenge(secret, JSON.parse(body.toString() || 'null'));
    return answer ? { ...answer, headers: { ...answer.headers } } : { status: 200 };
  });
  t.after(() => receiver.stop());
  return Object.assign(receiver, { learn: (next: string) => void (secret = next) });
}

/** Waits for a state by the record of changes, woken by the endpoint’s requests. */
async function untilState(api: ApiGround, id: string, state: string): Promise<Record<string, unknown>> {
  for (let looks = 0; looks < 500; looks++) {
    const webhook = await api.expect(200, `GET /v1/webhooks/${id}`);
    if (webhook['state'] === state) return webhook;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`${id} never became ${state}`);
}

test('R110 R111 R51 registering answers pending and challenges at once; proved, it is active and gets its events', async (t) => {
  const api = await startApi(t);
  const hook = await endpoint(t);
  hook.learn('s3cr3tKey');
  const made = await api.expect(201, 'POST /v1/webhooks', {
    body: { name: 'sheet', url: `${hook.url}/in`, secret: 's3cr3tKey' },
  });
  assert.deepEqual([made['state'], made['signing'], made['secret']], ['pending', ['hpe'], undefined]);
  const id = made['id'] as string;
  await untilState(api, id, 'active');
  await api.expect(201, 'POST /v1/subscriptions', { body: { webhook: id, type: AUDIT } });
  await api.expect(202, 'POST /v1/events', { body: auditEvent({ id: 'heard' }), headers: STRUCTURED });
  const [, delivered] = await hook.received(2);
  assert.equal((JSON.parse(delivered!.body.toString()) as { id: string }).id, 'heard');
  const changes = (await api.expect(200, `GET /v1/webhooks/${id}/changes`))['items'] as {
    state: string;
    reason: string;
  }[];
  assert.deepEqual(
    changes.map(({ state }) => state),
    ['active', 'pending'],
  );
  assert.ok(changes.every(({ reason }) => reason.length > 0));
});

test('R108 R59 R60 what a webhook may be: name, description, secret, URL', async (t) => {
  const api = await startApi(t, {
    targets: { httpsRequired: true, publicNamesRequired: true, allowUnverified: false },
  });
  const good = {
    name: 'Größe-1 .@_',
    url: 'https://hooks.example.com/x',
    description: 'd'.repeat(100),
    secret: ' ab ',
  };
  const refuse = (code: string, over: object) =>
    api.refused(code, 'POST /v1/webhooks', { body: { ...good, name: 'n', ...over } });
  await refuse('invalid-request', { name: '' });
  await refuse('invalid-request', { name: 'x'.repeat(51) });
  await refuse('invalid-request', { name: 'a/b' });
  await refuse('invalid-request', { name: 'a\nb' });
  await refuse('invalid-request', { description: 'd'.repeat(101) });
  await refuse('invalid-request', { secret: 'abc' });
  await refuse('invalid-request', { secret: 'x'.repeat(101) });
  await refuse('invalid-secret', { secret: 'whsec_dG9vc2hvcnQ=' });
  await refuse('verification-required', { verification: 'none' });
  for (const url of [
    'ftp://hooks.example.com/',
    'javascript:alert(1)',
    'hooks.example.com',
    'http://hooks.example.com/',
    'https://user:password@hooks.example.com/',
    'https://localhost/',
    'https://intranet/',
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f.0.0.1/',
    'https://017700000001/',
    'https://[::1]/',
    'https://[::ffff:127.0.0.1]/',
    'https://①②⑦.0.0.1/',
    'https://10.0.0.1./',
    'https://hooks.example.com/\r\nX: y',
    `https://hooks.example.com/${'x'.repeat(2_048)}`,
  ]) {
    const problem = await refuse('refused-url', { url });
    assert.equal((problem['errors'] as { pointer: string }[])[0]!.pointer, '/url', url);
  }
  for (const headers of [
    { 'x-a': 'a\r\nX-B: c' },
    { 'x-a': 'a\u0001b' },
    { 'x a': 'b' },
    { 'x-a': 'ключ' },
    { Host: 'x' },
    { 'content-length': '1' },
    { 'webhook-id': '1' },
    { Authorization: 'Bearer x' },
    { 'X-A': '1', 'x-a': '2' },
  ]) {
    await refuse('refused-header', { headers });
  }
  await refuse('refused-header', { authorization: 'a\r\nb' });
  await refuse('invalid-request', { headers: { 'x-a': 'a\u0000b' } });
});

test('R108 R109 a name, a description and a secret at their edges; the name is taken once', async (t) => {
  const api = await startApi(t);
  const good = { name: 'Größe-1 .@_', url: 'http://127.0.0.1:8009/', description: 'd'.repeat(100), secret: ' ab ' };
  const made = await api.expect(201, 'POST /v1/webhooks', { body: good });
  assert.deepEqual([made['name'], made['description']], [good.name, good.description]);
  await api.refused('name-taken', 'POST /v1/webhooks', { body: good });
  await api.expect(201, 'POST /v1/webhooks', { body: { ...good, name: 'n'.repeat(50), secret: '🔑'.repeat(100) } });
  const { secrets } = (await api.platform.store.settings.target({ workspace: 1, target: 1 }))!;
  assert.equal(secrets.secret, ' ab ', 'never trimmed');
});

test('R59 an address the operator does not allow is refused at registration, by literal and by name', async (t) => {
  const api = await startApi(t);
  for (const url of ['http://10.0.0.1/', 'http://169.254.169.254/latest', 'http://[fd00::1]/', 'http://0.0.0.0/']) {
    await api.refused('refused-url', 'POST /v1/webhooks', { body: { name: 'n', url } });
  }
  await api.expect(201, 'POST /v1/webhooks', { body: { name: 'n', url: 'http://localhost:8009/' } });
});

test('R59 what a name resolves to is for the operator’s log: the tenant learns of what kind the address is', async (t) => {
  const api = await startApi(t, { targets: { allowAddresses: [] } });
  const body = { name: 'n', url: 'http://localhost:8009/' };
  const { detail } = await api.refused('refused-url', 'POST /v1/webhooks', { body });
  assert.equal(detail, 'localhost resolves to a loopback address, which the operator does not allow');
  const line = api.lines.map((one) => JSON.parse(one) as Record<string, unknown>).find(({ address }) => address);
  assert.match(String(line?.['address']), /^(127\.0\.0\.1|::1)$/);
  assert.equal(line?.['hostname'], 'localhost');
});

test('R124 a webhook’s own plan is bounded where it is said: what is taken is kept', async (t) => {
  const api = await startApi(t);
  const days = (n: number) => n * 86_400_000;
  const make = (name: string, retryDelaysMs: number[]) => ({
    body: { name, url: 'http://localhost:8009/', policy: { retryDelaysMs } },
  });
  const made = await api.expect(201, 'POST /v1/webhooks', make('long', [0, days(7)]));
  assert.deepEqual(made['policy'], { ...PLAIN, retryDelaysMs: [0, days(7)] });
  await api.refused('invalid-request', 'POST /v1/webhooks', make('longer', [days(7) + 1]));
  await api.refused('invalid-request', 'POST /v1/webhooks', make('more', Array<number>(101).fill(1)));
});

test('R71 a secret is shown where it is made and nowhere else', async (t) => {
  const api = await startApi(t);
  const hook = await endpoint(t);
  const shown: string[] = [];
  const make = async (body: object) => {
    const made = await api.expect(201, 'POST /v1/webhooks', { body: { url: hook.url, ...body } });
    for (const field of ['secret', 'standardKey']) if (made[field] !== undefined) shown.push(made[field] as string);
    return made;
  };
  const generated = await make({ name: 'generated' });
  assert.match(String(generated['secret']), /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.deepEqual(generated['signing'], ['standard-v1']);
  const own = await make({
    name: 'own',
    secret: 'my-own-secret',
    signing: ['hpe', 'standard-v1', 'standard-v1a'],
    authorization: 'Bearer very-hidden',
  });
  assert.equal(own['secret'], undefined);
  assert.match(String(own['standardKey']), /^whsec_/);
  assert.match(String(own['publicKey']), /^whpk_/);
  const patched = await api.expect(200, `PATCH /v1/webhooks/${generated['id']}`, {
    body: { secret: 'another-own-secret', signing: ['standard-v1'] },
  });
  assert.match(String(patched['standardKey']), /^whsec_/);
  shown.push(
    patched['standardKey'] as string,
    'my-own-secret',
    'another-own-secret',
    'very-hidden',
    api.platform.adminKey,
  );
  await hook.received(1);
  const everything = [
    await api.ask('GET /v1/webhooks'),
    await api.ask(`GET /v1/webhooks/${own['id']}`),
    await api.ask(`PATCH /v1/webhooks/${own['id']}`, { body: { description: 'x' } }),
    await api.ask(`POST /v1/webhooks/${own['id']}/pause`),
    await api.ask('GET /v1/keys'),
    await api.ask('GET /metrics'),
  ].map(({ text }) => text);
  const log = api.lines.join('');
  for (const secret of shown) {
    assert.ok(!everything.some((text) => text.includes(secret)), `${secret.slice(0, 12)}… in an answer`);
    assert.ok(!log.includes(secret), `${secret.slice(0, 12)}… in the log`);
  }
});

test('API: a changed URL or secret has to be proved again; other changes leave the state alone', async (t) => {
  const api = await startApi(t);
  const hook = await endpoint(t);
  hook.learn('first-secret');
  const id = (
    await api.expect(201, 'POST /v1/webhooks', { body: { name: 'n', url: hook.url, secret: 'first-secret' } })
  )['id'] as string;
  await untilState(api, id, 'active');
  const patch = (body: object) => api.expect(200, `PATCH /v1/webhooks/${id}`, { body });
  const kept = await patch({
    name: 'm',
    description: 'd',
    policy: { retryDelaysMs: [10, 20], timeoutMs: 5_000 },
    headers: { 'x-a': 'b' },
    url: `${hook.url}/`,
    secret: 'first-secret',
  });
  assert.deepEqual(
    [kept['state'], kept['name'], kept['policy'], kept['headers']],
    ['active', 'm', { ...PLAIN, retryDelaysMs: [10, 20], timeoutMs: 5_000 }, { 'x-a': '•••' }],
  );
  assert.deepEqual((await patch({ policy: { timeoutMs: null } }))['policy'], { ...PLAIN, retryDelaysMs: [10, 20] });
  assert.equal((await patch({ url: `${hook.url}/other` }))['state'], 'pending');
  await untilState(api, id, 'active');
  hook.learn('second-secret');
  assert.equal((await patch({ secret: 'second-secret' }))['state'], 'pending');
  await untilState(api, id, 'active');
  await api.refused('invalid-request', `PATCH /v1/webhooks/${id}`, { body: {} });
  const reasons = (
    (await api.expect(200, `GET /v1/webhooks/${id}/changes`))['items'] as { state: string; reason: string }[]
  )
    .filter(({ state }) => state === 'pending')
    .map(({ reason }) => reason);
  assert.deepEqual(reasons, ['the secret was changed', 'the URL was changed', 'registered']);
});

test('R113 Test sends a new challenge in every state and tells what came back', async (t) => {
  const api = await startApi(t);
  const hook = await endpoint(t);
  const id = (
    await api.expect(201, 'POST /v1/webhooks', { body: { name: 'n', url: hook.url, secret: 'right-secret' } })
  )['id'] as string;
  await hook.received(1);
  const wrong = await api.expect(200, `POST /v1/webhooks/${id}/test`);
  assert.equal(wrong['state'], 'pending');
  const { ok, status, error } = wrong['outcome'] as { ok: boolean; status: number; error: string };
  assert.deepEqual([ok, status], [false, 200]);
  assert.ok(error.length > 0);
  hook.learn('right-secret');
  const right = await api.expect(200, `POST /v1/webhooks/${id}/test`);
  assert.deepEqual([right['state'], (right['outcome'] as { ok: boolean }).ok], ['active', true]);
  const challenges = hook.requests.map(
    ({ body }) => (JSON.parse(body.toString()) as { data: { challengeRequest: string } }).data.challengeRequest,
  );
  assert.equal(new Set(challenges).size, challenges.length, 'each one is fresh');
});

test('API: pause and resume, disable and enable; resuming does not heal, enabling asks for proof', async (t) => {
  const api = await startApi(t);
  const hook = await endpoint(t);
  hook.learn('s3cr3tKey');
  const id = (await api.expect(201, 'POST /v1/webhooks', { body: { name: 'n', url: hook.url, secret: 's3cr3tKey' } }))[
    'id'
  ] as string;
  await untilState(api, id, 'active');
  await api.expect(201, 'POST /v1/subscriptions', { body: { webhook: id, type: AUDIT } });
  const act = async (what: string) => (await api.expect(200, `POST /v1/webhooks/${id}/${what}`))['state'];
  assert.equal(await act('pause'), 'paused');
  assert.equal(await act('pause'), 'paused');
  await api.refused('wrong-state', `POST /v1/webhooks/${id}/enable`);
  await api.expect(202, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  const held = (await api.expect(200, `GET /v1/webhooks/${id}/deliveries?state=held`))['items'] as { id: string }[];
  assert.equal(held.length, 1);
  assert.equal(await act('resume'), 'active');
  await hook.received(2);
  assert.equal(await act('disable'), 'disabled');
  await api.refused('wrong-state', `POST /v1/webhooks/${id}/pause`);
  await api.refused('wrong-state', `POST /v1/webhooks/${id}/resume`);
  assert.equal(await act('enable'), 'pending');
  await untilState(api, id, 'active');
  await api.refused('in-use', `DELETE /v1/webhooks/${id}`);
  await api.expect(204, `DELETE /v1/webhooks/${id}?force=true`);
  await api.refused('not-found', `GET /v1/webhooks/${id}`);
  assert.deepEqual((await api.expect(200, 'GET /v1/subscriptions'))['items'], []);
});

test('API: rotating keeps the state, honours the former secret for its grace and proves the new one', async (t) => {
  const api = await startApi(t);
  const hook = await endpoint(t);
  const made = await api.expect(201, 'POST /v1/webhooks', { body: { name: 'n', url: hook.url } });
  const id = made['id'] as string;
  hook.learn(made['secret'] as string);
  await api.expect(200, `POST /v1/webhooks/${id}/test`);
  await untilState(api, id, 'active');
  const before = Date.now();
  const rotated = await api.expect(200, `POST /v1/webhooks/${id}/rotate`);
  assert.match(String(rotated['secret']), /^whsec_/);
  assert.notEqual(rotated['secret'], made['secret']);
  assert.equal(rotated['state'], 'active');
  const until = Date.parse(String(rotated['secondaryUntil'])) - before;
  assert.ok(until >= 86_400_000 && until < 86_500_000, String(until));
  assert.equal(
    (await api.expect(200, `POST /v1/webhooks/${id}/test`))['state'],
    'active',
    'the former secret still proves it',
  );
  await api.expect(201, 'POST /v1/subscriptions', { body: { webhook: id, type: AUDIT } });
  await api.expect(202, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  const isDelivery = ({ headers }: Received) => String(headers['webhook-id']).startsWith('dlv_');
  const [delivery] = await hook.received(1, { where: isDelivery });
  assert.equal(String(delivery!.headers['webhook-signature']).split(' ').length, 2, 'signed with both');
  const own = await api.expect(200, `POST /v1/webhooks/${id}/rotate`, { body: { secret: 'my own text', graceMs: 0 } });
  assert.deepEqual([own['secret'], own['secondaryUntil']], [undefined, null]);
  assert.match(String(own['standardKey']), /^whsec_/, 'Standard Webhooks gets a key of its own');
  await api.refused('invalid-request', `POST /v1/webhooks/${id}/rotate`, { body: { graceMs: -1 } });
});

test('R124 a policy of order, rate and recovery is kept; one that cannot be kept is refused with the reason', async (t) => {
  const api = await startApi(t);
  const policy = {
    rate: 120,
    recovery: 'in-order',
    order: { kind: 'fifo', key: 'data/user/id', onFailure: 'park', tries: 3 },
  };
  const body = { name: 'p', url: 'http://localhost:8009/', verification: 'none', policy };
  const made = await api.expect(201, 'POST /v1/webhooks', { body });
  assert.deepEqual(made['policy'], { ...PLAIN, ...policy });
  const change = `PATCH /v1/webhooks/${String(made['id'])}`;
  const kept = await api.expect(200, change, { body: { policy: { rate: null } } });
  assert.deepEqual(kept['policy'], { ...PLAIN, ...policy, rate: null });
  const fifo = await api.expect(200, change, { body: { policy: { order: { kind: 'fifo' } } } });
  const block = { kind: 'fifo', key: null, onFailure: 'block', tries: null };
  assert.deepEqual((fifo['policy'] as { order: object }).order, block);
  for (const [wish, status, word] of [
    [{ rate: 0 }, 400, /rate/],
    [{ recovery: 'fresh-first' }, 422, /recovered in order/],
    [{ order: { kind: 'fifo', key: 'Data.x' } }, 422, /data\/user\/id/],
    [{ order: { kind: 'fifo', tries: 3 } }, 422, /never gives up/],
    [{ order: { kind: 'any', key: 'subject' } }, 422, /kind "fifo"/],
  ] as const) {
    assert.match(String((await api.expect(status, change, { body: { policy: wish } }))['detail']), word);
  }
  await api.expect(200, `POST /v1/webhooks/${String(made['id'])}/unpark`);
});

test('Batches: a webhook may ask for them, with ten events, 60 s and 1 MiB where it does not say; what they break is refused', async (t) => {
  const api = await startApi(t);
  const body = { name: 'b', url: 'http://localhost:8009/', verification: 'none', policy: { batch: {} } };
  const made = await api.expect(201, 'POST /v1/webhooks', { body });
  const batchOf = (webhook: Record<string, unknown>): unknown => (webhook['policy'] as { batch: unknown }).batch;
  assert.deepEqual(batchOf(made), { events: 10, waitMs: 60_000, bytes: 1_048_576 });
  const change = `PATCH /v1/webhooks/${String(made['id'])}`;
  const set = (batch: object | null) => api.expect(200, change, { body: { policy: { batch } } });
  assert.deepEqual(batchOf(await set({ events: 5, bytes: 2048 })), { events: 5, waitMs: 60_000, bytes: 2048 });
  // Replaced as a whole, and left alone by what does not speak of it.
  assert.deepEqual(batchOf(await set({ waitMs: 0 })), { events: 10, waitMs: 0, bytes: 1_048_576 });
  const fifo = { policy: { order: { kind: 'fifo' } } };
  assert.deepEqual((batchOf(await api.expect(200, change, { body: fifo })) as { waitMs: number }).waitMs, 0);
  for (const [wish, status, word] of [
    [{ policy: { batch: { events: 0 } } }, 400, /events/],
    [{ policy: { batch: { events: 1001 } } }, 400, /events/],
    [{ policy: { batch: { waitMs: -1 } } }, 400, /waitMs/],
    [{ policy: { batch: { waitMs: 3_600_001 } } }, 400, /waitMs/],
    [{ policy: { batch: { bytes: 1023 } } }, 400, /bytes/],
    [{ policy: { batch: { bytes: 1.5e6 } } }, 400, /bytes/],
    [{ policy: { batch: { size: 3 } } }, 400, /size/],
    [{ policy: { batch: true } }, 400, /batch/],
    [{ policy: { order: { kind: 'fifo', key: 'subject' } } }, 422, /without a key/],
    [{ policy: { order: { kind: 'any' }, recovery: 'fresh-first' } }, 422, /fresh-first/],
    [{ format: 'binary' }, 422, /"structured"/],
  ] as const) {
    assert.match(String((await api.expect(status, change, { body: wish }))['detail']), word, JSON.stringify(wish));
  }
  await api.refused('invalid-policy', 'POST /v1/webhooks', { body: { ...body, name: 'c', format: 'binary' } });
  assert.equal(batchOf(await set(null)), null);
  await api.expect(200, change, { body: { format: 'binary' } });
  await api.refused('invalid-policy', change, { body: { policy: { batch: {} } } });
  const fetched = { name: 'd', mode: 'pull', policy: { batch: {} } };
  await api.refused('invalid-request', 'POST /v1/webhooks', { body: fetched });
});
