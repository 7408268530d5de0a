// Scenarios and jobs in TypeScript: what types refuse, and that the documents mean what the YAML means.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { ACTION_NAMES } from '../actions.ts';
import { faultLine, readFlows } from '../document/index.ts';
import { VERIFY_PRESETS } from '../document/verify.ts';
import {
  expr,
  hook,
  isBuilt,
  job,
  jobNames,
  scenario,
  scenarioNames,
  sheet,
  toDocument,
  toYaml,
  type Actions,
  type Built,
  type Verify,
} from './index.ts';

/** As `bellwire shapes --ts` writes it. */
interface GreenLake {
  id: string;
  time: string;
  data: { challengeRequest?: string; user: { username: string }; tags: { name: string }[]; description: string | null };
}

const { body, secret, variable } = scenarioNames<GreenLake>();
const greenlake = scenario({
  name: 'greenlake-audit',
  on: hook({ verify: 'greenlake', secret: 'GREENLAKE', challenge: 'pass', dedupe: `${body.id}` }),
  steps: [
    {
      route: [
        {
          name: 'challenge',
          if: expr`exists(${body.data.challengeRequest})`,
          steps: [
            { set: { hmac: expr`sha256(${body.data.challengeRequest}, 'hex', ${secret['GREENLAKE'] ?? ''})` } },
            {
              reply: {
                status: 200,
                headers: { 'content-type': 'application/json' },
                body: { verification: variable('hmac') },
              },
            },
          ],
        },
        {
          name: 'events',
          else: true,
          steps: [
            {
              'sheet.append': {
                to: 'AuditLog',
                row: {
                  A: body.time,
                  B: body.data.user.username,
                  C: `${body.data.description} (${body.data.tags[0]!.name})`,
                },
              },
            },
            { reply: 200 },
          ],
        },
      ],
    },
  ],
  tests: [{ send: { data: { challengeRequest: 'x' } }, secrets: { GREENLAKE: 's' }, expect: { route: 'challenge' } }],
});

test('R75 R76 a scenario in TypeScript is the document one would write by hand', () => {
  assert.ok(isBuilt(greenlake));
  const hand = `
scenario: greenlake-audit
on: { hook: { verify: greenlake, secret: GREENLAKE, challenge: pass, dedupe: "\${ body.id }" } }
steps:
  - route:
      - name: challenge
        if: \${ exists(body.data.challengeRequest) }
        steps:
          - set: { hmac: "\${ sha256(body.data.challengeRequest, 'hex', secret.GREENLAKE) }" }
          - reply: { status: 200, headers: { content-type: application/json }, body: { verification: "\${ hmac }" } }
      - name: events
        else: true
        steps:
          - sheet.append: { to: AuditLog, row: { A: "\${ body.time }", B: "\${ body.data.user.username }", C: "\${ body.data.description } (\${ body.data.tags[0].name })" } }
          - reply: 200
tests:
  - { send: { data: { challengeRequest: x } }, secrets: { GREENLAKE: s }, expect: { route: challenge } }
`;
  const [byHand] = parseAllDocuments(hand).map((one) => one.toJS() as unknown);
  assert.deepEqual(toDocument(greenlake), byHand);
  const [again] = parseAllDocuments(toYaml(greenlake)).map((one) => one.toJS() as unknown);
  assert.deepEqual(again, byHand);
  assert.deepEqual(definitionsOf(toYaml(greenlake)), definitionsOf(hand));
});

/** The definitions of documents without fault. */
function definitionsOf(text: string): string[] {
  const read = readFlows([{ name: 'x', text }]);
  if (!read.ok) assert.fail(read.faults.map(faultLine).join('\n'));
  return read.documents.map(({ definition }) => definition);
}

test('R76 a job and a scenario without steps mean the same in TypeScript, YAML and JSON', () => {
  const { params, steps } = jobNames<{ limit: number }>();
  const report = job({
    name: 'report',
    params: { limit: { type: 'integer', default: 10 } },
    on: { cron: { at: '0 2 * * *', timezone: 'Asia/Tokyo', catchUp: 'one' } },
    timeout: '30m',
    steps: [
      { name: 'fetch', http: { url: 'https://shop.example.com/orders' }, retry: { times: 3, wait: '5s' } },
      {
        if: expr`length(${steps['fetch']!['body']!}) > ${params.limit}`,
        each: { of: expr`${steps['fetch']!['body']!}`, as: 'order', steps: ['noop'] },
        onError: 'continue',
      },
    ],
  });
  const yaml = `
job: report
params: { limit: { type: integer, default: 10 } }
on: { cron: { at: 0 2 * * *, timezone: Asia/Tokyo, catchUp: one } }
timeout: 30m
steps:
  - { name: fetch, http: { url: https://shop.example.com/orders }, retry: { times: 3, wait: 5s } }
  - { if: length(steps.fetch.body) > params.limit, each: { of: steps.fetch.body, as: order, steps: [noop] }, onError: continue }
`;
  assert.deepEqual(definitionsOf(toYaml(report)), definitionsOf(yaml));
  assert.deepEqual(definitionsOf(JSON.stringify(toDocument(report))), definitionsOf(yaml));
  const quiet = scenario({ name: 'quiet', on: hook() });
  assert.deepEqual(definitionsOf(toYaml(quiet, report)), [
    ...definitionsOf('scenario: quiet\n'),
    ...definitionsOf(yaml),
  ]);
});

test('what two steps share stands twice, and a text can become no part of an expression', () => {
  const shared = { set: { a: expr`contains(${'") or true or ("'}, "x")` } };
  const yaml = toYaml(job({ name: 'twice', steps: [shared, shared] }));
  assert.ok(!/[&*]\w/.test(yaml), yaml);
  assert.deepEqual(toDocument(job({ name: 'twice', steps: [shared] }))['steps'], [
    { set: { a: String.raw`${'$'}{ contains("\") or true or (\"", "x") }` } },
  ]);
  assert.equal(definitionsOf(yaml).length, 1);
});

test('what is no JSON is refused by its place', () => {
  const circle: Record<string, unknown> = {};
  circle['again'] = circle;
  const make = (value: unknown) => (): Built => job({ name: 'x', steps: [{ set: { a: value as string } }] });
  assert.throws(
    make(() => 1),
    /steps\.0\.set\.a is a function: no JSON/,
  );
  assert.throws(make(circle), /nested too deep/);
  assert.throws(make(Number.NaN), /is a number: no JSON/);
});

test('R81 the types know each action and each preset that documents know, and no other', () => {
  const actions: Record<keyof Actions, true> = {
    ...{ noop: true, set: true, reply: true, stop: true, collect: true, fail: true, wait: true, http: true },
    ...{ publish: true, mail: true, run: true, job: true, sql: true },
    ...{ 'sheet.append': true, 'sheet.update': true, 'sheet.lookup': true },
  };
  assert.deepEqual(Object.keys(actions).sort(), [...ACTION_NAMES].sort());
  const presets: Record<Extract<Verify, string> | 'hmac', true> = {
    ...{ greenlake: true, 'standard-webhooks': true, github: true, stripe: true, slack: true, shopify: true },
    ...{ zoom: true, 'cloud-automator': true, basic: true, token: true, hmac: true },
  };
  assert.deepEqual(Object.keys(presets).sort(), Object.keys(VERIFY_PRESETS).sort());
});

// Judged by the type checker alone: each line marked so has to be wrong.
export function refusedByTypes(): void {
  scenario({
    name: 'x',
    steps: [
      // @ts-expect-error -- there is no field of this name in the body
      { set: { a: body.data.usr } },
      // @ts-expect-error -- there is no such action
      { htpp: 'https://a.example/' },
      // @ts-expect-error -- a reply has a status
      { reply: { body: 'x' } },
      // @ts-expect-error -- a step does one thing
      { set: { a: 1 }, reply: 200 },
      // @ts-expect-error -- a request has a URL
      { http: { method: 'GET' } },
      // @ts-expect-error -- a body, or a form
      { http: { url: 'https://a.example/', body: 'x', form: { a: 'x' } } },
      // @ts-expect-error -- a branch has a condition, or is the fallback
      { route: [{ name: 'a', steps: ['noop'] }] },
      // @ts-expect-error -- one of both
      { route: [{ name: 'a', if: true, else: true, steps: ['noop'] }] },
      // @ts-expect-error -- only what does something is tried again
      { route: [], retry: 2 },
      // @ts-expect-error -- a span has a unit
      { wait: '30' },
      // @ts-expect-error -- a mail has a text
      { mail: { to: 'a@example.com', subject: 'x' } },
      // @ts-expect-error -- a row goes to a sheet
      { 'sheet.append': { row: { A: 1 } } },
      // @ts-expect-error -- a run ends as completed or failed
      { stop: { as: 'done' } },
      // @ts-expect-error -- an item has a name
      { each: { of: body.data.tags, steps: ['noop'] } },
    ],
  });
  // @ts-expect-error -- who verifies names a secret
  hook({ verify: 'greenlake' });
  // @ts-expect-error -- there is no such preset
  hook({ verify: 'greenlak', secret: 'A' });
  // @ts-expect-error -- hmac needs to know the header
  hook({ verify: { preset: 'hmac' }, secret: 'A' });
  // @ts-expect-error -- a job has steps
  job({ name: 'x' });
  // @ts-expect-error -- a table at Google needs an account
  sheet({ name: 'x', in: { google: 'id' } });
}
