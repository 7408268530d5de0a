// Documents of scenarios and sheets: what they mean, and what is refused with its place.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Scenario } from '../definition.ts';
import { secretNamesOf } from '../secret-names.ts';
import { faultLine, namedSamples, readFlows, type Samples } from './index.ts';

const SAMPLES: Samples = new Map([
  ['flows/samples/event.json', '{"id":"e-1","data":{"user":{"username":"jo"},"count":2}}'],
  ['flows/samples/challenge.json', '{"data":{"challengeRequest":"8cbe"}}'],
  ['flows/samples/broken.json', '{'],
]);

function read(text: string) {
  return readFlows([{ name: 'flows/a.yaml', text }], SAMPLES);
}

/** The scenario of a document without fault. */
function scenario(text: string): Scenario {
  const found = read(text);
  if (!found.ok) assert.fail(found.faults.map(faultLine).join('\n'));
  const [first] = found.documents;
  assert.ok(first?.flow.kind === 'scenario');
  return first.flow;
}

/** A text that is one fault: its place, and words it says. */
function one(text: string, place: string, words: string | RegExp): void {
  const found = read(text);
  const [first = 'no fault', ...more] = found.ok ? [] : found.faults.map(faultLine);
  assert.deepEqual(more, [], first);
  assert.ok(first.startsWith(`flows/a.yaml:${place}: `), first);
  if (typeof words === 'string') assert.equal(first.slice(`flows/a.yaml:${place}: `.length), words);
  else assert.match(first, words);
}

const hook = (line: string): string => `scenario: x\non: { hook: { ${line} } }\n`;
const step = (line: string): string => `scenario: x\nsteps:\n  - ${line}\n`;

test('R75 R77 R78 a scenario is its name: the hook takes what comes, without steps, too', () => {
  const plain = scenario('scenario: x\n');
  assert.deepEqual(plain, {
    kind: 'scenario',
    name: 'x',
    description: '',
    group: null,
    enabled: true,
    params: {},
    on: { cron: [], http: false, events: [] },
    timeoutMs: 300_000,
    concurrency: { max: 100, then: 'queue' },
    after: { completed: [], failed: [] },
    hook: {
      verify: null,
      challenge: 'answer',
      challenges: [],
      origins: null,
      methods: ['POST'],
      shapes: [],
      onMisfit: 'note',
      dedupe: null,
      schedule: null,
      queue: 10_000,
      replyWithinMs: 10_000,
      bodyBytes: 4_194_304,
    },
    steps: [],
  });
  for (const same of ['on: { hook: true }', 'on: { hook: {} }', 'steps: []', 'concurrency: { max: 100 }']) {
    assert.deepEqual(scenario(`scenario: x\n${same}\n`), plain, same);
  }
});

test('R89 R106 all that a hook can be told is kept', () => {
  const { hook: told } = scenario(
    hook(
      'verify: greenlake, secret: [NEW, OLD], observe: true, challenge: pass, challenges: [okta, { name: meta, secret: META }], origins: [Events.example.com], methods: [PUT, POST], onMisfit: note, dedupe: "${ body.id }", schedule: { at: "0 * * * *", timezone: Asia/Tokyo }, queue: 5, replyWithin: 2s, maxBody: 256KiB',
    ),
  );
  assert.deepEqual(told, {
    verify: { preset: 'greenlake', settings: {}, secrets: ['NEW', 'OLD'], observe: true },
    challenge: 'pass',
    challenges: [
      { name: 'okta', settings: {} },
      { name: 'meta', settings: { secret: 'META' } },
    ],
    origins: ['events.example.com'],
    methods: ['POST', 'PUT'],
    shapes: [],
    onMisfit: 'note',
    dedupe: '${ body.id }',
    schedule: { at: '0 * * * *', timezone: 'Asia/Tokyo' },
    queue: 5,
    replyWithinMs: 2_000,
    bodyBytes: 262_144,
  });
});

test('the preset hmac with its settings; the secrets of a hook are those of its scenario', () => {
  const found = scenario(
    hook(
      'verify: { preset: hmac, header: X-Sig, algorithm: sha512, prefix: v1=, encoding: base64, timestamp: { header: X-Time, unit: milliseconds } }, secret: KEY, challenges: [{ name: websub, secret: TOKEN }]',
    ),
  );
  assert.deepEqual(found.hook.verify, {
    preset: 'hmac',
    settings: {
      header: 'X-Sig',
      algorithm: 'sha512',
      prefix: 'v1=',
      encoding: 'base64',
      timestamp: { header: 'X-Time', unit: 'milliseconds' },
    },
    secrets: ['KEY'],
    observe: false,
  });
  assert.deepEqual(secretNamesOf(found), ['KEY', 'TOKEN']);
});

test('faults of hooks name their place', () => {
  one(hook('verify: greenlakes, secret: A'), '2:23', /^.*no preset "greenlakes"; did you mean greenlake/);
  one(hook('verify: greenlake'), '2:15', 'verify needs secret: the name of a secret, never its value');
  one(hook('verify: hmac, secret: A'), '2:23', /the preset hmac needs header/);
  one(
    hook('verify: { preset: greenlake, header: X }, secret: A'),
    '2:44',
    /there is no field of verify with the preset/,
  );
  one(hook('verify: { preset: hmac, header: X, algorithm: md5 }, secret: A'), '2:61', /there is no algorithm "md5"/);
  one(hook('secret: A'), '2:15', 'secret needs verify: what is verified by it?');
  one(hook('verify: token, secret: "s3cr3t key"'), '2:38', /the name of a secret must have letters, digits and _ only/);
  one(hook('challenges: [meta]'), '2:28', /the challenge meta needs secret/);
  one(hook('challenges: [x]'), '2:28', /answered with the secret of verify/);
  one(hook('methods: [post]'), '2:25', /there is no method "post"/);
  one(hook('origins: []'), '2:24', 'origins names none; it needs one');
  one(hook('origins: [a b]'), '2:25', /origins must be a name such as events\.example\.com/);
  one(hook('dedupe: body.id'), '2:23', /dedupe must hold a template/);
  one(hook('dedupe: "${ body.id"'), '2:24', /dedupe: The \$\{ has no closing/);
  one(hook('dedupe: "${ bdy.id }"'), '2:23', /nothing here is called "bdy"; did you mean body/);
  one(hook('dedupe: "${ steps.a }"'), '2:23', /nothing here is called "steps"/);
  one(hook('schedule: 2026-12-24T18:00:00Z'), '2:25', /must come again and again/);
  one(hook('queue: 0'), '2:22', /queue must be a whole number from 1/);
  one(hook('replyWithin: 1h'), '2:28', /replyWithin must be between/);
  one(hook('maxBody: 1GiB'), '2:24', /maxBody must be a size such as 256KiB, at most 16MiB/);
  one(hook('onMisfit: refuse'), '2:15', 'onMisfit: refuse needs shapes: what would fit?');
  one('scenario: x\non: { hook: false }\n', '2:13', /hook can only be true/);
  one('scenario: x\non: { cron: "0 2 * * *" }\n', '2:7', 'there is no field of on called "cron"; there is: hook');
  one('scenario: x\nparams: { a: text }\n', '2:1', /there is no field of a scenario called "params"/);
});

test('R81 R82 R84 expressions know the request, and nothing that only a job has', () => {
  const request = '${ body.a }${ query.b }${ headers.c }${ method }${ request.id }${ secret.D }${ run.id }';
  assert.equal(scenario(step(`set: { text: "${request}" }`)).steps.length, 1);
  one(step('set: { a: "${ params.x }" }'), '3:15', /nothing here is called "params"/);
  one(step('set: { a: "${ boby.x }" }'), '3:15', /nothing here is called "boby"; did you mean body/);
  one(step('set: { a: "${ steps.nobody.x }" }'), '3:15', /there is no step called "nobody"/);
  one(step('set: { body: 1 }'), '3:12', '"body" is what the request is read by; call it otherwise');
  one(step('set: { a: "${ sha256(body.x }" }'), '3:33', 'set: Expected ), found }');
});

test('R97 R101 a route has one fallback, wherever it stands', () => {
  const route = (branches: string): string => `scenario: x\nsteps:\n  - route:\n${branches}`;
  const branch = (line: string): string => `      - { ${line}, steps: [noop] }\n`;
  assert.equal(scenario(route(branch('else: true') + branch('if: "exists(body.a)"'))).steps.length, 1);
  one(route(branch('else: true') + branch('name: b, else: true')), '5:9', 'a route has one branch with else at most');
  one('scenario: x\nsteps:\n  - route: []\n', '3:12', 'route must be a list of branches, not an empty one');
  one('scenario: x\nsteps: reply\n', '2:8', 'steps must be a list such as "- reply: 200", not "reply"');
  one('scenario: x\nsteps:\n  - 7\n', '3:5', 'a step must be a map such as "reply: 200", not 7');
});

test('R102 shapes and samples: those of the document and of its folder, and no others', () => {
  const text = [
    'scenario: x',
    'on: { hook: { shapes: [samples/challenge.json, event] } }',
    'shapes: { event: { samples: [samples/event.json] } }',
    'tests: [{ send: samples/event.json, expect: { status: completed } }]',
    '',
  ].join('\n');
  assert.deepEqual(
    scenario(text).hook.shapes.map(({ name }) => name),
    ['challenge', 'event'],
  );
  const named = namedSamples([{ name: 'flows/a.yaml', text }]).map(({ key }) => key);
  assert.deepEqual(named, ['flows/samples/event.json', 'flows/samples/challenge.json']);
  one(hook('shapes: [samples/none.json]'), '2:24', 'there is no sample samples/none.json beside the document');
  one(hook('shapes: [../samples/event.json]'), '2:24', /must lie in the folder of its document/);
  one(hook('shapes: [/etc/passwd.json]'), '2:24', /must lie in the folder of its document/);
  one(hook('shapes: [samples/broken.json]'), '2:24', /the sample samples\/broken.json is not JSON/);
  one(hook('shapes: [event]'), '2:24', 'there is no shape "event"');
});

test('R98 a document of a sheet: where it is, and what its columns are called', () => {
  const sheet = (lines: string) => {
    const found = read(`sheet: AuditLog\n${lines}\n`);
    if (!found.ok) assert.fail(found.faults.map(faultLine).join('\n'));
    assert.deepEqual(found.documents, []);
    return found.sheets[0]?.sheet;
  };
  const plain = { name: 'AuditLog', description: '', columns: [], keyColumn: null, place: { kind: 'built-in' } };
  assert.deepEqual(sheet(''), plain);
  assert.deepEqual(sheet('in: built-in'), plain);
  assert.deepEqual(sheet('columns: [Time, Who]\nkey: Who'), { ...plain, columns: ['Time', 'Who'], keyColumn: 'Who' });
  assert.deepEqual(sheet('in: { csv: audit.csv }\nkey: A')?.place, { kind: 'csv', path: 'audit.csv' });
  assert.deepEqual(sheet('in: { xlsx: a.xlsx, tab: Log }\nkey: A')?.place, {
    kind: 'xlsx',
    path: 'a.xlsx',
    tab: 'Log',
  });
  assert.deepEqual(sheet('in: { sql: DB, table: audit }\nkey: A')?.place, {
    kind: 'sql',
    connection: 'DB',
    table: 'audit',
  });
  assert.deepEqual(sheet('in: { google: 1x, account: G }\nkey: D')?.place, {
    kind: 'google',
    spreadsheet: '1x',
    tab: 'Sheet1',
    account: 'G',
    api: null,
  });
  one('sheet: A\nin: csv\n', '2:5', 'csv needs to know where: in: { csv: … }');
  one('sheet: A\nin: { csv: a, xlsx: b }\n', '2:5', /in must be built-in, or a map with one of csv/);
  one('sheet: A\nin: { google: x }\n', '2:5', 'google needs account');
  one('sheet: A\nin: { csv: a.csv }\n', '2:5', /a sheet in csv needs key: the column by which a row is found/);
  one('sheet: A\ncolumns: [a, a]\n', '2:14', 'the column "a" is there twice');
  one('sheet: A\nkey: nothing\n', '2:6', /key "nothing" is no column/);
  one('sheet: A\n---\nsheet: A\n', '3:8', 'the sheet "A" stands at flows/a.yaml:1 already');
});
