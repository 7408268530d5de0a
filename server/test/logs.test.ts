// The lines of the log against their page: every message of the source is in docs/logs.md, and every line of a platform that
// worked has the fields it says and no other.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { auditEvent, startLife } from '../../test/kit/life.ts';
import { startReceiver } from '../../test/kit/receiver.ts';
import { readSources, repository } from '../../test/kit/sources.ts';
import { STRUCTURED } from './api-ground.ts';
import { startCollector } from './collector.ts';
import { does } from './flow-ground.ts';
import { post, startHooks } from './hook-ground.ts';

const page = readFileSync(new URL('../../docs/logs.md', import.meta.url), 'utf8');

/** Fields by message. */
function documented(): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const section of page.split(/^### /m).slice(1)) {
    const message = /^`([^`]+)`/.exec(section)![1]!;
    const table = section.split(/^## /m)[0]!;
    found.set(message, new Set([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, field]) => field!)));
  }
  for (const [, message, fields] of page.split('## Trouble')[1]!.matchAll(/^\| `([^`]+)` \|([^|]*)\|/gm)) {
    found.set(message!, new Set(['error', ...[...fields!.matchAll(/`(\w+)`/g)].map(([, field]) => field!)]));
  }
  return found;
}

const CALL = /\blog\.(?:debug|info|warn|error)\(((?:[^'()]|\([^()]*\)|'[^']*')*?),\s*'([^']+)',?\s*\)/g;

test('docs/logs.md: every message that the source can log is there, and none that it cannot', () => {
  const files = readSources(repository, ['server']).filter(({ path }) => path.startsWith('server/src/'));
  const said = new Set(files.flatMap(({ text }) => [...text.matchAll(CALL)].map(([, , message]) => message!)));
  const calls = files.flatMap(({ text }) => [...text.matchAll(/\blog\.(?:debug|info|warn|error)\(/g)]).length;
  const seen = files.flatMap(({ text }) => [...text.matchAll(CALL)]).length;
  assert.equal(seen, calls, 'a call whose message this test does not see');
  assert.deepEqual([...documented().keys()].sort(), [...said].sort());
});

type Line = Record<string, unknown> & { message: string; level: string };

function check(lines: readonly string[]): Line[] {
  const known = documented();
  return lines.map((text) => {
    assert.ok(text.endsWith('}\n') && text.indexOf('\n') === text.length - 1, `more than a line: ${text}`);
    const { time, ...line } = JSON.parse(text) as Line;
    assert.match(String(time), /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const fields = known.get(line.message);
    assert.ok(fields, `${line.message} is not in docs/logs.md`);
    const others = Object.keys(line).filter((name) => !fields.has(name) && name !== 'level' && name !== 'message');
    assert.deepEqual(others, [], `of the line "${line.message}" docs/logs.md does not know`);
    return line;
  });
}

test('the log of a platform that worked: known messages, known fields, no secret, and the trace of each', async (t) => {
  const collector = await startCollector();
  t.after(() => collector.stop());
  const endpoint = await startReceiver();
  t.after(() => endpoint.stop());
  let failures = 0;
  endpoint.behave(({ url }) => {
    const isFailure = url.startsWith('/events/') && failures++ === 0;
    return { status: isFailure ? 500 : 200, body: 'payload5ecret' };
  });
  const life = await startLife(t, { ...collector.setting, delivery: { retryDelays: ['20ms'], jitter: 0 } });
  const webhook = await life.webhook({ url: `${endpoint.url}/events/path5ecret`, verification: 'none' });
  const asking = await life.expect(201, 'POST /v1/webhooks', {
    body: { name: 'asking', url: `${endpoint.url}/asking/path5ecret`, secret: 'hand5ecret' },
  });
  await life.state(asking['id'] as string, 'critical');
  const headers = { ...STRUCTURED, 'x-request-id': 'mine-1' };
  const data = { ...(auditEvent()['data'] as object), id: 'payload5ecret' };
  await life.expect(202, 'POST /v1/events', { body: auditEvent({ data }), headers });
  const [delivered] = await life.settled(webhook, 'delivered');
  await life.ask('GET /v1/nothing/path5ecret');
  await life.expect(202, `POST /v1/webhooks/${webhook}/replay`, { body: { since: '2020-01-01T00:00:00Z' } });
  await life.settled(webhook, 'delivered', 2);
  await life.platform.stop();
  const lines = check(life.lines);
  const of = (message: string): Line[] => lines.filter((line) => line.message === message);
  const publish = of('request').find(({ route }) => route === '/v1/events')!;
  assert.equal(publish.level, 'debug');
  assert.deepEqual([publish['events'], publish['requestId'], publish['status']], [1, 'mine-1', 202]);
  assert.ok((publish['bytes'] as number) > 100);
  const attempts = of('attempt').filter(({ delivery }) => delivery === delivered!['id']);
  assert.deepEqual(
    attempts.map(({ level, attempt, status, state, reason }) => ({ level, attempt, status, state, reason })),
    [
      { level: 'info', attempt: 1, status: 500, state: 'open', reason: 'answered 500' },
      { level: 'debug', attempt: 2, status: 200, state: 'delivered', reason: null },
    ],
  );
  assert.equal(new Set([publish, ...attempts].map(({ traceId }) => traceId)).size, 1, 'one trace');
  assert.equal(new Set([publish, ...attempts].map(({ spanId }) => spanId)).size, 3, 'three spans');
  assert.ok(of('challenge').length > 0 && of('challenge').every(({ passed }) => passed === false));
  const changes = of('webhook changed').filter((line) => line['webhook'] === asking['id']);
  assert.deepEqual(
    changes.map(({ intent, health }) => ({ intent, health })),
    [{ intent: 'enabled', health: 'critical' }],
  );
  assert.deepEqual([of('operation')[0]!['state'], of('operation')[0]!['released']], ['done', 1]);
  assert.deepEqual([of('the platform is running').length, of('the platform has stopped').length], [1, 1]);
  const all = life.lines.join('');
  for (const secret of ['path5ecret', 'hand5ecret', 'payload5ecret', life.platform.adminKey]) {
    assert.ok(!all.includes(secret), secret);
  }
});

test('the log of hooks: the request says what became of it, the run how it ended', async (t) => {
  const hooks = await startHooks(t);
  const good = await hooks.scenario('good', [does('noop')]);
  const bad = await hooks.scenario('bad', [does('fail', 'no luck')]);
  for (const placed of [good, bad]) {
    await post(`${placed.url}?query5ecret=1`, { a: 'body5ecret' });
    await hooks.ended(placed);
  }
  await hooks.platform.stop();
  const lines = check(hooks.lines);
  const requests = lines.filter(({ message, route }) => message === 'request' && route === '/hooks/{token}');
  assert.deepEqual(
    requests.map(({ path, taken, flow }) => ({ path, taken, flow })),
    [good, bad].map(({ flow }) => ({ path: '/hooks/{token}', taken: 'begun', flow: flow.flow })),
  );
  const runs = lines.filter(({ message }) => message === 'run');
  assert.deepEqual(
    runs.map(({ level, name, cause, state, run }) => ({ level, name, cause, state, run })),
    [
      { level: 'debug', name: 'good', cause: 'hook', state: 'completed', run: requests[0]!['run'] },
      { level: 'info', name: 'bad', cause: 'hook', state: 'failed', run: requests[1]!['run'] },
    ],
  );
  const all = hooks.lines.join('');
  for (const secret of [good.token, bad.token, 'query5ecret', 'body5ecret']) assert.ok(!all.includes(secret), secret);
});
