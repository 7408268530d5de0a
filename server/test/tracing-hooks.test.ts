// Traces through scenarios, and over a restart: what a trace belongs to is in the store. On both engines.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testDatabase, withoutPostgres } from '../../test/kit/postgres.ts';
import { startReceiver } from '../../test/kit/receiver.ts';
import { AUDIT, auditEvent, STRUCTURED, type ApiGround } from './api-ground.ts';
import { startCollector } from './collector.ts';
import { does, each } from './flow-ground.ts';
import { post, startHooks } from './hook-ground.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const CALLER = `00-${TRACE_ID}-b7ad6b7169203331-01`;

for (const engine of ['SQLite', 'PostgreSQL']) {
  const skip = engine === 'PostgreSQL' ? withoutPostgres : false;
  test(
    `tracing: hook, run, steps, requests and events are one trace, over a restart, too: ${engine}`,
    { skip },
    async (t) => {
      const collector = await startCollector();
      t.after(() => collector.stop());
      const endpoint = await startReceiver();
      t.after(() => endpoint.stop());
      const store = engine === 'PostgreSQL' ? { store: await testDatabase(t) } : {};
      const hooks = await startHooks(t, { ...collector.setting, ...store });
      await hooks.secret('PATH', 'tokenOfSomebody');
      const webhook = await subscribe(hooks, `${endpoint.url}/events`);
      await hooks.expect(200, `POST /v1/webhooks/${webhook}/pause`);
      const placed = await hooks.scenario('orders', [
        each('body.items', [
          does('http', { url: `${endpoint.url}/\${ secret.PATH }?q=\${ secret.PATH }` }, { name: 'look up' }),
        ]),
        does('publish', { type: AUDIT, source: '/orders', data: auditEvent()['data'] as never }),
      ]);
      await post(placed.url, { items: [1] }, { headers: { traceparent: CALLER } });
      await hooks.ended(placed);

      const run = await collector.span('run scenario');
      const asked = await collector.span('POST /hooks/{token}');
      const loop = await collector.span('step each');
      const step = await collector.span('step http');
      const sent = await collector.span('GET');
      const publish = await collector.span('step publish');
      const accept = await collector.span('accept');
      const under = (parent: { spanId: string }) => ({ traceId: TRACE_ID, parentId: parent.spanId });
      assert.deepEqual(
        [asked, run, loop, step, sent, publish, accept].map(({ traceId, parentId }) => ({ traceId, parentId })),
        [
          { traceId: TRACE_ID, parentId: 'b7ad6b7169203331' },
          under(asked),
          under(run),
          under(loop),
          under(step),
          under(run),
          under(publish),
        ],
      );
      assert.equal(run.attributes['bellwire.flow.name'], 'orders');
      assert.equal(run.attributes['bellwire.outcome'], 'completed');
      assert.equal(step.attributes['bellwire.step.place'], 'steps[0].each[0].steps[0]');
      assert.deepEqual(
        endpoint.requests.map(({ url, headers }) => [url.split('?')[0], headers['traceparent']]),
        [['/tokenOfSomebody', `00-${TRACE_ID}-${sent.spanId}-01`]],
      );

      // The event waits in the store; whoever sends it, later, goes on with its trace.
      await hooks.platform.stop();
      const again = await startHooks(t, { ...collector.setting, ...store, dataFolder: hooks.dataFolder });
      await again.expect(200, `POST /v1/webhooks/${webhook}/resume`);
      const deliver = await collector.span('deliver');
      assert.deepEqual({ traceId: deliver.traceId, parentId: deliver.parentId }, under(publish));
      const told = collector.requests.map(({ body }) => body.toString()).join('\n');
      assert.ok(!told.includes(placed.token), 'no token of a hook');
      assert.ok(!told.includes('tokenOfSomebody'), 'no secret of a flow');
      await again.platform.stop();
    },
  );
}

async function subscribe(api: ApiGround, url: string): Promise<string> {
  const made = await api.expect(201, 'POST /v1/webhooks', { body: { name: 'x', url, verification: 'none' } });
  await api.expect(201, 'POST /v1/subscriptions', { body: { webhook: made['id'], type: AUDIT } });
  return made['id'] as string;
}

test('tracing: what is not traced is handed on all the same, from a hook to what its steps reach', async (t) => {
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  const hooks = await startHooks(t);
  const placed = await hooks.scenario('orders', [
    does('http', endpoint.url),
    does('http', { url: endpoint.url, headers: { traceparent: CALLER.replace('b7', 'c8') } }),
  ]);
  await post(placed.url, {}, { headers: { traceparent: CALLER, tracestate: 'vendor=1' } });
  await hooks.ended(placed);
  assert.deepEqual(
    endpoint.requests.map(({ headers }) => [headers['traceparent'], headers['tracestate']]),
    [
      [CALLER, 'vendor=1'],
      [CALLER.replace('b7', 'c8'), undefined],
    ],
    'a context of the document’s own is left alone',
  );
  const event = await hooks.expect(202, 'POST /v1/events', {
    body: auditEvent({ traceparent: CALLER }),
    headers: { ...STRUCTURED, tracestate: 'vendor=1' },
  });
  const [{ event: id } = { event: '' }] = event['accepted'] as { event: string }[];
  const shown = await hooks.expect(200, `GET /v1/events/${id}`);
  assert.deepEqual([shown['traceparent'], shown['tracestate']], [CALLER, null]);
  assert.equal((shown['envelope'] as { traceparent: string }).traceparent, CALLER);
});
