// Traces of a whole platform, as a collector gets them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { auditEvent, startLife } from '../../test/kit/life.ts';
import { startReceiver } from '../../test/kit/receiver.ts';
import { BATCHED, STRUCTURED } from './api-ground.ts';
import { startCollector } from './collector.ts';

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c';
const PUBLISHER = `00-${TRACE_ID}-b7ad6b7169203331-01`;
const UNSAMPLED = '00-1af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00';

test('tracing: publish, accept, attempts and the receiver are one trace; a retry belongs to it; batches and copies name it', async (t) => {
  const collector = await startCollector();
  t.after(() => collector.stop());
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  endpoint.behave((_request, nth) => (nth === 0 ? { status: 503 } : { status: 200 }));
  const life = await startLife(t, { ...collector.setting, delivery: { retryDelays: ['20ms', '20ms'], jitter: 0 } });
  const url = `${endpoint.url}/in/t0pS3cret?key=alsoS3cret`;
  const webhook = await life.webhook({ url, verification: 'none' });

  const headers = { ...STRUCTURED, traceparent: PUBLISHER, tracestate: 'vendor=1,other=a:b' };
  await life.expect(202, 'POST /v1/events', { body: auditEvent({ id: 'a1' }), headers });
  const [delivery] = await life.settled(webhook, 'delivered');
  const second = await collector.span('deliver', ({ attributes }) => attributes['bellwire.attempt'] === 2);
  const first = await collector.span('deliver', ({ attributes }) => attributes['bellwire.attempt'] === 1);
  const publish = await collector.span('POST /v1/events');
  const accept = await collector.span('accept');
  assert.deepEqual(
    [publish, accept, first, second].map(({ traceId, parentId, kind, state }) => ({ traceId, parentId, kind, state })),
    [
      { parentId: 'b7ad6b7169203331', kind: 2 },
      { parentId: publish.spanId, kind: 1 },
      { parentId: publish.spanId, kind: 3 },
      { parentId: publish.spanId, kind: 3 },
    ].map((one) => ({ traceId: TRACE_ID, state: 'vendor=1,other=a:b', ...one })),
  );
  assert.equal(publish.attributes['http.response.status_code'], 202);
  assert.equal(publish.attributes['bellwire.events'], 1);
  assert.equal(accept.attributes['bellwire.commit.publishes'], 1);
  assert.ok(publish.startedAt <= accept.startedAt && accept.endedAt <= publish.endedAt, 'the accept lies within');
  assert.ok(accept.endedAt > accept.startedAt, 'times are finer than a millisecond');
  assert.equal(first.fault, 'answered 503');
  assert.equal(second.fault, null);
  const attemptOf = { ...first.attributes };
  const nextAt = attemptOf['bellwire.next_attempt_at'] as string;
  assert.ok(Date.parse(nextAt) > 0, nextAt);
  assert.deepEqual(attemptOf, {
    'messaging.system': 'bellwire',
    'messaging.operation.name': 'deliver',
    'messaging.operation.type': 'send',
    'messaging.destination.name': webhook,
    'messaging.message.id': delivery!['id'],
    'bellwire.webhook.id': webhook,
    'bellwire.delivery.id': delivery!['id'],
    'bellwire.event.id': delivery!['event'],
    'bellwire.event.type': 'com.hpe.greenlake.audit-log.v1.logs.created',
    'bellwire.attempt': 1,
    'http.request.method': 'POST',
    'url.scheme': 'http',
    'server.address': '127.0.0.1',
    'server.port': endpoint.port,
    'http.response.status_code': 503,
    'error.type': '503',
    'bellwire.outcome': 'retry',
    'bellwire.next_attempt_at': nextAt,
  });
  // What the receiver got names the attempt that sent it (W3C Trace Context, section 3.4).
  assert.deepEqual(
    endpoint.requests.map(({ headers: got }) => [got['traceparent'], got['tracestate']]),
    [first, second].map(({ spanId }) => [`00-${TRACE_ID}-${spanId}-01`, 'vendor=1,other=a:b']),
  );
  assert.equal(collector.resource()['service.name'], 'bellwire');

  // What nobody wants recorded is not, and goes on as it came.
  await life.expect(202, 'POST /v1/events', { body: auditEvent(), headers: { ...STRUCTURED, traceparent: UNSAMPLED } });
  const [, , unsampled] = await endpoint.received(3);
  assert.equal(unsampled!.headers['traceparent'], UNSAMPLED);

  // An event that brings a trace of its own belongs to that.
  const own = '00-2af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const events = [auditEvent({ id: 'own', traceparent: own }), auditEvent({ id: 'other' })];
  await life.expect(202, 'POST /v1/events', { body: events, headers: { ...BATCHED, traceparent: PUBLISHER } });
  const ofIts = await collector.span('accept event');
  assert.deepEqual([ofIts.traceId, ofIts.parentId], [own.slice(3, 35), 'b7ad6b7169203331']);
  assert.equal(ofIts.links[0]?.traceId, TRACE_ID);
  const sent = await collector.span('deliver', ({ traceId }) => traceId === own.slice(3, 35));
  assert.equal(sent.parentId, ofIts.spanId);

  // A copy begins a trace that names the one of its original; so does a batch of all of its members.
  await life.expect(202, `POST /v1/webhooks/${webhook}/replay`, {
    body: { since: '2020-01-01T00:00:00Z' },
  });
  const copy = await collector.span('deliver', ({ links }) => links.some(({ traceId }) => traceId === TRACE_ID));
  assert.equal(copy.parentId, '');
  assert.notEqual(copy.traceId, TRACE_ID);

  const all = JSON.stringify(collector.requests.map(({ body }) => body.toString()));
  assert.ok(!all.includes('S3cret'), 'no part of the URL beyond host and port');
  assert.ok(!all.includes(life.platform.adminKey), 'no key');
});
