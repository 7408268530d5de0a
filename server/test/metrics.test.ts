// Metrics of a platform that has worked: the text format, the table of docs/metrics.md, and every expression of the
// dashboard and of the alert rules, each name and label of which must be one that the platform really tells.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { createClient, type Client } from '../src/client/index.ts';
import { createMetrics } from '../src/metrics.ts';
import { countAttempts } from '../src/metrics/deliveries.ts';
import { AUDIT, auditEvent, startApi, STRUCTURED, type ApiGround } from './api-ground.ts';
import { ownLabels, readExposition, type Family } from './exposition.ts';

const root = join(import.meta.dirname, '../..');
const read = (name: string): string => readFileSync(join(root, name), 'utf8');

/* ── A platform that has done a little of everything ────────────────────────────────────────────────────────── */

const DOCUMENTS = `
job: nightly
group: ops
steps: [noop, { publish: { type: ${AUDIT}, source: //nightly, data: { id: a } }, onError: continue }]
after: { completed: [told, mailed] }
---
job: broken
steps: [{ fail: it is so }]
---
scenario: rows
steps: [noop]
`;

async function work(api: ApiGround, client: Client, endpoint: string): Promise<void> {
  const none = { verification: 'none' } as const;
  await client.webhooks.create({ name: 'well', url: `${endpoint}/200`, ...none });
  await client.webhooks.create({ name: 'ill', url: `${endpoint}/500`, ...none });
  await client.webhooks.create({ name: 'proves', url: `${endpoint}/200` });
  const pulled = await client.webhooks.create({ name: 'pulled', mode: 'pull' });
  for await (const { id } of client.webhooks.list()) await client.subscriptions.create({ webhook: id, type: AUDIT });
  const event = auditEvent();
  for (let again = 0; again < 2; again++) await client.events.publish(event as never);
  await api.ask('POST /v1/events', { body: auditEvent({ type: 'com.example.unknown' }), headers: STRUCTURED });
  const { items } = await client.webhooks.pull(pulled.id, { waitMs: 5_000 });
  await client.webhooks.ack(
    pulled.id,
    items.map(({ id, lease }) => ({ id, lease })),
  );
  await client.groups.create({ name: 'ops' });
  await client.postProcessings.create({ name: 'told', group: 'ops', kind: 'webhook', url: `${endpoint}/200` });
  await client.postProcessings.create({
    name: 'mailed',
    group: 'ops',
    kind: 'email',
    recipients: ['ops@example.com'],
  } as never);
  await client.flows.push({ files: [{ name: 'f.yaml', text: DOCUMENTS }] });
  for (const name of ['nightly', 'broken']) await client.jobs.run(name);
  const { hook } = await client.scenarios.get('rows');
  await fetch(api.url + hook!.path, { method: 'POST', body: '{}' });
  await fetch(`${api.url}/hooks/none`);
}

let families: Map<string, Family>;

/** The value of the series of a family that have these labels. */
function sum(name: string, labels: Record<string, string> = {}): number {
  const { samples } = families.get(name) ?? assert.fail(`there is no ${name}`);
  const fits = samples.filter((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value));
  return fits.reduce((all, { value }) => all + value, 0);
}

/** All counters that have moved, for whoever looks why something did not happen. */
function whatHappened(): string {
  const counters = [...families.values()].filter(({ type }) => type === 'counter');
  return JSON.stringify(counters.flatMap(({ samples }) => samples.filter(({ value }) => value > 0)));
}

describe('metrics of a platform that has worked', () => {
  const server = createServer((request, response) => {
    request.resume();
    response.writeHead(Number((request.url ?? '').slice(1)) || 200).end();
  });
  before(async () => {
    const ends: (() => unknown)[] = [];
    after(async () => {
      for (const end of ends.reverse()) await end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    ends.push(
      () => server.close(),
      () => server.closeAllConnections(),
    );
    const t = { after: (end: () => unknown) => void ends.push(end) };
    // Nobody listens there: traces are told to be dropped, and their metric is one.
    const api = await startApi(t as never, { tracing: { endpoint: 'http://127.0.0.1:9/v1/traces' } });
    const client = createClient({ url: api.url, key: api.platform.adminKey });
    await work(api, client, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const isDone = (): boolean =>
      sum('bellwire_runs_ended_total') === 3 &&
      sum('bellwire_attempts_total', { to: 'post-processing', outcome: 'delivered' }) === 1 &&
      sum('bellwire_mails_total') > 0 &&
      sum('bellwire_challenges_total') > 0 &&
      sum('bellwire_attempts_total', { to: 'webhook', outcome: 'failed' }) > 0;
    for (let looks = 0; ; looks++) {
      families = readExposition((await api.ask('GET /metrics', { key: null })).text);
      if (isDone()) break;
      if (looks > 500) assert.fail(`it has not all happened: ${whatHappened()}`);
      await new Promise((again) => setTimeout(again, 50));
    }
  });

  test('what happened was counted, each where it belongs', () => {
    assert.equal(sum('bellwire_events_duplicate_total'), 1);
    assert.ok(sum('bellwire_events_accepted_total') >= 1);
    assert.equal(sum('bellwire_publishes_refused_total', { code: 'unknown-type' }), 1);
    assert.ok(sum('bellwire_attempt_failures_total', { to: 'webhook', cause: '5xx' }) >= 1);
    assert.equal(sum('bellwire_pulled_total', { result: 'acknowledged' }), 1);
    assert.equal(sum('bellwire_runs_ended_total', { kind: 'job', state: 'failed' }), 1);
    assert.equal(sum('bellwire_runs_ended_total', { kind: 'scenario', state: 'completed' }), 1);
    assert.equal(sum('bellwire_run_starts_total', { result: 'queued' }), 2);
    assert.ok(sum('bellwire_steps_ended_total', { action: 'noop', state: 'completed' }) >= 2);
    assert.equal(sum('bellwire_hook_requests_total', { result: 'taken' }), 1);
    assert.ok(sum('bellwire_mails_total', { outcome: 'refused' }) >= 1);
    assert.equal(sum('bellwire_lanes_owned'), 64);
    for (const kind of ['accept', 'settle', 'run', 'hook', 'other']) {
      const { samples } = families.get('bellwire_store_commit_seconds')!;
      assert.ok(
        samples.some(({ labels }) => labels['kind'] === kind),
        `no transaction of kind ${kind}`,
      );
    }
    assert.ok(sum('bellwire_store_file_bytes', { file: 'data' }) > 0);
    assert.ok(sum('process_resident_memory_bytes') > 1e7);
  });

  test('docs/metrics.md: a row for each metric, with its type, its labels and what it is, and no other row', () => {
    const rows = Array.from(
      read('docs/metrics.md').matchAll(
        /^\| `(\w+)`(?: \(([\w, ]+)\))? \| (\w+) \| (node|store) \| (.*?) \| .{5,} \|$/gm,
      ),
      ([, name, labels = '', type, , help]) => ({ name, labels, type, help }),
    );
    const told = [...families.values()].map(({ name, type, help, samples }) => {
      return { name, labels: samples.length === 0 ? null : ownLabels(samples[0]!.labels).join(', '), type, help };
    });
    const byName = (one: { name?: string | undefined }, other: { name?: string | undefined }): number =>
      one.name! < other.name! ? -1 : 1;
    const known = new Map(rows.map((row) => [row.name, row]));
    // What has not happened has no series, and shows no labels.
    const expected = told.map((one) => ({ ...one, labels: one.labels ?? known.get(one.name)?.labels }));
    assert.deepEqual(rows.toSorted(byName), expected.toSorted(byName));
  });

  test('deploy/grafana/bellwire.json: every expression asks for what there is, in a way that makes sense', () => {
    const dashboard = JSON.parse(read('deploy/grafana/bellwire.json')) as Dashboard;
    assert.deepEqual([dashboard.id, dashboard.uid, dashboard.schemaVersion >= 36], [null, 'bellwire', true]);
    const [source] = dashboard.templating.list;
    assert.deepEqual([source?.type, source?.query], ['datasource', 'prometheus']);
    const panels = dashboard.panels.filter(({ type }) => type !== 'row');
    assert.deepEqual(
      dashboard.panels.filter(({ type }) => type === 'row').map(({ title }) => title.split(' (')[0]),
      ['Traffic', 'Deliveries', 'Backlog', 'Store', 'Flows and hooks', 'Process'],
    );
    assert.equal(
      new Set(dashboard.panels.map(({ id }) => id)).size,
      dashboard.panels.length,
      'each has an id of its own',
    );
    for (const { title, datasource, targets, gridPos } of panels) {
      assert.ok(gridPos.x + gridPos.w <= 24, title);
      assert.equal(datasource?.uid, '${datasource}', title);
      for (const { expr, legendFormat } of targets ?? assert.fail(title)) {
        checkExpression(expr);
        assert.match(expr, /job=~"\$job",instance=~"\$instance"/, title);
        for (const [, label] of legendFormat.matchAll(/\{\{(\w+)\}\}/g)) {
          assert.ok(
            label === 'instance' || new RegExp(`(by|without) \\([^)]*\\b${label}\\b`).test(expr),
            `${title}: {{${label}}}`,
          );
        }
      }
    }
  });

  test('deploy/prometheus/alerts.yaml: every rule asks for what there is, says what it means and what to do', () => {
    const { groups } = parse(read('deploy/prometheus/alerts.yaml')) as Alerts;
    const rules = groups.flatMap((group) => group.rules);
    assert.ok(rules.length >= 6);
    assert.equal(new Set(rules.map(({ alert }) => alert)).size, rules.length);
    for (const { alert, expr, labels, annotations } of rules) {
      checkExpression(expr);
      assert.match(alert, /^Bellwire[A-Z]\w+$/);
      assert.match(labels.severity, /^(page|ticket)$/);
      assert.ok(annotations.summary.length > 10 && annotations.description.length > 10, alert);
    }
  });

  test('an expression that asks for what there is not is seen', () => {
    for (const wrong of [
      'sum(rate(bellwire_events_total[5m]))',
      'rate(bellwire_deliveries[5m])',
      'bellwire_events_accepted_total',
      'bellwire_deliveries{status="held"}',
      'bellwire_deliveries{state="broken"}',
      'sum by (colour) (bellwire_deliveries)',
      'histogram_quantile(0.9, sum by (le) (rate(bellwire_accept_duration_seconds_sum[5m])))',
      'histogram_quantile(0.9, sum(rate(bellwire_accept_duration_seconds_bucket[5m])))',
      'bellwire_accept_duration_seconds',
    ]) {
      assert.throws(() => checkExpression(wrong), assert.AssertionError, wrong);
    }
  });
});

test('a sum of seconds never goes back: a delivery that is done before it was accepted, by a clock set back, took none', async () => {
  const metrics = createMetrics();
  const told = { to: 'webhook', state: 'delivered', outcome: { kind: 'response', status: 200 } };
  const attempt = { startedAt: 5_000, durationMs: 20 };
  countAttempts(metrics)({ ...told, attempt, delivery: { createdAt: 60_000 } } as never);
  const [latency] = readExposition(await metrics.read())
    .get('bellwire_delivery_latency_seconds')!
    .samples.slice(-2);
  assert.deepEqual([latency?.name, latency?.value], ['bellwire_delivery_latency_seconds_sum', 0]);
});

interface Dashboard {
  id: null;
  uid: string;
  schemaVersion: number;
  templating: { list: { type: string; query: unknown }[] };
  panels: {
    id: number;
    type: string;
    title: string;
    gridPos: { x: number; w: number };
    datasource?: { uid: string };
    targets?: { expr: string; legendFormat: string }[];
  }[];
}

interface Alerts {
  groups: {
    rules: {
      alert: string;
      expr: string;
      labels: { severity: string };
      annotations: { summary: string; description: string };
    }[];
  }[];
}

/* ── Expressions ────────────────────────────────────────────────────────────────────────────────────────────── */

/** Labels that the scraper adds. */
const SCRAPED = ['job', 'instance'];
const SELECTOR = /\b((?:bellwire|process)_\w+|up)(?:\{([^}]*)\})?(\[[^\]]+\])?/g;
/** What is counted differs by these: no value of a label may be one that is never told. */
const MATCHER = /^(\w+)(=~|!~|!=|=)"([^"]*)"$/;

function checkExpression(expr: string): void {
  const asked: Family[] = [];
  for (const { 0: text, 1: name, 2: matchers, 3: range, index } of expr.matchAll(SELECTOR)) {
    if (name === 'up') continue;
    const family = familyOf(name!);
    asked.push(family);
    checkMatchers(family, matchers ?? '');
    const around = /(\w+)\($/.exec(expr.slice(0, index))?.[1];
    const isCounted = family.type !== 'gauge';
    assert.equal(range !== undefined && around !== 'predict_linear', isCounted, `${text}: a ${family.type}`);
    if (isCounted) assert.match(around ?? '', /^(rate|increase)$/, text);
  }
  assert.ok(asked.length > 0 || expr.startsWith('up'), expr);
  for (const [, labels] of expr.matchAll(/\b(?:by|without) \(([^)]*)\)/g)) {
    for (const label of labels!.split(/, */)) {
      assert.ok(
        asked.some((family) => namesOf(family).includes(label)),
        `${expr}: nothing has the label ${label}`,
      );
    }
  }
  for (const [whole] of expr.matchAll(/histogram_quantile\([\d.]+, [^[]*\[/g)) {
    assert.match(whole, /by \((\w+, )*le\b/, expr);
    assert.match(whole, /_bucket/, expr);
  }
}

function familyOf(name: string): Family {
  const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ''));
  assert.ok(family, `there is no metric ${name}`);
  assert.equal(family.type === 'histogram', family.name !== name, `${name} of a ${family.type}`);
  return family;
}

function namesOf({ type, samples }: Family): string[] {
  return [...SCRAPED, ...(type === 'histogram' ? ['le'] : []), ...Object.keys(samples[0]?.labels ?? {})];
}

function checkMatchers(family: Family, matchers: string): void {
  for (const matcher of matchers === '' ? [] : matchers.split(',')) {
    const [, label, how, value] = MATCHER.exec(matcher) ?? assert.fail(`not a matcher: ${matcher}`);
    assert.ok(namesOf(family).includes(label!), `${family.name} has no label ${label}`);
    const isTold = family.samples.some(({ labels }) => labels[label!] === value);
    if (!how!.includes('~') && !SCRAPED.includes(label!)) assert.ok(isTold, `${family.name} never tells ${matcher}`);
  }
}
