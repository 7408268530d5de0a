// Who may call a hook: presets on the raw bytes of real requests, failing closed; challenges; what is kept of a refusal.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { request } from 'node:http';
import { test } from 'node:test';
import type { Verify } from '../src/model/flow/definition.ts';
import { does } from './flow-ground.ts';
import { post, startHooks } from './hook-ground.ts';

const REPLY = [does('reply', { body: 'done' })];

function by(preset: string, over: Partial<Verify> = {}): { verify: Verify } {
  return { verify: { preset, secrets: ['KEY'], observe: false, settings: {}, ...over } };
}

function hex(secret: string, text: string): string {
  return createHmac('sha256', secret).update(text).digest('hex');
}

/** Posts with headers as they are given, repeated ones included; resolves the status. */
function raw(url: string, headers: readonly string[], body: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const { host } = new URL(url);
    const sent = request(url, {
      method: 'POST',
      headers: ['host', host, 'content-length', `${Buffer.byteLength(body)}`, ...headers],
    });
    sent.on('response', (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

test('R56 R72 R85 a signature that is wrong, missing or doubled is 401 without a reason, which is kept', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('signed', REPLY, { hook: by('github') });
  const unset = await post(placed.url);
  assert.deepEqual(
    [unset.status, JSON.parse(unset.text).code],
    [503, 'hook-closed'],
    'without its secret it is closed',
  );
  await hooks.secret('KEY', 'placeholder');
  const body = '{"n" : 1}';
  const good = `sha256=${hex('It’s a secret', body)}`;
  assert.equal((await post(placed.url, body, { headers: { 'x-hub-signature-256': good } })).status, 401);
  await hooks.secret('KEY', 'It’s a secret');
  const taken = await post(placed.url, body, { headers: { 'x-hub-signature-256': good } });
  assert.deepEqual([taken.status, taken.text], [200, 'done']);
  const wrong = `sha256=${hex('another', body)}`;
  assert.equal(wrong.length, good.length);
  const refused = await post(placed.url, body, { headers: { 'x-hub-signature-256': wrong } });
  assert.deepEqual([refused.status, JSON.parse(refused.text).detail], [401, 'The request could not be verified.']);
  assert.equal((await post(placed.url, body)).status, 401);
  assert.equal((await post(placed.url, '{"n":1}', { headers: { 'x-hub-signature-256': good } })).status, 401);
  const name = 'x-hub-signature-256';
  assert.equal(await raw(placed.url, ['content-type', 'application/json', name, good, name, good], body), 401);
  const reasons = (await hooks.requests(placed)).map(({ state, reason }) => `${state} ${reason?.split(':')[0] ?? ''}`);
  assert.deepEqual(reasons.toReversed(), [
    'refused The secret KEY is not set.',
    'refused no-match',
    'taken ',
    'refused no-match',
    'refused unsigned',
    'refused no-match',
    'refused repeated-header',
  ]);
  assert.equal((await hooks.runs(placed)).length, 1);
});

test('Bad input: a signature that is late or early is refused; a second secret is tried for rotation', async (t) => {
  const hooks = await startHooks(t);
  await hooks.secret('KEY', 'rotated-in');
  await hooks.secret('OLD', 'rotated-out');
  const placed = await hooks.scenario('stripe', REPLY, { hook: by('stripe', { secrets: ['KEY', 'OLD'] }) });
  const send = async (secret: string, offset: number): Promise<number> => {
    const at = Math.floor(Date.now() / 1_000) + offset;
    const body = '{"id":"evt_1"}';
    const signature = `t=${at},v1=${hex(secret, `${at}.${body}`)}`;
    return (await post(placed.url, body, { headers: { 'stripe-signature': signature } })).status;
  };
  assert.equal(await send('rotated-in', 0), 200);
  assert.equal(await send('rotated-out', 0), 200);
  assert.equal(await send('other', 0), 401);
  assert.equal(await send('rotated-in', -400), 401);
  assert.equal(await send('rotated-in', 400), 401);
  const reasons = (await hooks.requests(placed)).flatMap(({ reason }) => reason?.split(':')[0] ?? []);
  assert.deepEqual(reasons.toReversed(), ['no-match', 'too-old', 'too-new']);
});

test('Verify presets: while secrets are changed, one that is set is enough; basic says how to ask again', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('basic', REPLY, { hook: by('basic', { secrets: ['NEW', 'OLD'] }) });
  const send = (credential: string) => {
    const authorization = `Basic ${Buffer.from(credential).toString('base64')}`;
    return fetch(placed.url, { method: 'POST', headers: { authorization }, body: 'x' });
  };
  assert.equal((await send('jo:old')).status, 503);
  await hooks.secret('OLD', 'jo:old');
  assert.equal((await send('jo:old')).status, 200);
  await hooks.secret('NEW', 'jo:new');
  assert.deepEqual([(await send('jo:old')).status, (await send('jo:new')).status], [200, 200]);
  const refused = await send('jo:other');
  assert.deepEqual([refused.status, refused.headers.get('www-authenticate')], [401, 'Basic realm="hook"']);
});

test('R61 R72 R92 the hook answers its preset’s challenge itself, or hands it to the steps; others by name', async (t) => {
  const hooks = await startHooks(t);
  await hooks.secret('KEY', 's3cr3tKey');
  const challenge = { data: { challengeRequest: '8cbecfea-d708-4706-bba3-669225084a10' } };
  const answers = await hooks.scenario('answers', REPLY, {
    hook: { ...by('greenlake'), challenges: [{ name: 'dropbox', settings: {} }] },
  });
  const answer = await post(answers.url, challenge);
  const verification = '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d';
  assert.deepEqual([answer.status, JSON.parse(answer.text)], [200, { verification }]);
  assert.equal((await hooks.runs(answers)).length, 0);
  assert.deepEqual(
    (await hooks.requests(answers)).map(({ state }) => state),
    ['challenge'],
  );
  const event = { data: { id: 1 } };
  const signed = { 'hpe-webhook-signature': `sha256=${hex('s3cr3tKey', JSON.stringify(event))}` };
  assert.equal((await post(answers.url, event, { headers: signed })).text, 'done');
  assert.equal((await post(answers.url, event)).status, 401);
  const echoed = await fetch(`${answers.url}?challenge=abc`);
  assert.deepEqual(
    [echoed.status, await echoed.text(), echoed.headers.get('x-content-type-options')],
    [200, 'abc', 'nosniff'],
  );
  const passes = await hooks.scenario('passes', REPLY, { hook: { ...by('greenlake'), challenge: 'pass' } });
  assert.equal((await post(passes.url, challenge)).text, 'done');
  assert.equal((await post(passes.url, event)).status, 401);
});

test('R56 observe takes what would be refused, and the run’s log says why; secrets of callers are masked', async (t) => {
  const hooks = await startHooks(t);
  await hooks.secret('KEY', 'correct horse battery');
  const observed = await hooks.scenario('observed', REPLY, { hook: by('token', { observe: true }) });
  assert.equal((await post(observed.url)).text, 'done');
  const run = await hooks.ended(observed);
  assert.match((await hooks.log(run.run)).join('\n'), /Observed: it would have been refused: unsigned/);
  const shown = await hooks.scenario('shown', [does('set', { sent: '${ headers.authorization }' }), ...REPLY], {
    hook: by('token'),
  });
  assert.equal((await post(shown.url, {}, { headers: { authorization: 'correct horse battery' } })).status, 200);
  const steps = await hooks.steps((await hooks.ended(shown)).run);
  assert.ok(!JSON.stringify(steps).includes('correct horse'), JSON.stringify(steps));
});
