// Faults of documents: each with file, line, column and the words expected; all of a file at once; nothing runs away.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFlows, faultLine } from './index.ts';

/** The faults of a text, one line each. */
function faults(text: string, name = 'flows.yaml'): string[] {
  const result = readFlows([{ name, text }]);
  return result.ok ? [] : result.faults.map(faultLine);
}

/** A text that is one fault: its place, and words it says. */
function one(text: string, place: string, words: string | RegExp): void {
  const [first = 'no fault', ...more] = faults(text);
  assert.deepEqual(more, [], first);
  assert.ok(first.startsWith(`flows.yaml:${place}: `), first);
  if (typeof words === 'string') assert.equal(first.slice(`flows.yaml:${place}: `.length), words);
  else assert.match(first, words);
}

const job = (line: string): string => `job: x\n${line}\nsteps: [noop]\n`;
const step = (line: string): string => `job: x\nsteps:\n  - ${line}\n`;

test('errors name file, line, column, the word found and the words expected', () => {
  const result = readFlows([{ name: 'flows/a.yaml', text: job('timout: 30m') }]);
  assert.ok(!result.ok);
  const [fault] = result.faults;
  assert.deepEqual(
    [fault?.file, fault?.line, fault?.column, fault?.found, fault?.message],
    ['flows/a.yaml', 2, 1, 'timout', 'there is no field of a job called "timout"; did you mean timeout?'],
  );
  assert.ok(fault?.expected.includes('timeout') && fault.expected.includes('steps'));
});

test('all faults of all files at once, in the order of the lines', () => {
  const text =
    'job: x\ntimeout: soon\nafter: { done: [a] }\nsteps:\n  - htpp: https://a.example/\n  - run\n---\njob: y\n';
  const result = readFlows([
    { name: 'a.yaml', text },
    { name: 'b.yaml', text: 'policySet: z\n' },
  ]);
  assert.ok(!result.ok);
  assert.deepEqual(
    result.faults
      .filter(({ line, file }) => line !== 6 || file !== 'a.yaml')
      .map(({ file, line, column }) => `${file}:${line}:${column}`),
    ['a.yaml:2:10', 'a.yaml:3:10', 'a.yaml:5:5', 'a.yaml:8:1', 'b.yaml:1:1'],
  );
});

test('what a document is: its first word, one of them, a name that is a text', () => {
  const begins = 'a document begins with "job: name", "policySet: name", "scenario: name" or "sheet: name"';
  one('jub: x\n', '1:1', `${begins}; this one has none of them`);
  one('toString: x\n', '1:1', `${begins}; this one has none of them`);
  one('- a\n', '1:1', `${begins}, not with a list`);
  one('job: x\npolicySet: y\n', '2:1', 'a document is one thing, and this one is a job; part them by ---');
  one('job: 7\nsteps: [noop]\n', '1:6', 'the name of a job must be a text, not 7; put it in quotes');
  one('job: "7"\nsteps: [noop]\n', '1:6', /must not be a number/);
  one(`job: ${'a'.repeat(256)}\nsteps: [noop]\n`, '1:6', 'the name of a job has 256 characters; at most 255');
  assert.deepEqual(faults(`job: ${'🦉'.repeat(255)}\nsteps: [noop]\n`), []);
  one('job: x\n', '1:1', 'a job needs steps');
  one('job: x\nsteps: [noop]\n---\njob: x\nsteps: [noop]\n', '4:6', 'the job "x" stands at flows.yaml:1 already');
});

test('triggers: an unknown time zone, a day that is none, a table that is none, a filter that does not parse', () => {
  one(
    job('on: { cron: "0 2 * * *", timezone: Mars/Base }'),
    '2:36',
    'there is no time zone "Mars/Base"; one is Asia/Tokyo, another UTC',
  );
  one(job('on: { cron: { at: "0 2 * * *", skip: 2026-02-30 } }'), '2:38', '2026-02-30 is no day of the calendar');
  one(job('on: { cron: sometimes }'), '2:13', /sometimes/);
  one(job('on: { cron: "0 0 30 2 *" }'), '2:13', /never fires: there is no such day/);
  one(job('on: { cron: { timezone: UTC } }'), '2:13', 'a time table needs at, such as "0 2 * * *"');
  one(job('on: { event: { type: a.b, filter: "x eqq 1" } }'), '2:38', /^.*filter: .*eqq/);
  one(job('on: { event: "a.*.b" }'), '2:14', '"a.*.b" is no pattern: a "*" stands once, at the end, after a dot');
  one(job('on: { job: { status: completed } }'), '2:12', 'job needs the name of the job whose end starts this one');
  one(
    job('on: { job: { name: y, status: complete } }'),
    '2:31',
    'there is no status "complete"; did you mean completed?',
  );
  one(job('on: { manual: false }'), '2:15', 'manual can only be true: whoever may manage a flow may start it');
  one(job('on: { crno: "0 2 * * *" }'), '2:7', 'there is no field of on called "crno"; did you mean cron?');
});

test('parameters: types, defaults, names, and triggers that cannot give what is needed', () => {
  one(job('params: { a-b: text }'), '2:11', /letters, digits and _ only/);
  one(job('params: { n: number, t: txet }'), '2:25', 'there is no type of params "txet"; did you mean text?');
  one(job('params: { n: { type: integer, default: 1.5 } }'), '2:40', 'the value must be of type integer, not 1.5');
  one(
    job('params: { n: { oneOf: [a, b], default: c } }'),
    '2:40',
    'there is no value in oneOf like the default "c"; did you mean a or b?',
  );
  one(
    'job: x\nparams: { table: text }\non: { cron: "0 2 * * *" }\nsteps: [noop]\n',
    '3:13',
    'the param "table" has no default, and this trigger does not give it',
  );
  one(
    'job: x\nparams: { table: text }\non: { cron: { at: "0 2 * * *", params: { tabel: a, table: b } } }\nsteps: [noop]\n',
    '3:42',
    'there is no param "tabel"; did you mean table?',
  );
});

test('steps: unknown actions and fields by name, one thing each, the rules of the action with their place', () => {
  one(step('htpp: https://a.example/'), '3:5', 'there is no action "htpp"; did you mean http?');
  one(step('{ noop: , nmae: a }'), '3:15', 'there is no field of a step called "nmae"; did you mean name?');
  one(step('{ name: a }'), '3:5', /^.*does not say what it does/);
  one(step('{ noop: , fail: x }'), '3:15', 'a step does one thing, and this one says noop already');
  one(step('http: ftp://a.example/'), '3:11', 'http must be a URL that begins with http:// or https://');
  one(step('http: { url: https://a.example/, method: PSOT }'), '3:46', /^.*http\.method must be one of .*POST/);
  one(step('{ route: [{ steps: [noop] }] }'), '3:15', 'a branch needs if, or else: true');
  one(
    step('{ route: [{ else: true, steps: [noop] }, { else: true, steps: [noop] }] }'),
    '3:46',
    'a route has one branch with else at most',
  );
  one(step('{ route: [{ else: true, steps: [noop] }], retry: 2 }'), '3:47', 'route takes no retry; its steps do');
  one(step('{ each: { steps: [noop] } }'), '3:13', 'each needs of: an expression that gives a list');
  one(
    'job: x\nsteps:\n  - { name: a, noop: }\n  - { name: a, noop: }\n',
    '4:13',
    'the step "a" stands in line 3 already',
  );
  one(step('{ noop: , retry: 101 }'), '3:22', 'retry must be a whole number from 1 to 100, not 101');
  one(step('{ noop: , timeout: 30 }'), '3:24', 'timeout must be a span such as 30s, 10m or 2h, not 30');
});

test('expressions are parsed when saved, with their place in the file', () => {
  one(step('{ noop: , if: "${ a = 1 }" }'), '3:25', 'if: = is no operator of expressions; it is written ==');
  one(step('fail: told ${ nope(1) } so'), '3:19', /^.*fail: .*nope/);
  one('job: x\nsteps:\n  - fail: |\n      one line\n      and ${ 1 + } another\n', '5:18', /^.*fail: Expected a value/);
  one(step('fail: ${ parms.a }'), '3:11', 'nothing here is called "parms"; did you mean params?');
  one(step('fail: ${ params.a }'), '3:11', 'the job has no param called "a"; there is none');
  one(
    'job: x\nsteps:\n  - { name: fetch, noop: }\n  - fail: ${ steps.fetsh }\n',
    '4:11',
    'there is no step called "fetsh"; did you mean fetch?',
  );
});

test('rules: what is missing, where resources may come from, and no secret in a document', () => {
  one('policySet: x\nrules: [{ rule: a, resources: [], compliant: }]\n', '2:9', /^.*needs compliant/);
  one(
    'policySet: x\nrules: [{ rule: a, resources: { htpp: x }, compliant: true }]\n',
    '2:33',
    'there is no source of resources "htpp"; did you mean http?',
  );
  one(
    'policySet: x\nrules: [{ rule: a, resources: { aws: ec2.volum, regions: [eu-central-1] }, compliant: true }]\n',
    '2:38',
    'there is no AWS resource "ec2.volum"; did you mean ec2.volume?',
  );
  one(
    'policySet: x\nrules: [{ rule: a, resources: { aws: s3.bucket, regions: [eu-central-1], credentials: { accessKeyId: a, secretAccessKey: b } }, compliant: true }]\n',
    '2:122',
    /a secret does not stand in a document/,
  );
});

test('what is not YAML is told with its place, and with a hint where a template is in the way', () => {
  one('job: [a\n', '2:1', /this is not YAML/);
  one('job: x\n\tsteps: 1\n', '2:1', /tabs/);
  const [first = ''] = faults('job: x\nsteps:\n  - { noop: , if: ${ a }\n');
  assert.match(first, /stands in quotes/);
  one('job: x\nsteps: [noop]\nsteps: [noop]\n', '3:1', 'the field "steps" comes twice');
  one('job: x\nsteps: [!!binary aGk=]\n', '2:9', 'tags such as !!binary are not used here');
  one('job: x\nsteps: *s\n', '2:8', 'there is no anchor &s above');
  one('job: x\nsteps: &s [*s]\n', '2:12', 'the alias *s stands inside of what it stands for');
  one('job: x\nsteps: [{ wait: .inf }]\n', '2:17', 'this number is none that JSON has');
  one('job: x\nsteps: [{ wait: 12345678901234567890 }]\n', '2:17', /too large to be kept exactly/);
  one('job: x\n<<: { a: 1 }\nsteps: [noop]\n', '2:1', /not merged by <</);
});

test('a YAML bomb is refused in words', () => {
  const levels = Array.from(
    'bcdefghij',
    (name, at) => `${name}: &${name} [${Array.from({ length: 9 }, () => `*${'abcdefghij'[at]}`).join(', ')}]`,
  );
  const [first = '', ...more] = faults(`job: x\na: &a [x, x, x, x, x, x, x, x, x]\n${levels.join('\n')}\n`);
  assert.deepEqual(more, []);
  assert.match(first, /with its aliases unfolded, the file holds more than 100,000 values/);
  const deep = Array.from({ length: 200 }, (_, at) => `- &l${at + 1} [*l${at}]`);
  assert.match(
    faults(`- &l0 [x]\n${deep.join('\n')}\n`)[0] ?? '',
    /aliases unfolded, the document nests deeper than 128/,
  );
});

test('a step tree 1,000 deep, lists 500,000 deep, and a file of 1 MB are refused in words, at once', () => {
  let tree = 'noop';
  for (let at = 0; at < 1_000; at++) tree = `{ route: [{ else: true, steps: [${tree}] }] }`;
  assert.match(
    faults(`job: x\nsteps: [${tree}]\n`)[0] ?? '',
    /^flows\.yaml:2:\d+: the document nests deeper than 128 levels here$/,
  );
  let steps = 'noop';
  for (let at = 0; at < 21; at++) steps = `{ route: [{ else: true, steps: [${steps}] }] }`;
  assert.match(faults(`job: x\nsteps: [${steps}]\n`)[0] ?? '', /steps nest deeper than 20 levels here/);
  assert.match(faults('['.repeat(200_000))[0] ?? '', /nests deeper than 128 levels/);
  assert.match(faults('- '.repeat(100_000))[0] ?? '', /nests deeper than 128 levels/);
  assert.deepEqual(faults(`# ${'x'.repeat(1_048_576)}\n`), [
    'flows.yaml:1:1: the file has 1,048,579 characters; at most 262,144 are read',
  ]);
  assert.match(faults('!a '.repeat(80_000))[0] ?? '', /at most one tag/);
  assert.equal(faults(step(`{ noop: , if: "${' '.repeat(200_000)}" }`)).length, 1);
  assert.match(faults('---\n'.repeat(60_000))[0] ?? '', /more than 500 documents/);
  const many = Array.from({ length: 40_000 }, (_, at) => `k${at}: 1`)
    .join('\n')
    .slice(0, 260_000);
  assert.equal(faults(`job: x\n${many}\n`).length, 50);
});

test('1,000 steps, and not one more', () => {
  const steps = (count: number): string => `job: x\nsteps:\n${'  - noop\n'.repeat(count)}`;
  assert.deepEqual(faults(steps(1_000)), []);
  one(steps(1_001), '1003:5', 'a job has at most 1,000 steps');
});

test('every limit of a document at both edges', () => {
  const many = (count: number, item: (n: number) => string): string =>
    Array.from({ length: count }, (_, n) => item(n)).join(', ');
  const nested = (routes: number): string => {
    let steps = 'noop';
    for (let at = 0; at < routes; at++) steps = `{ route: [{ else: true, steps: [${steps}] }] }`;
    return `job: x\nsteps: [${steps}]\n`;
  };
  const limits: Record<string, [most: string, beyond: string]> = {
    'name of 255': [`job: ${'x'.repeat(255)}\nsteps: [noop]\n`, `job: ${'x'.repeat(256)}\nsteps: [noop]\n`],
    'description of 2,000': [job(`description: ${'🌙'.repeat(2_000)}`), job(`description: ${'x'.repeat(2_001)}`)],
    '100 params': [
      job(`params: { ${many(100, (n) => `p${n}: text`)} }`),
      job(`params: { ${many(101, (n) => `p${n}: text`)} }`),
    ],
    '50 post-processings': [job(`after: [${many(50, (n) => `a${n}`)}]`), job(`after: [${many(51, (n) => `a${n}`)}]`)],
    'time-out from 1 s': [job('timeout: 1s'), job('timeout: 999ms')],
    'time-out to 7 d': [job('timeout: 168h'), job('timeout: 169h')],
    'concurrency from 1': [job('concurrency: { max: 1 }'), job('concurrency: { max: 0 }')],
    'concurrency to 1,000': [job('concurrency: { max: 1000 }'), job('concurrency: { max: 1001 }')],
    '100 time tables': [
      job(`on: { cron: [${many(100, () => '"0 2 * * *"')}] }`),
      job(`on: { cron: [${many(101, () => '"0 2 * * *"')}] }`),
    ],
    '100 events': [
      job(`on: { event: [${many(100, (n) => `a.b${n}`)}] }`),
      job(`on: { event: [${many(101, (n) => `a.b${n}`)}] }`),
    ],
    'one at once': [
      step('each: { of: "[1]", atOnce: 1, steps: [noop] }'),
      step('each: { of: "[1]", atOnce: 0, steps: [noop] }'),
    ],
    '100 at once': [
      step('each: { of: "[1]", atOnce: 100, steps: [noop] }'),
      step('each: { of: "[1]", atOnce: 101, steps: [noop] }'),
    ],
    '100 retries': [step('{ noop: , retry: 100 }'), step('{ noop: , retry: 101 }')],
    '50 recipients': [
      step(`mail: { to: [${many(50, (n) => `a${n}@b.example`)}], subject: s, text: t }`),
      step(`mail: { to: [${many(51, (n) => `a${n}@b.example`)}], subject: s, text: t }`),
    ],
    '200 rules': [
      `policySet: x\nrules: [${many(200, (n) => `{ rule: r${n}, resources: [], compliant: true }`)}]\n`,
      `policySet: x\nrules: [${many(201, (n) => `{ rule: r${n}, resources: [], compliant: true }`)}]\n`,
    ],
    '20 levels of steps': [nested(19), nested(20)],
    '500 documents': [
      Array.from({ length: 500 }, (_, n) => `job: j${n}\nsteps: [noop]\n`).join('---\n'),
      Array.from({ length: 501 }, (_, n) => `job: j${n}\nsteps: [noop]\n`).join('---\n'),
    ],
    '262,144 characters': [job('').padEnd(262_143, '#') + '\n', job('').padEnd(262_144, '#') + '\n'],
  };
  for (const [name, [most, beyond]] of Object.entries(limits)) {
    assert.deepEqual(faults(most), [], name);
    assert.equal(faults(beyond).length, 1, `beyond ${name}: ${faults(beyond).join('; ')}`);
  }
});
