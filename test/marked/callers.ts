// Marked secrets of those who call: hooks and triggers, rightly and wrongly, before and after a change; and wrong keys.
import assert from 'node:assert/strict';
import { eventually } from '../kit/handler.ts';
import { learnTrigger } from './flows.ts';
import { ask, make, must, type Ground, type Json } from './ground.ts';

/** Calls the hooks and the trigger, before and after their secrets are changed. */
export async function callHooks(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const sender = marks.make('SenderToken');
  const basic = `bell:${marks.make('BasicPassword')}`;
  const key = marks.make('SigningKey', (text) => `whsec_${Buffer.from(text.padEnd(32, 's')).toString('base64')}`);
  for (const [name, value] of Object.entries({ SENDER: sender, BASIC: basic, SIGNING: key }))
    await ask(ground, `PUT /v1/secrets/${name}`, { body: { value } });
  const pathOf = async (name: string): Promise<string> =>
    String(((await api.expect(200, `GET /v1/scenarios/${name}`))['hook'] as Json)['path']);
  const [open, known, signed] = [await pathOf('open'), await pathOf('known'), await pathOf('signed')];
  const many = Object.fromEntries(Array.from({ length: 250 }, (_, n) => [`x-${n}`, '1']));
  const calls: [string, Record<string, string>][] = [
    [open, { 'x-odd': sender }],
    [open, { 'x-odd': `${sender}x` }],
    [open, { 'x-odd': sender, 'content-type': 'application/xml' }],
    [open, { 'x-odd': sender, ...many }],
    [`${open}?odd=${sender}`, { 'x-odd': sender }],
    [known, { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }],
    [known, { authorization: `Basic ${Buffer.from(`${basic}x`).toString('base64')}` }],
    [signed, { 'webhook-id': 'a', 'webhook-timestamp': '1', 'webhook-signature': `v1,${key}` }],
  ];
  for (const [path, headers] of calls) {
    for (const method of ['POST', 'PUT', 'GET'])
      await api.ask(`${method} ${path}`, {
        key: null,
        headers,
        ...(method === 'GET' ? {} : { body: { say: headers['x-odd'] ?? '' } }),
      });
  }
  await api.ask(`POST ${open}`, { key: null, headers: { 'x-odd': sender }, body: 'x'.repeat(5_000_000) });
  // What was a secret when the requests came is none to be told later, either.
  for (const [name, value] of [
    ['SENDER', 'SenderTokenAfter'],
    ['CALLEE', 'FlowSecretAfter'],
  ] as const)
    await ask(ground, `PUT /v1/secrets/${name}`, { body: { value: marks.make(value) } });
  await replayAll(ground);
  const { trigger } = (await api.expect(200, 'GET /v1/jobs/http')) as { trigger: { path: string } };
  const renewed = await api.expect(200, 'POST /v1/jobs/http/trigger');
  marks.note('made: trigger', JSON.stringify(renewed));
  const now = renewed['trigger'] as { path: string; authorization: string };
  const token = learnTrigger(marks, now);
  for (const path of [trigger.path, now.path])
    for (const headers of [{}, { authorization: `CAAuth ${token}` }, { authorization: `Bearer ${token}` }, many])
      for (const method of ['POST', 'GET'])
        await ask(ground, `${method} ${path}`, {
          key: null,
          headers,
          ...(method === 'POST' ? { body: { a: 1 } } : {}),
        });
}

/** Works once more at what came to the hooks: as it would be, and as it is. */
async function replayAll(ground: Ground): Promise<void> {
  const { api } = ground;
  for (const name of ['open', 'known']) {
    const { items } = (await api.expect(200, `GET /v1/scenarios/${name}/requests?state=taken`)) as { items: Json[] };
    assert.notEqual(items.length, 0);
    for (const { id } of items.slice(0, 3)) {
      await ask(ground, `POST /v1/requests/${String(id)}/replay`, { body: { dry: true } });
      await must(ground, `POST /v1/requests/${String(id)}/replay`, {});
    }
    await eventually(`all runs of ${name} have ended`, async () => {
      const { items: runs } = (await api.expect(200, `GET /v1/scenarios/${name}/runs`)) as { items: Json[] };
      return runs.every(({ finishedAt }) => finishedAt !== null);
    });
  }
}

/** Asks with keys that are none. */
export async function knock(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const { key } = await make(ground, 'POST /v1/keys', {
    name: 'ApiKey',
    field: 'key',
    body: { name: 'all', scopes: ['read'] },
  });
  const wrong = marks.make('WrongKey', (text) => `bw_${text}`);
  for (const authorization of [
    `Bearer ${wrong}`,
    wrong,
    `Basic ${wrong}`,
    `Bearer ${key as string}x`,
    `Bearer ${key as string} ${wrong}`,
  ])
    await ask(ground, 'GET /v1/webhooks', { key: null, headers: { authorization } });
  for (const what of [
    `GET /v1/${wrong}`,
    `GET /v1/events?${wrong}=1`,
    `GET /v1/webhooks/${wrong}`,
    `POST /trigger/${wrong}`,
    `POST /hooks/${wrong}`,
    `DELETE /v1/keys/${key as string}`,
  ])
    await api.ask(what);
  await ask(ground, 'POST /v1/webhooks', { key: key as string, body: { name: 'x' } });
}
