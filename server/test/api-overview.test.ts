// The overview over HTTP: whose it is, what it sums up, and which webhooks are the worst.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { createClient } from '../src/client/index.ts';
import { AUDIT, auditEvent, startApi } from './api-ground.ts';

test('API: the overview shows rates, backlog and the worst webhooks; a tenant sees nothing of its neighbours', async (t) => {
  const api = await startApi(t);
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(Number((request.url ?? '').slice(1))).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const admin = createClient({ url: api.url, key: api.platform.adminKey });
  await admin.workspaces.create({ name: 'neighbour' });
  const { key } = await admin.keys.create({ name: 'n', workspaces: ['neighbour'], scopes: ['read'] });
  const neighbour = createClient({ url: api.url, key });
  for (const [name, status] of Object.entries({ well: 200, ill: 500, paused: 200 })) {
    const { id } = await admin.webhooks.create({ name, url: `${endpoint}/${status}`, verification: 'none' });
    await admin.subscriptions.create({ webhook: id, type: AUDIT });
    if (name === 'paused') await admin.webhooks.pause(id);
  }
  const listened = await admin.webhooks.create({ name: 'listened', mode: 'listen', verification: 'none' } as never);
  await admin.subscriptions.create({ webhook: listened.id, type: AUDIT });
  for (let sent = 0; sent < 3; sent++) await admin.events.publish(auditEvent() as never);

  const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0);
  // Rates are of whole seconds, so the last attempts are seen a second later at the latest.
  let overview = await admin.overview({ sort: 'failures' });
  while (sum(overview.rates.failed) < 3 || sum(overview.rates.delivered) < 3 || sum(overview.rates.accepted) < 3) {
    await new Promise((again) => setTimeout(again, 50));
    overview = await admin.overview({ sort: 'failures' });
  }
  assert.equal(overview.workspace, null);
  assert.equal(overview.rates.accepted.length, 60);
  assert.ok(overview.latencyMs !== null && overview.latencyMs.p50 <= overview.latencyMs.p99);
  assert.equal(overview.node?.lanes, 64);
  const [worst] = overview.worst;
  assert.deepEqual([worst?.name, worst?.workspace, worst?.failures], ['ill', 'default', worst?.attempts]);
  assert.match(worst?.error ?? '', /500/);
  assert.equal((await admin.overview({ limit: 1 })).worst.length, 1);
  assert.ok(
    overview.worst.some(({ name }) => name === 'listened'),
    'nobody listens, so what is its waits',
  );
  assert.equal(
    Object.values(overview.webhooks).reduce((all, count) => all + count),
    4,
  );

  const theirs = await neighbour.overview();
  assert.deepEqual([theirs.workspace, theirs.node, theirs.worst, theirs.webhooks], ['neighbour', null, [], {}]);
  assert.deepEqual([sum(theirs.rates.accepted), theirs.latencyMs], [0, null]);
  const { scheduled, held, dead, oldestDueMs } = theirs.deliveries;
  assert.deepEqual([scheduled, held, dead, oldestDueMs], [0, 0, 0, 0]);
  await api.refused('unknown-workspace', 'GET /v1/overview?workspace=default', { key });
  const own = await createClient({ url: api.url, key: api.platform.adminKey, workspace: 'default' }).overview();
  assert.deepEqual([own.workspace, own.worst.length > 0], ['default', true]);
  await api.refused('invalid-request', 'GET /v1/overview?sort=beauty');
});
