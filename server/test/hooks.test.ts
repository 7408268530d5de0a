// Requests to hooks through real sockets: from the bytes to the answer, and what stands in the history afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { does, each, newJob, route, settingOf } from './flow-ground.ts';
import { post, startHooks } from './hook-ground.ts';

const CHALLENGE = '8cbecfea-d708-4706-bba3-669225084a10';
const VERIFICATION = '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d';

/** The challenge of wire.md. */
const ASKED = {
  specversion: '1.0',
  id: '9d2698f2-0dd4-4870-b026-7e18c755e121',
  source: 'https://global.api.greenlake.hpe.com/events',
  type: 'com.hpe.greenlake.events.v1beta1.webhooks.verification',
  subject: '3009de2825f211ec8a84fedebcb4a754',
  time: '2024-12-12T19:09:05Z',
  datacontenttype: 'application/json',
  data: { challengeRequest: CHALLENGE },
};

/** The scenario of the source document, without its sheet. */
const SEED = [
  route([
    {
      name: 'events',
      if: null,
      steps: [does('set', { said: '${ body.data.description }' }), does('reply', { status: 200 })],
    },
    {
      name: 'challenge',
      if: 'exists(body.data.challengeRequest)',
      steps: [
        does('set', { hmac: "${ sha256(body.data.challengeRequest ; 'hex' ; secret.GREENLAKE) }" }),
        does('reply', {
          status: 200,
          headers: { 'content-type': 'application/json' },
          body: '{"verification":"${ hmac }"}',
        }),
      ],
    },
  ]),
];

test('R82 R84 R86 R87 R92 R94 R95 R101 R103 the seed’s scenario answers the challenge, and events by its other route', async (t) => {
  const hooks = await startHooks(t);
  await hooks.secret('GREENLAKE', 's3cr3tKey');
  const seed = await hooks.scenario('greenlake-audit', SEED);
  const proof = await post(seed.url, ASKED);
  assert.deepEqual([proof.status, proof.text], [200, `{"verification":"${VERIFICATION}"}`]);
  assert.equal(proof.headers.get('content-type'), 'application/json');
  const event = await post(seed.url, {
    ...ASKED,
    data: { id: 'a1', description: 'User logged in', challengeRequest: null },
  });
  assert.deepEqual([event.status, event.text], [200, '']);
  assert.equal(event.headers.get('content-type'), null);
  await hooks.ended(seed);
  const [second, first] = await hooks.runs(seed);
  assert.deepEqual(
    (await hooks.steps(first!.run)).map(({ place, state }) => [place, state]),
    [
      ['steps[0]', 'completed'],
      ['steps[0].route[1].steps[0]', 'completed'],
      ['steps[0].route[1].steps[1]', 'completed'],
    ],
  );
  assert.deepEqual((await hooks.steps(second!.run))[0]!.output, {
    taken: ['events'],
    branches: [
      { branch: 'events', taken: true, because: 'no other branch fits', if: null, was: null },
      {
        branch: 'challenge',
        taken: false,
        because: 'its filter does not hold',
        if: 'exists(body.data.challengeRequest)',
        was: false,
      },
    ],
  });
});

test('R55 R58 R77 R78 R90 a hook takes requests of any client before its scenario has a step; unknown is 404, deleted 410', async (t) => {
  const hooks = await startHooks(t);
  const empty = await hooks.scenario('empty', []);
  assert.match(empty.token, /^[A-Za-z0-9_-]{32}$/);
  const taken = await post(empty.url, 'hello', { headers: { 'content-type': 'text/plain' } });
  assert.deepEqual([taken.status, taken.text], [200, 'Accepted']);
  assert.equal(taken.headers.get('x-content-type-options'), 'nosniff');
  assert.equal((await hooks.ended(empty)).state, 'completed');
  assert.deepEqual(
    (await hooks.requests(empty)).map(({ state, bytes }) => [state, bytes]),
    [['taken', 5]],
  );
  const nobody = await post(`${hooks.url}/hooks/${'a'.repeat(32)}`);
  assert.deepEqual([nobody.status, JSON.parse(nobody.text).code], [404, 'not-found']);
  assert.equal((await post(`${hooks.url}/hooks/short`)).status, 404);
  await hooks.platform.store.flows.remove(hooks.workspace, empty.flow.flow, Date.now());
  const gone = await post(empty.url);
  assert.deepEqual([gone.status, JSON.parse(gone.text).code], [410, 'deleted']);
  assert.ok(!hooks.lines.join('\n').includes(empty.token), 'the token stands in no log');
});

test('R86 R87 R88 R100 the reply is sent at once, with its headers and a body of any kind, and the run goes on', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('replies', [
    does('reply', {
      status: 201,
      headers: { 'X-Request': '${ request.id }', 'set-cookie': ['a=1', 'b=2'] },
      body: { hello: '${ body.name }', again: '${ query.again }', by: '${ method } ${ headers["x-by"] }' },
    }),
    does('wait', '200ms'),
    does('set', { after: true }),
  ]);
  const back = await post(`${placed.url}?again=1`, { name: 'Ada' }, { headers: { 'x-by': 'me' } });
  assert.equal(back.status, 201);
  assert.deepEqual(JSON.parse(back.text), { hello: 'Ada', again: '1', by: 'POST me' });
  assert.equal(back.headers.get('content-type'), 'application/json');
  assert.match(back.headers.get('x-request') ?? '', /^req_/);
  assert.deepEqual(back.headers.getSetCookie(), ['a=1', 'b=2']);
  assert.equal((await hooks.runs(placed))[0]?.state, 'running');
  assert.equal((await hooks.ended(placed)).state, 'completed');
  const bare = await hooks.scenario('bare', [does('reply', 204)]);
  const empty = await post(bare.url);
  assert.deepEqual([empty.status, empty.text, empty.headers.get('content-type')], [204, '', null]);
});

test('R58 R86 failed before its reply is 500, too slow is 202 with the run, ended without one is 200 Accepted', async (t) => {
  const hooks = await startHooks(t);
  const fails = await hooks.scenario('fails', [does('fail', 'no such luck'), does('reply', 200)]);
  const failed = await post(fails.url);
  assert.deepEqual([failed.status, JSON.parse(failed.text).code], [500, 'run-failed']);
  assert.ok(!failed.text.includes('luck'));
  assert.match((await hooks.ended(fails)).reason ?? '', /no such luck/);
  const slow = await hooks.scenario('slow', [does('wait', '400ms'), does('reply', 200)], {
    hook: { replyWithinMs: 100 },
  });
  const late = await post(slow.url);
  assert.deepEqual([late.status, JSON.parse(late.text)], [202, { run: (await hooks.runs(slow))[0]?.run }]);
  assert.equal((await hooks.ended(slow)).state, 'completed');
  const silent = await hooks.scenario('silent', [does('reply', 200, { if: 'false' })]);
  assert.deepEqual((({ status, text }) => [status, text])(await post(silent.url)), [200, 'Accepted']);
});

test('Bad input: a reply that would split the response, a second one, and what no evaluation may make end in 500 and the history', async (t) => {
  const hooks = await startHooks(t);
  const play = async (
    name: string,
    steps: Parameters<typeof hooks.scenario>[1],
    body: unknown,
  ): Promise<[number, string, unknown]> => {
    const placed = await hooks.scenario(name, steps);
    const { status } = await post(placed.url, body);
    const { run, reason } = await hooks.ended(placed);
    return [status, reason ?? '', (await hooks.steps(run))[0]?.input];
  };
  const splits = [does('reply', { status: 200, headers: { 'x-name': '${ body.name }' } })];
  const [split, why, shown] = await play('splits', splits, { name: 'a\r\nset-cookie: b=c' });
  assert.equal(split, 500);
  assert.match(why, /reply\.headers\["x-name"\] contains a line break/);
  assert.deepEqual(shown, { status: 200, headers: { 'x-name': 'a\r\nset-cookie: b=c' } });
  const [status, range] = await play('status', [does('reply', { status: '${ body.status }' })], { status: 99 });
  assert.equal(status, 500);
  assert.match(range, /from 200 to 599/);
  const [twice, second] = await play('twice', [does('reply', 200), does('reply', 201)], {});
  assert.equal(twice, 200);
  assert.match(second, /answered before/);
  const grows = "${ map(split(body.text, ''), replace(body.text, 'a', body.text)) }";
  const [large, budget] = await play('grows', [does('set', { big: grows }), does('reply', 200)], {
    text: 'a'.repeat(20_000),
  });
  assert.equal(large, 500);
  assert.match(budget, /than one evaluation may/);
});

test('R106 the same value of dedupe is the same run, and gets its reply', async (t) => {
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('once', [does('reply', { body: '${ run.id }' })], {
    hook: { dedupe: '${ body.id }' },
  });
  const [first, second] = await Promise.all([post(placed.url, { id: 'e1' }), post(placed.url, { id: 'e1' })]);
  assert.equal(first.text, second.text);
  assert.equal((await post(placed.url, { id: 'e1' })).text, first.text);
  assert.notEqual((await post(placed.url, { id: 'e2' })).text, first.text);
  assert.notEqual((await post(placed.url, {})).text, (await post(placed.url, {})).text);
  assert.equal((await hooks.runs(placed)).length, 4);
  const states = (await hooks.requests(placed)).map(({ state }) => state);
  assert.equal(states.filter((state) => state === 'repeated').length, 2);
});

test('R89 beyond its queue a hook answers 429 with Retry-After; one that is not enabled 503', async (t) => {
  const hooks = await startHooks(t);
  const over = { concurrency: { max: 1, then: 'queue' } } as const;
  const hook = { queue: 1, replyWithinMs: 100 };
  const busy = await hooks.scenario('busy', [does('wait', '1h'), does('reply', 200)], { hook, over });
  assert.equal((await post(busy.url)).status, 202);
  assert.equal((await post(busy.url)).status, 202);
  const full = await post(busy.url);
  assert.deepEqual([full.status, JSON.parse(full.text).code], [429, 'queue-full']);
  assert.match(full.headers.get('retry-after') ?? '', /^\d+$/);
  const off = await hooks.scenario('off', [], { over: { enabled: false } });
  const closed = await post(off.url);
  assert.deepEqual([closed.status, JSON.parse(closed.text).code], [503, 'hook-closed']);
  assert.deepEqual(
    (await hooks.requests(off)).map(({ state, reason }) => [state, reason]),
    [['refused', 'The scenario is not enabled.']],
  );
});

test('R56 R58 R77 methods, size, encoding and content are judged, and what is refused is kept with its reason', async (t) => {
  const hooks = await startHooks(t, { hooks: { maxBody: '64KiB' } });
  const shape = { type: 'collection', fields: { id: { type: 'number' } } } as const;
  const hook = { bodyBytes: 1_000, onMisfit: 'refuse', shapes: [{ name: 'order', shape }] } as const;
  const placed = await hooks.scenario('strict', [does('reply', 200)], { hook });
  const code = async (body: unknown, init: RequestInit = {}): Promise<[number, string]> => {
    const { status, text } = await post(placed.url, body, init);
    return [status, text === '' ? '' : (JSON.parse(text).code as string)];
  };
  assert.deepEqual(await code({ id: 1 }), [200, '']);
  assert.deepEqual(await code({ id: 'x' }), [400, 'unfit-request']);
  assert.deepEqual(await code('{"id": 1'), [400, 'unreadable-request']);
  assert.deepEqual(await code(new Uint8Array([0x22, 0xc3, 0x28, 0x22])), [400, 'unreadable-request']);
  assert.deepEqual(await code({ id: 1 }, { headers: { 'content-encoding': 'gzip' } }), [415, 'unsupported-media-type']);
  assert.deepEqual(await code({ id: 1, text: 'a'.repeat(2_000) }), [413, 'request-too-large']);
  assert.deepEqual(await code('a'.repeat(100_000)), [413, 'request-too-large']);
  const get = await fetch(placed.url);
  assert.deepEqual([get.status, get.headers.get('allow')], [405, 'POST, OPTIONS']);
  assert.equal((await fetch(placed.url, { method: 'OPTIONS' })).status, 204);
  const states = (await hooks.requests(placed)).toReversed().map(({ state, status }) => [state, status]);
  assert.deepEqual(states, [
    ['taken', null],
    ['misfit', 400],
    ['unreadable', 400],
    ['unreadable', 400],
    ['unreadable', 415],
    ['refused', 413],
    ['refused', 413],
    ['refused', 405],
  ]);
  const read = await hooks.scenario('read', [does('reply', { body: '${ method }' })], { hook: { methods: ['GET'] } });
  assert.equal(await (await fetch(read.url)).text(), 'GET');
  const head = await fetch(read.url, { method: 'HEAD' });
  assert.deepEqual([head.status, await head.text()], [200, '']);
});

test('Scenarios: stop ends a run, collect gathers in order, job runs a job and waits for it', async (t) => {
  const hooks = await startHooks(t);
  const job = newJob('sum', [does('wait', '50ms'), does('fail', 'too much', { if: 'params.n > 5' })], {
    params: { n: { type: 'number', description: '' } },
  });
  await hooks.platform.store.flows.put(settingOf(hooks.workspace, job), Date.now());
  const placed = await hooks.scenario('all', [
    each('body.items', [does('collect', '${ item * 2 }', { if: 'item != 3' })], { name: 'loop', atOnce: 3 }),
    does('job', { name: 'sum', params: { n: '${ body.n }' }, wait: true }, { name: 'sum' }),
    route([{ name: 'done', if: 'true', steps: [does('reply', { body: '${ steps }' }), does('stop')] }]),
    does('fail', 'is never come to'),
  ]);
  const back = await post(placed.url, { items: [5, 3, 1], n: 2 });
  assert.equal(back.status, 200, back.text);
  const { loop, sum } = JSON.parse(back.text) as { loop: unknown; sum: { state: string } };
  assert.deepEqual(loop, { items: 3, collected: [10, 2] });
  assert.equal(sum.state, 'completed');
  assert.equal((await hooks.ended(placed)).state, 'completed');
  assert.equal((await post(placed.url, { items: [], n: 9 })).status, 500);
  const undone = await hooks.scenario('undone', [
    does('stop', { as: 'failed', reason: 'not for us' }),
    does('reply', 200),
  ]);
  assert.equal((await post(undone.url)).status, 500);
  assert.equal((await hooks.ended(undone)).reason, 'not for us');
});
