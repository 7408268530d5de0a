import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLog, type Log, type LogOptions } from '../src/log/index.ts';

function collect(options: Partial<LogOptions> = {}): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const destination = { write: (line: string) => lines.push(line) };
  return { lines, log: createLog({ level: 'info', pretty: false, destination, ...options }) };
}

test('one unit of work is one JSON line, with time, level, message and its fields', () => {
  const { log, lines } = collect();
  log.info({ delivery: 'dlv_1', status: 200, durationMs: 12 }, 'delivered');
  log.debug({}, 'below the level');
  assert.equal(lines.length, 1);
  assert.ok((lines[0] as string).endsWith('}\n'));
  const { time, ...line } = JSON.parse(lines[0] as string) as Record<string, unknown>;
  assert.match(String(time), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(line, { level: 'info', delivery: 'dlv_1', status: 200, durationMs: 12, message: 'delivered' });
});

test('a child carries its fields on every line', () => {
  const { log, lines } = collect();
  log.child({ node: 'a', secret: 'hunter2' }).child({ workspace: 'w1' }).warn({ more: 1 }, 'slow');
  const { node, workspace, more, secret } = JSON.parse(lines[0] as string) as Record<string, unknown>;
  assert.deepEqual({ node, workspace, more, secret }, { node: 'a', workspace: 'w1', more: 1, secret: '[masked]' });
});

test('access tokens, credentials and private keys are masked by their form', () => {
  const { log, lines } = collect();
  const pem = '-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\n';
  log.info({ text: `sent Bearer hunter2.${'x'.repeat(20)} and Basic ${btoa('bell:hunter2hunter2')}` }, pem);
  assert.doesNotMatch(lines.join(''), /hunter2|aHVudGVyM/);
  log.info({}, 'Bearer authentication is needed');
  assert.match(lines[1] as string, /Bearer authentication is needed/);
});

test('R71 no secret reaches the log: by name at any depth, by form in any text, in errors and their causes', () => {
  const error = new Error('cannot reach postgres://bell:hunter2@db/x', { cause: new Error('with whsec_aHVudGVyMg==') });
  Object.assign(error, { authorization: 'hunter2', code: 'ECONNREFUSED' });
  const fields = {
    authorization: 'Bearer hunter2',
    secret: 'hunter2',
    secondarySecret: 'hunter2',
    request: {
      headers: {
        Authorization: 'hunter2',
        'HPE-Webhook-Signature': 'sha256=hunter2',
        'webhook-signature': 'v1,hunter2',
      },
    },
    list: [{ deeper: { apiKey: 'hunter2', api_key: 'hunter2' } }],
    headers: new Headers({ cookie: 'hunter2', accept: '*/*' }),
    map: new Map([['password', 'hunter2']]),
    keys: ['hunter2'],
    url: 'https://user:hunter2@example.com/',
    words: 'generated whsec_aHVudGVyMg== and whsk_aHVudGVyMg',
    bytes: Buffer.from('hunter2'),
    error,
  };
  for (const pretty of [false, true]) {
    const { log, lines } = collect({ pretty });
    log.error(fields, 'failed with whsec_aHVudGVyMg==');
    const text = lines.join('');
    assert.ok(!text.includes('hunter2') && !text.includes('aHVudGVyMg'), text);
    assert.ok(text.includes('ECONNREFUSED') || pretty);
  }
});

test('R71 each form of a secret is masked where nothing else in the text is one', () => {
  const forms = [
    'made bw_3mJr7AoUXx2Wqd5yLvN9tTzKc8RbEfGh',
    'key=bw_3mJr7AoUXx2Wqd5y-_vN9tTz',
    'whsec_3mJr7AoUXx2Wqd5yLvN9tTzKc8RbEfGh==',
    'whsk_3mJr7AoUXx2Wqd5yLvN9/+TzKc8RbEfGh=',
    'postgres://bell:3mJr7AoUXx2Wqd5yLvN9tTz@db/x',
    'postgres://:3mJr7AoUXx2Wqd5yLvN9tTz@db/x',
  ];
  for (const form of forms) {
    const { log, lines } = collect({ pretty: false });
    log.info({ words: form }, form);
    assert.ok(!/3mJr7A|bEfGh|9tTz/.test(lines.join('')), lines.join(''));
    assert.equal(lines.join('').split('[masked]').length, 3);
  }
});

test('what cannot be printed does no harm: cycles, big integers, dates, deep values, undefined', () => {
  const cycle: Record<string, unknown> = { name: 'a' };
  cycle['self'] = cycle;
  const { log, lines } = collect();
  log.info({ cycle, big: 10n, at: new Date(0), missing: undefined, nothing: null }, 'odd');
  const line = JSON.parse(lines[0] as string) as Record<string, unknown>;
  assert.equal(line['big'], '10');
  assert.equal(line['at'], '1970-01-01T00:00:00.000Z');
  assert.equal(line['nothing'], null);
  assert.ok((lines[0] as string).includes('[deeper]'));
});

test('in development a line is text, with the stack of an error below it', () => {
  const { log, lines } = collect({ pretty: true });
  log.info({ webhook: 'wh_1', words: 'two words', n: 1 }, 'delivered');
  assert.match(lines[0] as string, /^\d\d:\d\d:\d\d\.\d{3} info {2}delivered webhook=wh_1 words="two words" n=1\n$/);
  log.error({ error: new TypeError('broken') }, 'bug');
  assert.match(lines[1] as string, /^\S+ error bug\n {4}TypeError: broken\n {8}at /);
  log.error({ error: { message: 'refused' } }, 'known');
  assert.match(lines[2] as string, /error known error=refused\n$/);
});

test('what came from elsewhere cannot write lines or control a terminal', () => {
  const evil = 'x\u001b[2J\u009b31m\r\n12:00:00.000 info  all is well \u202e';
  for (const pretty of [true, false]) {
    const { log, lines } = collect({ pretty });
    log.warn({ words: evil, error: new Error(evil) }, evil.replace('\n', ''));
    const text = lines.join('');
    // oxlint-disable-next-line no-control-regex -- these are what is looked for
    if (pretty) assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u0080-\u009f\u202e]/);
    assert.ok(!text.includes('\u001b') && !text.includes('\r'));
    assert.ok(!text.split('\n').some((line) => line.startsWith('12:00:00.000 info')), text);
  }
});

test('colour is asked for, never guessed', () => {
  const plain = collect({ pretty: true });
  plain.log.info({}, 'x');
  assert.ok(!(plain.lines[0] as string).includes('\u001b['));
  const coloured = collect({ pretty: true, colour: true });
  coloured.log.info({}, 'x');
  assert.ok((coloured.lines[0] as string).includes('\u001b['));
});

test('silent is silent', () => {
  const { log, lines } = collect({ level: 'silent' });
  log.error({}, 'x');
  assert.deepEqual(lines, []);
});
