// Two nodes on one PostgreSQL: whichever of them is told, the owner of a webhook's lane acts at once. All that happens here
// takes less time than passes between two sweeps, so what the owner does it was told of.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { suite, test, type TestContext } from 'node:test';
import { testClock } from '../../test/kit/clock.ts';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { createDelivering } from '../src/engine/index.ts';
import type { Store, Webhook } from '../src/store/index.ts';
import { settings } from './engine-ground.ts';
import { addWorkspace, mustPublish, newWebhook, NOON, someEvents, subscribe } from './store-furniture.ts';
import { postgresGround } from './store-ground.ts';

const TURNS = 50;
const TURN_MS = 20;

interface Nodes {
  near: Store;
  url: string;
  /** Ids of events, in the order in which they came. */
  came: string[];
  /** Lets a second pass at both nodes, or less when so many events have come before. */
  until(count: number): Promise<void>;
}

/** Two nodes that deliver, of which the far one owns all lanes. */
async function twoNodes(t: TestContext): Promise<Nodes> {
  const came: string[] = [];
  const endpoint = createServer(async (request, response) => {
    const event = JSON.parse(Buffer.concat(await request.toArray()).toString()) as { id: string };
    came.push(event.id);
    response.writeHead(200).end();
  });
  await once(endpoint.listen(0, '127.0.0.1'), 'listening');
  t.after(() => endpoint.close());
  const ground = await postgresGround(t);
  const near = { node: 'near', store: await ground.open({ node: 'near' }), clock: testClock(NOON) };
  const far = { node: 'far', store: await ground.open({ node: 'far' }), clock: testClock(NOON) };
  for (const node of [far, near]) {
    const delivering = createDelivering({ ...settings(), ...node, onError: (error) => assert.ifError(error) });
    await delivering.start();
    ground.after(async () => {
      const stopped = delivering.stop(0);
      await node.clock.advance(10_000);
      await stopped;
    });
  }
  return {
    near: near.store,
    url: `http://127.0.0.1:${(endpoint.address() as AddressInfo).port}/`,
    came,
    async until(count) {
      for (let turn = 0; turn < TURNS && came.length < count; turn++) {
        for (const { clock } of [far, near]) await clock.advance(TURN_MS);
        await new Promise((later) => setTimeout(later, TURN_MS / 2));
      }
    },
  };
}

async function intend(store: Store, { workspace, webhook }: Webhook, intent: Webhook['intent']): Promise<void> {
  const { revision } = (await store.settings.webhook(workspace, webhook))!;
  const change = { workspace, target: webhook, revision, patch: { intent }, reason: 'by hand', now: NOON };
  await store.settings.updateWebhook(change);
}

suite('two nodes', { skip: withoutPostgres }, () => {
  test('R124 what one node accepts, the owner of the lane sends at once', async (t) => {
    const { near, url, came, until } = await twoNodes(t);
    const workspace = await addWorkspace(near);
    const webhook = await near.settings.createWebhook(newWebhook(workspace, 'w', { url }));
    await subscribe(near, webhook, { type: 'com.example.*' });
    for (const name of ['first', 'second']) {
      await mustPublish({ store: near, workspace }, someEvents(1, name), NOON);
      await until(came.length + 1);
    }
    assert.equal(came.length, 2);
  });

  test('R124 what one node is told of a webhook, the owner of its lane heeds at once', async (t) => {
    const { near, url, came, until } = await twoNodes(t);
    const workspace = await addWorkspace(near);
    const webhook = await near.settings.createWebhook(newWebhook(workspace, 'w', { url }));
    await subscribe(near, webhook, { type: 'com.example.*' });
    await mustPublish({ store: near, workspace }, someEvents(1, 'sent'), NOON);
    await until(1);
    await intend(near, webhook, 'paused');
    await until(2);
    await mustPublish({ store: near, workspace }, someEvents(3, 'held'), NOON);
    await until(2);
    assert.equal(came.length, 1, 'the others are held');
    await intend(near, webhook, 'enabled');
    await until(4);
    assert.equal(came.length, 4);
  });
});
