// The input of each action, held against its rules: as it was written, and as it was evaluated.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ACTION_NAMES, actionFault, actionRule, normalInput, variableFault } from './actions.ts';
import type { Json } from './definition.ts';
import type { Stage } from './input-rules.ts';

const right: [string, Json][] = [
  ['noop', null],
  ['noop', {}],
  ['set', { hmac: 'a', count_2: [1, { b: null }] }],
  ['fail', 'out of stock'],
  ['wait', '30s'],
  ['wait', 1500],
  ['wait', { for: '1h30m' }],
  ['wait', { until: '2026-11-22T09:30:00+09:00' }],
  ['http', 'https://api.example/reindex?all=1'],
  ['http', { url: 'http://api.example', method: 'PUT', headers: { authorization: 'Bearer x', 'X-A': 'b' }, body: [1] }],
  ['http', { url: 'https://api.example', form: { a: 1, b: true, c: 'd' }, expect: [200, '4xx'] }],
  ['publish', { type: 'com.example.done', data: { rows: 3 }, attributes: { tenant: 'a', retry: 2, dry: true } }],
  ['run', './reindex.sh ${ params.table }'],
  ['run', ['ls', '-l', 7]],
  ['run', { shell: 'ls | wc -l > "$OUT"; echo $${HOME}', env: { OUT: '${ params.out }' }, stdin: { rows: 1 } }],
  ['mail', { to: 'ops@example.com', subject: 'Done', text: '' }],
  ['mail', { to: ['ops@example.com', 'o.n-call+night@example.co.jp'], subject: 'Done', text: 'All is well.' }],
];

const wrong: [string, Json, string][] = [
  ['run', '', 'run must not be empty'],
  ['run', "echo 'a", "run cannot be split into words: the quotation mark ' is not closed"],
  ['run', { command: 'ls', shell: 'ls' }, 'run needs either command or shell'],
  ['sql', { connection: 'sqlite:a.db' }, 'sql needs the field query'],
  ['sql', { connection: 'sqlite:a.db', query: 'SELECT 1', params: 1 }, 'sql.params must be a list, not a number'],
  ['run', { command: 'ls', env: { LD_PRELOAD: 'x' } }, 'run.env["LD_PRELOAD"] is a variable of Bellwire or the loader'],
  ['run', { command: ['ls', { a: 1 }] }, 'run.command[1] must be text or a number'],
  ['htp', 'https://a.example', 'there is no action "htp"; did you mean http?'],
  ['noop', 'something', 'noop takes nothing'],
  ['set', 'a', 'set must be names with values, not text'],
  ['set', { '1st': 1 }, 'set["1st"] is no name: letters, digits and _, no digit first, at most 64'],
  ['set', { secret: 1 }, 'set["secret"] is a name of Bellwire’s own'],
  ['fail', '', 'fail must not be empty'],
  ['fail', { reason: 'x' }, 'fail must be text, not an object'],
  ['wait', 'soon', 'wait must be a span such as 30s, 10m or 1h30m'],
  ['wait', -1, 'wait must be a span such as 30s, 10m or 1h30m'],
  ['wait', { for: '366d' }, 'wait.for is longer than a year'],
  [
    'wait',
    { until: '2026-02-30T00:00:00Z' },
    'wait.until must be an instant such as 2026-11-22T09:30:00Z, or milliseconds since 1970',
  ],
  ['wait', { for: '1s', until: 1 }, 'wait needs either for or until'],
  ['wait', {}, 'wait needs either for or until'],
  ['wait', null, 'wait must be text or number or object, not nothing'],
  ['http', 'ftp://a.example', 'http must be a URL that begins with http:// or https://'],
  ['http', 'https://user:pw@a.example', 'http must not hold a user name or password: use headers'],
  ['http', {}, 'http needs the field url'],
  ['http', { url: 'https://a.example', metod: 'GET' }, 'http has no field "metod"; did you mean method?'],
  [
    'http',
    { url: 'https://a.example', method: 'get' },
    'http.method must be one of GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS; did you mean GET?',
  ],
  ['http', { url: 'https://a.example', headers: { Host: 'b' } }, 'http.headers["Host"] cannot be set'],
  [
    'http',
    { url: 'https://a.example', headers: { 'X-A': 'b\r\nc: d' } },
    'http.headers["X-A"] holds what an HTTP header cannot carry',
  ],
  ['http', { url: 'https://a.example', expect: [200, 99] }, 'http.expect[1] must be a status such as 201, or 2xx'],
  ['publish', { data: 1 }, 'publish needs the field type'],
  [
    'publish',
    { type: 'a', attributes: { 'no-dash': 'x' } },
    'publish.attributes["no-dash"] must consist of a-z and 0-9',
  ],
  ['mail', { to: 'nobody', subject: 'a', text: 'b' }, 'mail.to must be an e-mail address such as ops@example.com'],
  [
    'mail',
    { to: ['a@b.example', 'x\r\ny@b.example'], subject: 'a', text: 'b' },
    'mail.to[1] must be an e-mail address such as ops@example.com',
  ],
  ['mail', { to: [], subject: 'a', text: 'b' }, 'mail.to must not be empty'],
];

test('Actions of jobs: what is right is right, written and evaluated', () => {
  for (const stage of ['written', 'evaluated'] as Stage[]) {
    for (const [action, input] of right) assert.equal(actionFault(action, input, stage), null, JSON.stringify(input));
  }
});

test('Actions of jobs: what is wrong is refused in words that name the place', () => {
  for (const [action, input, words] of wrong) assert.equal(actionFault(action, input, 'evaluated'), words);
});

test('Actions of jobs: a template may become anything when it is saved, and is judged by what it became', () => {
  const input = { url: '${ params.url }', expect: '${ params.status }', headers: { 'X-A': '${ params.a }' } };
  assert.equal(actionFault('http', input, 'written'), null);
  assert.equal(actionFault('http', input, 'evaluated'), 'http.url must be a URL that begins with http:// or https://');
  assert.equal(actionFault('mail', { to: '${ params.to }', subject: 's', text: 't' }, 'written'), null);
  assert.equal(actionFault('wait', '${ params.pause }', 'written'), null);
});

test('Actions of jobs: an action that reaches out of the run says so', () => {
  const outward = ACTION_NAMES.filter((name) => actionRule(name)?.outward);
  for (const name of ['wait', 'http', 'publish', 'mail'] as const) assert.ok(outward.includes(name), name);
  for (const name of ['noop', 'set', 'fail'] as const) assert.ok(!outward.includes(name), name);
  assert.equal(actionRule('toString'), null);
});

test('Actions of jobs: a variable may not be called what expressions know already', () => {
  assert.equal(variableFault('hmac'), null);
  for (const name of ['params', 'event', 'steps', 'run', 'secret', 'error', 'a-b', '', 'x'.repeat(65)]) {
    assert.notEqual(variableFault(name), null, name);
  }
});

test('R98 a statement takes no value from an expression, and no password stands in a document', () => {
  const judge = (input: Json) => actionFault('sql', input, 'written');
  const connection = '${ secret.DB }';
  assert.equal(judge({ connection, query: 'SELECT * FROM t WHERE id = $1', params: ['${ body.id }'] }), null);
  assert.equal(judge({ connection, query: 'SELECT 1', params: '${ body.ids }' }), null);
  const fault = judge({ connection, query: "SELECT * FROM t WHERE id = '${ body.id }'" });
  assert.match(fault ?? '', /^sql\.query must not hold \$\{ … \}: hand values over by params/);
  const readable = judge({ connection: 'postgres://u:p@h/d', query: 'SELECT 1' });
  assert.match(readable ?? '', /^sql\.connection must not hold a password that can be read/);
  for (const right of ['sqlite:a.db', 'postgres://u@h/d', 'postgres://u:${ secret.DB }@h/d']) {
    assert.equal(judge({ connection: right, query: 'SELECT 1' }), null, right);
  }
});

test('a shell text takes no value from an expression: that would be a program of whoever sends it', () => {
  const fault = actionFault('run', { shell: 'rm -rf ${ params.folder }' }, 'written');
  assert.match(fault ?? '', /^run\.shell must not hold \$\{ … \}: hand values over by env/);
});

test('an input has one form, however it was written', () => {
  assert.deepEqual(normalInput('run', 'ls -l ${ params.folder }'), { command: ['ls', '-l', '${ params.folder }'] });
  assert.deepEqual(normalInput('run', { command: 'ls -l', stdin: 'x' }), { command: ['ls', '-l'], stdin: 'x' });
  assert.deepEqual(normalInput('run', ['ls']), { command: ['ls'] });
  assert.deepEqual(normalInput('run', { shell: 'ls' }), { shell: 'ls' });
  assert.equal(normalInput('fail', 'why'), 'why');
});

test('R87 R88 R100 a reply is a status, or one with headers that cannot split the response, and a body where it may have one', () => {
  const fault = (input: Json, stage: 'written' | 'evaluated' = 'evaluated'): string =>
    actionFault('reply', input, stage) ?? '';
  const rights: Json[] = [
    200,
    599,
    { status: 204 },
    { headers: { a: 'b', c: ['d', 'e'], n: 1, none: null }, body: { x: 1 } },
    {},
  ];
  for (const right of rights) {
    assert.equal(fault(right), '', JSON.stringify(right));
  }
  for (const status of [99, 199, 600, 200.5, '200', true]) assert.match(fault({ status }), /from 200 to 599/);
  for (const bad of ['a\r\nb: c', 'a\nb', 'a\0b', ' a']) {
    assert.match(fault({ headers: { x: bad } }), /^reply\.headers\["x"\] (?:contains|begins)/);
    assert.notEqual(fault({ headers: { x: bad } }, 'written'), '');
  }
  assert.match(fault({ headers: { x: ['a', 'b\r\nc'] } }), /\[1\] contains a line break/);
  assert.match(fault({ headers: { 'x\r\ny': 'a' } }), /is not the name of an HTTP header/);
  for (const name of ['Content-Length', 'transfer-encoding', 'Connection']) {
    assert.match(fault({ headers: { [name]: 'a' } }), /is set by the server/);
  }
  assert.match(fault({ status: 304, body: 'x' }), /must be empty: a 304 has none/);
  assert.equal(fault({ status: '${ body.n }', headers: { x: '${ body.x }' }, body: '${ body }' }, 'written'), '');
});

test('stop takes nothing, or how the run is to end; a job is named, with its params', () => {
  for (const right of [null, {}, { as: 'failed', reason: 'no' }] as Json[])
    assert.equal(actionFault('stop', right, 'written'), null);
  assert.match(actionFault('stop', { as: 'aborted' }, 'written') ?? '', /one of completed, failed/);
  for (const right of ['x', { name: 'x', params: { n: 1 }, wait: true }] as Json[])
    assert.equal(actionFault('job', right, 'written'), null);
  assert.match(actionFault('job', { wait: true }, 'written') ?? '', /needs the field name/);
});
