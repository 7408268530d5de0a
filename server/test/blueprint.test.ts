// `bellwire import`: blueprints of Make become documents; the seed's scenario, every kind of module, error handlers.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { importBlueprint } from '../src/model/flow/blueprint/index.ts';
import type { Json } from '../src/model/flow/definition.ts';
import { playTest } from '../src/model/flow/document/dry-run.ts';
import { faultLine, readFlows } from '../src/model/flow/document/index.ts';
import { bellwire, documents, startGround } from './cli-ground.ts';

const fixture = join(import.meta.dirname, '../../examples/make/greenlake.blueprint.json');
const CHALLENGE = {
  data: { challengeRequest: '8cbecfea-d708-4706-bba3-669225084a10' },
  type: 'com.hpe.greenlake.events.v1beta1.webhooks.verification',
};
const EVENT = {
  id: 'uJoQ5JMB_HAPiq2sSllt',
  time: '2024-12-20T12:34:53.161Z',
  data: {
    user: { username: 'john.doe@hpedev.io' },
    category: 'user_management',
    description: 'User john.doe@hpedev.io logged out',
    additional_info: { ip_address: '194.9.99.5' },
  },
};

interface Module {
  [field: string]: unknown;
}

/** Imports a scenario that a hook starts, of these modules; its steps, its text, and what got lost. */
function imported(...modules: Module[]) {
  const hook = { id: 1, module: 'gateway:CustomWebHook' };
  const flow = [hook, ...modules];
  const made = importBlueprint(JSON.stringify({ name: 'a scenario', flow, metadata: {} }));
  if (!made.ok) assert.fail(made.message);
  const [document] = parseAllDocuments(made.yaml);
  const { steps } = (document as NonNullable<typeof document>).toJS() as { steps: Json[] };
  const read = readFlows([{ name: 'made.yaml', text: made.yaml }]);
  if (!read.ok) assert.fail(read.faults.map(faultLine).join('\n'));
  const lost = made.losses.filter(({ module }) => module !== 1);
  return { steps, yaml: made.yaml, lost };
}

/** What must become of the seed's two samples, wherever the scenario was written. */
const TESTS = `tests:
  - send: ${JSON.stringify(CHALLENGE)}
    secrets: { SHA256_KEY: s3cr3tKey }
    expect:
      route: challenge
      rows: { AuditLog: 0 }
      reply:
        status: 200
        headers: { content-type: application/json }
        body: { verification: 085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d }
  - send: ${JSON.stringify(EVENT)}
    expect:
      route: otherwise
      rows:
        AuditLog:
          - A: "2024-12-20T12:34:53.161Z"
            B: john.doe@hpedev.io
            C: user_management
            D: User john.doe@hpedev.io logged out
            E: 194.9.99.5
      reply: { status: 200, headers: {}, body: null }
`;

test('R75 R76 R92 R93 R102 the seed’s scenario, as Make exports it: both samples take the seed’s routes', () => {
  const made = importBlueprint(readFileSync(fixture, 'utf8'));
  if (!made.ok) assert.fail(made.message);
  const [scenario, sheet] = parseAllDocuments(made.yaml).map((one) => one.toJS() as { [field: string]: Json });
  assert.equal(scenario?.['scenario'], 'GreenLake webhook handler');
  assert.deepEqual(scenario?.['on'], { hook: true });
  assert.deepEqual(sheet, { sheet: 'AuditLog' });
  assert.ok(!made.yaml.includes('s3cr3tKey'), 'the key of the blueprint is in the document');
  const read = readFlows([{ name: 'made.yaml', text: made.yaml.replace('---\n', () => `${TESTS}---\n`) }]);
  if (!read.ok) assert.fail(read.faults.map(faultLine).join('\n'));
  const [{ flow, tests } = assert.fail('no document')] = read.documents;
  assert.equal(tests.length, 2);
  for (const one of tests) assert.deepEqual(playTest(flow, one, 0), [], one.name);
  assert.deepEqual(
    made.losses.map(({ module, what }) => [module, what]),
    [
      [1, 'gateway:CustomWebHook'],
      [6, 'google-sheets:addRow "Note the event"'],
      [null, 'the secret SHA256_KEY'],
    ],
  );
});

test('R81 R84 variables, texts and JSON: what later modules take of them leads to the same values', () => {
  const { steps, lost } = imported(
    { id: 2, module: 'util:SetVariables', mapper: { variables: [{ name: 'full name', value: '{{1.a}} {{1.b}}' }] } },
    { id: 3, module: 'json:ParseJSON', mapper: { json: '{{1.payload}}' } },
    { id: 4, module: 'util:ComposeString', mapper: { value: 'for {{2.`full name`}}: {{3.items[1].x}}' } },
    { id: 5, module: 'util:GetVariable2', mapper: { name: 'full name' } },
    { id: 6, module: 'json:CreateJSON', mapper: { who: '{{5.`full name`}}', n: 1 } },
    { id: 7, module: 'gateway:WebhookRespond', mapper: { status: '201', body: '{{6.json}}', headers: [] } },
  );
  assert.deepEqual(lost, []);
  assert.deepEqual(steps, [
    { set: { full_name: '${ body.a } ${ body.b }' } },
    { set: { parsed3: '${ parseJson(body.payload) }' } },
    { set: { text4: 'for ${ full_name }: ${ parsed3.items[0].x }' } },
    { set: { made6: { who: '${ full_name }', n: 1 } } },
    { reply: { status: 201, body: '${ json(made6) }' } },
  ]);
});

test('a request of the HTTP module: query, headers, body, time-out; credentials become secrets', () => {
  const { steps, lost, yaml } = imported(
    {
      id: 2,
      module: 'http:ActionSendData',
      metadata: { designer: { name: 'Open a ticket' } },
      parameters: { handleErrors: true },
      mapper: {
        url: 'https://desk.example.com/tickets',
        method: 'post',
        headers: [{ name: 'Authorization', value: 'Bearer abc123' }],
        qs: [{ name: 'for', value: '{{1.user}}' }],
        bodyType: 'raw',
        contentType: 'application/json',
        data: '{"title":"{{1.title}}"}',
        timeout: '40',
      },
    },
    { id: 3, module: 'util:SetVariable2', mapper: { name: 'ticket', value: '{{2.data.id}} {{2.statusCode}}' } },
  );
  assert.deepEqual(steps, [
    {
      name: 'http2',
      http: {
        url: 'https://desk.example.com/tickets?for=${ urlEncode(body.user) }',
        method: 'POST',
        headers: { authorization: '${ secret.HTTP2_AUTHORIZATION_KEY }', 'content-type': 'application/json' },
        body: '{"title":"${ body.title }"}',
      },
      timeout: '40s',
    },
    { set: { ticket: '${ steps.http2.body.id } ${ steps.http2.status }' } },
  ]);
  assert.ok(!yaml.includes('abc123'));
  assert.match(yaml, /# 2: Open a ticket/);
  assert.deepEqual(
    lost.map(({ what }) => what),
    ['the secret HTTP2_AUTHORIZATION_KEY'],
  );
});

test('R93 R101 an iterator with its aggregator is each with collect; a filter between modules is a route', () => {
  const { steps, lost } = imported(
    { id: 2, module: 'builtin:BasicFeeder', mapper: { array: '{{1.items}}' } },
    {
      id: 3,
      module: 'util:SetVariable2',
      filter: { name: 'large', conditions: [[{ a: '{{2.size}}', o: 'number:greater', b: '10' }]] },
      mapper: { name: 'size', value: '{{2.size}}' },
    },
    { id: 4, module: 'builtin:BasicAggregator', parameters: { feeder: 2 }, mapper: { name: '{{2.name}}' } },
    { id: 5, module: 'gateway:WebhookRespond', mapper: { status: 200, body: '{{length(4.array)}}' } },
  );
  assert.deepEqual(lost, []);
  assert.deepEqual(steps, [
    {
      name: 'each2',
      each: {
        of: '${ body.items }',
        as: 'each2',
        steps: [
          {
            route: [
              { name: 'large', if: '${ toNumber(each2.size) > 10 }', steps: [{ set: { size: '${ each2.size }' } }] },
            ],
          },
          { collect: { name: '${ each2.name }' } },
        ],
      },
    },
    { reply: { status: 200, body: '${ length(steps.each2.collected) }' } },
  ]);
});

test('R101 all routes of a router whose filters hold are taken; one without a filter is asked about', () => {
  const { steps, lost } = imported({
    id: 2,
    module: 'builtin:BasicRouter',
    routes: [
      {
        flow: [
          {
            id: 3,
            module: 'gateway:WebhookRespond',
            filter: { name: 'a', conditions: [[{ a: '{{1.a}}', o: 'exist' }]] },
            mapper: { status: '204' },
          },
        ],
      },
      { flow: [{ id: 4, module: 'util:FunctionSleep', mapper: { duration: '5' } }] },
    ],
  });
  assert.deepEqual(steps, [
    {
      route: {
        match: 'all',
        branches: [
          { name: 'a', if: '${ exists(body.a) }', steps: [{ reply: { status: 204 } }] },
          { name: 'route 2', if: true, steps: [{ wait: '5s' }] },
        ],
      },
    },
  ]);
  assert.deepEqual(
    lost.map(({ module, why }) => [module, why]),
    [[2, 'whether the route without a filter was the fallback']],
  );
});

test('Make’s five error directives have their counterparts', () => {
  const handled = (onerror: Module[], behind: Module[] = []) =>
    imported(
      {
        id: 2,
        module: 'http:ActionSendData',
        parameters: { handleErrors: true },
        mapper: { url: 'https://a.example/' },
        onerror,
      },
      ...behind,
    ).steps;
  const http = { name: 'http2', http: { url: 'https://a.example/', method: 'GET' } };
  const after = { id: 9, module: 'util:SetVariable2', mapper: { name: 'v', value: '{{2.data.x}}' } };
  assert.deepEqual(handled([{ id: 3, module: 'builtin:Break', mapper: { retry: true, count: '4', interval: '2' } }]), [
    { ...http, retry: { times: 4, wait: '2m' } },
  ]);
  assert.deepEqual(handled([{ id: 3, module: 'builtin:Break', mapper: { retry: false } }]), [http]);
  assert.deepEqual(handled([{ id: 3, module: 'builtin:Ignore' }]), [{ ...http, onError: 'continue' }]);
  assert.deepEqual(handled([{ id: 3, module: 'builtin:Ignore' }], [after]), [
    { ...http, onError: [{ set: { failed2: true } }] },
    {
      route: [
        { name: 'module 2 did not fail', if: '${ !failed2 }', steps: [{ set: { v: '${ steps.http2.body.x }' } }] },
      ],
    },
  ]);
  assert.deepEqual(handled([{ id: 3, module: 'builtin:Resume', mapper: { data: { x: 'none' } } }], [after]), [
    { ...http, onError: [{ set: { resumed2: { data: { x: 'none' } } } }] },
    { set: { v: '${ (resumed2 ? resumed2.data.x : steps.http2.body.x) }' } },
  ]);
  assert.deepEqual(handled([{ id: 3, module: 'builtin:Rollback' }]), [
    { ...http, onError: [{ stop: { as: 'failed', reason: '${ error.message }' } }] },
  ]);
  const answered = { id: 4, module: 'gateway:WebhookRespond', mapper: { status: '502', body: '{{2.error.message}}' } };
  assert.deepEqual(handled([answered, { id: 3, module: 'builtin:Commit' }]), [
    { ...http, onError: [{ reply: { status: 502, body: '${ error.message }' } }, { stop: { as: 'completed' } }] },
  ]);
});

test('what has no step is one that does nothing, and is told with its number, its name and what to do', () => {
  const slack = {
    id: 7,
    module: 'slack:CreateMessage',
    mapper: { text: '{{1.a}}' },
    metadata: { designer: { name: 'Tell ops' } },
  };
  const { steps, lost, yaml } = imported(slack, {
    id: 8,
    module: 'util:SetVariable2',
    mapper: { name: 'a', value: '{{escapeMarkdown(1.html)}} {{77.x}}' },
  });
  assert.deepEqual(steps, [{ name: 'slack7', noop: {} }, { set: { a: '${ null } ${ null }' } }]);
  assert.deepEqual(
    lost.map(({ module, what, why }) => `${module} ${what}: ${why}`),
    [
      '7 slack:CreateMessage "Tell ops": there is no step for this kind of module',
      '8 util:SetVariable2: the formula {{escapeMarkdown(1.html)}} (there is no counterpart of escapeMarkdown with these arguments)',
      '8 util:SetVariable2: a reference to module 77, which is not in the blueprint',
    ],
  );
  assert.match(yaml, /# - module 7 \(slack:CreateMessage "Tell ops"\)/);
});

test('what is no blueprint is refused in a sentence', () => {
  const messageOf = (text: string): string => {
    const made = importBlueprint(text);
    return made.ok ? 'made' : made.message;
  };
  assert.match(messageOf('{'), /^the file is no JSON: /);
  assert.match(messageOf('[]'), /it has no list called flow/);
  assert.match(messageOf('{"flow":[]}'), /has no modules/);
  const deep = `${'{"flow":[{"module":"builtin:BasicRouter","routes":['.repeat(60)}${']}]}'.repeat(60)}`;
  assert.match(messageOf(deep), /nests deeper than 40 levels/);
});

test('bellwire import: the document on stdout or in a file, the list on stderr, exit code 1 where nothing could be made', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-import-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const printed = await bellwire(['import', fixture], { folder });
  assert.equal(printed.code, 0);
  assert.match(printed.stdout, /^# Made of a blueprint of Make[^]*\nscenario: GreenLake webhook handler\n/);
  assert.match(printed.stderr, /^module 6 \(google-sheets:addRow "Note the event"\): the spreadsheet at Google/m);
  const kept = await bellwire(['import', fixture, '--out', 'flows/made.yaml'], { folder });
  assert.deepEqual([kept.code, kept.stdout], [0, 'flows/made.yaml  scenario GreenLake webhook handler\n']);
  assert.equal(readFileSync(join(folder, 'flows/made.yaml'), 'utf8'), printed.stdout);
  const again = await bellwire(['import', fixture, '--out', 'flows/made.yaml'], { folder });
  assert.equal(again.code, 2);
  assert.match(again.stderr, /made\.yaml is there already/);
  writeFileSync(join(folder, 'bad.json'), '{}');
  const bad = await bellwire(['import', 'bad.json'], { folder });
  assert.deepEqual([bad.code, bad.stdout], [1, '']);
  assert.match(bad.stderr, /no blueprint of Make/);
});

test('R92 R93 R100 the imported scenario, pushed as it is, answers the seed’s challenge and its event', async (t) => {
  const { folder, platform, stop } = await startGround();
  t.after(stop);
  const ok = async (args: string[], stdin = '') => {
    const ended = await bellwire(args, { folder, stdin });
    assert.equal(ended.code, 0, ended.stderr);
    return ended;
  };
  await ok(['import', fixture, '--out', 'made.yaml']);
  await ok(['secret', 'set', 'SHA256_KEY'], 's3cr3tKey');
  await ok(['push', 'made.yaml']);
  const shown = await ok(['scenario', 'show', 'GreenLake webhook handler', '--json']);
  const [{ hook } = assert.fail('no scenario')] = documents<{ hook: { path: string } }>(shown);
  const send = async (body: object) => {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(new URL(hook.path, platform.url), {
      method: 'POST',
      headers,
      body: JSON.stringify(body),
    });
    return [answer.status, await answer.text()];
  };
  assert.deepEqual(await send(CHALLENGE), [
    200,
    '{"verification":"085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d"}',
  ]);
  assert.deepEqual(await send(EVENT), [200, '']);
});
