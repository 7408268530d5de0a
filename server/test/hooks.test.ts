// Requests to hooks through real sockets: from the bytes to the answer, and what stands in the history afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { does, route } from './flow-ground.ts';
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
