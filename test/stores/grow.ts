// Grows the installation that is frozen with each release: small, and with a row of every kind, made by the real platform.
import assert from 'node:assert/strict';
import { issueCertificate } from '../../server/test/certificates.ts';
import type { Client } from '../../server/src/client/index.ts';
import type { WebhookIn } from '../../server/src/api/webhooks.ts';
import { eventually } from '../kit/handler.ts';
import { startInstallation, type Installation, type Place } from './installation.ts';
import { leave } from './leave.ts';
import { ADDRESS, SECRET, startOutside } from './outside.ts';

const HOUR = 3_600_000;
/** So long a retry is ahead when the store is frozen: it is still to come when somebody opens it at that instant. */
const LATER = [HOUR, HOUR, HOUR, HOUR, HOUR];
const ORDER = 'com.example.order.created';

/** A pair of certificate and key that outlives every release. */
const certificate = (): { certificate: string; privateKey: string } =>
  issueCertificate({ name: 'subscriber', until: Date.UTC(2120, 0) });

/** Each webhook by its name, and what it is subscribed to instead of all orders. */
function webhooks(): Record<string, Omit<WebhookIn, 'name'> & { type?: string; filter?: string }> {
  const free = { verification: 'none' } as const;
  const fails = { ...free, url: `${ADDRESS}/fails` };
  const { certificate: pem, privateKey } = certificate();
  return {
    proved: { url: `${ADDRESS}/proved`, secret: SECRET, description: 'Proved itself by the challenge.' },
    filtered: { ...free, url: `${ADDRESS}/filtered`, filter: 'total gt 150' },
    warned: { ...fails, policy: { retryDelaysMs: LATER } },
    broken: { ...fails, policy: { retryDelaysMs: [] } },
    paused: { ...free, url: `${ADDRESS}/paused` },
    disabled: { ...free, url: `${ADDRESS}/disabled` },
    parked: { ...fails, policy: { order: { kind: 'fifo', key: 'subject', onFailure: 'park', tries: 1 } } },
    'in line': { ...fails, policy: { order: { kind: 'fifo', onFailure: 'block' }, retryDelaysMs: LATER } },
    batched: { ...free, url: `${ADDRESS}/batched`, policy: { batch: { events: 2, waitMs: 50 } } },
    'batched in vain': { ...fails, policy: { batch: { events: 2, waitMs: 50 }, retryDelaysMs: LATER } },
    fetched: { mode: 'pull' },
    tokens: {
      ...free,
      url: `${ADDRESS}/tokens`,
      oauth: { tokenUrl: `${ADDRESS}/token`, clientId: 'bellwire', clientSecret: 'client-s3cret', scope: 'events' },
    },
    'mutual tls': {
      ...free,
      url: 'https://127.0.0.1:4711/tls',
      tls: {
        certificate: pem,
        privateKey,
        ca: issueCertificate({ name: 'ca', isAuthority: true, until: Date.UTC(2120, 0) }).certificate,
      },
      type: 'com.example.never',
    },
    signed: {
      ...free,
      url: `${ADDRESS}/signed`,
      signing: ['standard-v1', 'standard-v1a', 'hpe'],
      authorization: 'Bearer fixed',
      headers: { 'X-Tenant': 'acme' },
      format: 'binary',
      policy: { rate: 6_000, timeoutMs: 5_000, recovery: 'fresh-first' },
    },
    rotated: { ...free, url: `${ADDRESS}/rotated`, secret: 'the-first-secret' },
    liar: { url: `${ADDRESS}/liar`, type: 'com.example.never' },
    waiting: { url: `${ADDRESS}/silent`, type: 'com.example.never' },
    watching: { ...free, url: `${ADDRESS}/watching`, type: 'bellwire.*' },
  };
}

const FLOWS = `job: done
group: operations
params: { table: { type: text, default: orders } }
steps:
  - { name: seen, set: { table: "\${ params.table }" } }
  - { name: told, publish: { type: com.example.job.seen, data: { table: "\${ table }" } } }
after: { completed: [reports, mails, unheard] }
---
job: failing
steps: [{ fail: as it was told to }]
after: { failed: [reports] }
---
job: waiting
timeout: 3d
steps:
  - { name: before, set: { seen: yes } }
  - { wait: 1h }
  - name: then
    http: { url: "${ADDRESS}/job", method: POST, headers: { authorization: "Bearer \${ secret.TOKEN }" }, body: { seen: "\${ seen }" } }
---
job: interrupted
timeout: 3d
steps: [{ name: call, http: "${ADDRESS}/silent", timeout: 3h, resume: rerun }]
---
job: in a queue
timeout: 3d
concurrency: { max: 1, then: queue }
steps: [{ wait: 1h }]
---
job: aborted
steps: [{ wait: 1h }]
---
job: by event
on: { event: { type: ${ORDER}, filter: total gt 150 } }
steps: [noop]
---
job: by the clock
on: { cron: { at: "0 * * * *", catchUp: one } }
steps: [noop]
---
job: by http
on: { http: true }
steps: [noop]
---
sheet: Orders
columns: [Id, Total, State]
key: Id
---
scenario: orders
on: { hook: { dedupe: "\${ body.id }", methods: [POST] } }
steps:
  - sheet.append: { to: Orders, row: { Id: "\${ body.id }", Total: "\${ body.total }" } }
  - sheet.update: { in: Orders, where: { Id: "\${ body.id }" }, set: { State: paid } }
  - reply: { status: 201, body: { taken: "\${ body.id }" } }
---
scenario: guarded
on: { hook: { verify: greenlake, secret: GREENLAKE } }
steps: [{ reply: 200 }]
---
scenario: mended
steps:
  - { name: save, http: "${ADDRESS}/fails" }
  - { reply: 200 }
`;

const POLICY = (owner: string): string => `policySet: storage
rules:
  - rule: have-owner
    resources: [{ id: b-1, tags: { Owner: ops } }, { id: b-2, tags: {${owner}} }, { id: b-3 }]
    compliant: \${ exists(tags.Owner) }
    detail: OWNER_TAG_MISSING
  - { rule: all-well, resources: [{ id: b-1 }], compliant: true }
after: [reports]
`;

/** Grows it on an empty store, and leaves the store closed. */
export async function grow(place: Place): Promise<void> {
  const outside = await startOutside();
  try {
    const installation = await startInstallation(place, outside);
    try {
      await growSettings(installation);
      const ids = await growWebhooks(installation);
      await growEvents(installation, ids);
      await growFlows(installation);
      await growLast(installation, ids);
    } finally {
      await installation.platform.stop();
    }
    await leave(place);
  } finally {
    await outside.stop();
  }
}

async function growSettings(installation: Installation): Promise<void> {
  const { client } = installation;
  await client.services.put({ service: 'shop', description: 'Sells things.' });
  await client.eventTypes.put(ORDER, {
    service: 'shop',
    description: 'An order was made.',
    schema: { type: 'object', required: ['total'], properties: { total: { type: 'number' } } },
    schemaCheck: 'block',
    example: { total: 7 },
  });
  for (const type of ['com.example.never', 'com.example.job.seen'])
    await client.eventTypes.put(type, { description: 'For tests.' });
  await client.keys.create({ name: 'publisher', scopes: ['publish'], service: 'shop' }, { idempotencyKey: 'once' });
  for (const name of ['left-behind', 'deleted']) await client.workspaces.create({ name });
  await client.workspaces.limit('left-behind', { eventsPerDay: 1_000_000 });
  await client.workspaces.retain('left-behind', { eventsMs: 90 * 24 * HOUR });
  await client.groups.create({ name: 'operations' });
  const pp = { kind: 'webhook', group: 'operations', intervalMs: HOUR } as const;
  await client.postProcessings.create({
    ...pp,
    name: 'reports',
    url: `${ADDRESS}/reports`,
    authorization: 'CAAuth abc',
  });
  await client.postProcessings.create({ ...pp, name: 'unheard', url: `${ADDRESS}/reset` });
  await client.postProcessings.create({
    name: 'mails',
    universal: true,
    kind: 'email',
    recipients: ['ops@example.com'],
  });
  await client.secrets.set('TOKEN', 'former-s3cret');
  await client.secrets.set('TOKEN', 'flow-s3cret');
  await client.secrets.set('GREENLAKE', 'lake-s3cret');
}

/** Ids by names. */
type Ids = Readonly<Record<string, string>>;

async function growWebhooks({ client }: Installation): Promise<Ids> {
  const ids: Record<string, string> = {};
  for (const [name, { type = ORDER, filter, ...webhook }] of Object.entries(webhooks())) {
    const { id } = await client.webhooks.create({ name, ...webhook });
    ids[name] = id;
    await client.subscriptions.create({ webhook: id, type, ...(filter === undefined ? {} : { filter }) });
  }
  const idOf = (name: string): string => ids[name]!;
  await client.webhooks.pause(idOf('paused'));
  await client.webhooks.disable(idOf('disabled'));
  await client.webhooks.rotate(idOf('rotated'), { secret: 'the-second-secret', graceMs: 24 * HOUR * 29 });
  await states(client, { proved: 'active', liar: 'critical' }, ids);
  return ids;
}

async function growEvents({ client }: Installation, ids: Ids): Promise<void> {
  const made = [100, 200, 300, 400].map((total, at) => ({
    id: `order-${at}`,
    source: '//shop',
    type: ORDER,
    subject: `customer-${at % 2}`,
    data: { total },
  }));
  await client.events.publish(made);
  await client.events.publish(made[0]!); // known already
  await client.events.publish({ ...made[0]!, id: 'order-of-somebody', subject: 'somebody' });
  const expected: [name: string, state: 'delivered' | 'dead' | 'scheduled' | 'held', count: number][] = [
    ['proved', 'delivered', 5],
    ['filtered', 'delivered', 3],
    ['warned', 'scheduled', 5],
    ['broken', 'dead', 1],
    ['paused', 'held', 5],
    ['batched', 'delivered', 5],
    ['tokens', 'delivered', 5],
    ['signed', 'delivered', 5],
    ['rotated', 'delivered', 5],
  ];
  for (const [name, state, count] of expected) {
    await eventually(`${count} deliveries of ${name} are ${state}`, async () => {
      const found = await client.webhooks.deliveries(ids[name]!, { state }).all();
      return found.length >= count;
    });
  }
  const tried = ['warned', 'parked', 'in line', 'batched in vain'];
  for (const name of tried) {
    await eventually(`${name} was tried`, async () => {
      const all = await client.webhooks.deliveries(ids[name]!).all();
      const least = name === 'warned' ? 5 : name === 'in line' ? 1 : 2;
      return all.filter(({ attemptCount }) => attemptCount > 0).length >= least;
    });
  }
  await states(client, { warned: 'warning', broken: 'critical' }, ids);
  await erase(client);
  const { items } = await client.webhooks.pull(ids['fetched']!, { limit: 3, leaseMs: HOUR });
  assert.equal(items.length, 3);
  await client.webhooks.ack(
    ids['fetched']!,
    [items[0]!].map(({ id, lease }) => ({ id, lease })),
  );
  await client.webhooks.return(ids['fetched']!, {
    items: [items[1]!].map(({ id, lease }) => ({ id, lease })),
    delayMs: HOUR,
    reason: 'not today',
  });
}

async function erase(client: Client): Promise<void> {
  const { id } = await client.erasures.create('somebody');
  await eventually('the erasure is done', async () => (await client.erasures.get(id)).state === 'done', 60_000);
}

async function growFlows({ client, platform }: Installation): Promise<void> {
  await client.flows.push({ files: [{ name: 'flows.yaml', text: FLOWS }] });
  await client.flows.push({ files: [{ name: 'policy.yaml', text: POLICY('') }] });
  await ended(client.evaluations, (await client.policySets.run('storage')).id);
  await client.flows.push({ files: [{ name: 'policy.yaml', text: POLICY(' Owner: me ') }] });
  await ended(client.evaluations, (await client.policySets.run('storage')).id);
  await client.events.publish({ id: 'order-for-a-job', source: '//shop', type: ORDER, data: { total: 500 } });
  for (const name of ['done', 'failing']) await ended(client.runs, (await client.jobs.run(name)).id);
  const doomed = await client.jobs.run('aborted');
  await client.runs.abort(doomed.id);
  await ended(client.runs, doomed.id);
  for (const name of ['waiting', 'interrupted', 'in a queue', 'in a queue', 'in a queue']) await client.jobs.run(name);
  for (const name of ['waiting', 'interrupted', 'in a queue']) {
    await eventually(`a run of ${name} has begun`, async () => {
      const [first] = (await client.jobs.runs(name).all()).toReversed();
      return first !== undefined && (await client.runs.steps(first.id)).items.length > 0;
    });
  }
  await growScenarios(client, platform.url);
}

async function growScenarios(client: Client, url: string): Promise<void> {
  const call = async (name: string, body: string): Promise<number> => {
    const { hook } = await client.scenarios.get(name);
    const headers = { 'content-type': 'application/json' };
    return (await fetch(url + hook!.path, { method: 'POST', headers, body })).status;
  };
  for (const [name, body, status] of [
    ['orders', '{"id":"A7","total":12}', 201],
    ['orders', '{"id":"A7","total":12}', 201],
    ['orders', '{"id":"A8","total":13}', 201],
    ['orders', 'no json', 400],
    ['guarded', '{"id":"1"}', 401],
    ['mended', '{}', 500],
  ] as const)
    assert.equal(await call(name, body), status, `${name} ${body}`);
  const [failed] = await client.scenarios.runs('mended').all();
  const again = await client.runs.continue(failed!.id);
  await ended(client.runs, again.id);
  const [request] = await client.scenarios.requests('orders', { state: 'taken' }).all();
  await client.requests.replay(request!.id);
  await client.scenarios.renewHook('guarded');
  await client.scenarios.put('guarded', 'scenario: guarded\nsteps: [{ reply: 204 }]\n');
  await client.scenarios.putDraft('mended', 'scenario: mended\nsteps: [{ reply: 200 }]\n');
}

/** What is under way when the platform ends: operations in the other workspace, so that the first one stands still. */
async function growLast(installation: Installation, ids: Ids): Promise<void> {
  const { client } = installation;
  const done = await client.webhooks.replay(ids['filtered']!, { type: ORDER, filter: 'total gt 350' });
  await eventually('the replay is done', async () => (await client.operations.get(done.id)).state === 'done');
  await eventually('its copies arrived', async () => {
    return (await client.webhooks.deliveries(ids['filtered']!, { state: 'scheduled' }).all()).length === 0;
  });
  await client.operations.pause((await client.webhooks.redrive(ids['broken']!, { pace: 1 })).id).catch(() => undefined);
  const other = installation.in('left-behind');
  await other.eventTypes.put('com.example.left', { description: 'For tests.' });
  for (const name of ['one', 'two', 'three']) {
    const { id } = await other.webhooks.create({ name, url: `${ADDRESS}/left`, verification: 'none' });
    await other.subscriptions.create({ webhook: id, type: 'com.example.left' });
    if (name === 'one') ids = { ...ids, one: id };
  }
  const some = Array.from({ length: 5 }, (_, at) => ({
    id: `left-${at}`,
    source: '//shop',
    type: 'com.example.left',
    subject: 'left',
  }));
  await other.events.publish(some);
  await eventually('all of them arrived', async () => {
    return (await other.deliveries.list({ state: 'delivered' }).all()).length === 15;
  });
  await other.webhooks.replay(ids['one']!, { pace: 1 });
}

async function states(client: Client, wanted: Readonly<Record<string, string>>, ids: Ids): Promise<void> {
  for (const [name, state] of Object.entries(wanted)) {
    await eventually(
      `${name} is ${state}`,
      async () => (await client.webhooks.get(ids[name]!)).state === state,
      30_000,
    );
  }
}

async function ended(runs: Client['runs'] | Client['evaluations'], id: number): Promise<void> {
  await eventually(`run ${id} has ended, and its reports`, async () => {
    const { ended: isOver } = await runs.log(id);
    return isOver;
  });
}
