// The store's contract: time tables, what policies found, and how long runs are kept.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GONE, type Compliance } from '../src/model/policy/judge.ts';
import type { FoundResource, Retention, RuleResult, StoredFlow } from '../src/store/index.ts';
import {
  addFlow,
  claim,
  finish,
  furnishFlows,
  newFlow,
  newLine,
  newRun,
  newStep,
  numberOf,
  type FlowPlace,
} from './flow-furniture.ts';
import { DAY, mustPublish, newEvent, NOON } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

const SPANS: Retention = { eventsMs: 900 * DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };

function found(id: string, compliance: Compliance, before: Compliance | null = null): FoundResource {
  return { id, name: `name of ${id}`, compliance, detail: compliance === 'NON_COMPLIANT' ? 'OPEN' : null, before };
}

function rule(name: string, resources: FoundResource[], reason: string | null = null): RuleResult {
  return { rule: name, status: reason === null ? 'completed' : 'failed', reason, resources };
}

/** Evaluates a policy set; resolves the number of the evaluation. */
async function evaluate(
  place: FlowPlace,
  flow: StoredFlow,
  { results, now = NOON + 5 }: { results: RuleResult[]; now?: number },
): Promise<number> {
  const run = numberOf(await place.store.flows.start(newRun(flow)));
  const [claimed] = await claim(place);
  assert.equal(claimed!.run, run);
  await finish(place.store, claimed!, { results, events: [], now });
  return run;
}

/** Runs this part on an engine. */
export function exerciseFindings(engine: string, prepare: Prepare): void {
  test(`${engine}: R42 findings: results are listed, those that do not comply first, page by page`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addFlow(place, 'baseline', { kind: 'policy-set' });
    const many = Array.from({ length: 2500 }, (_, i) =>
      found(`r${String(i).padStart(4, '0')}`, i % 100 === 7 ? 'NON_COMPLIANT' : 'COMPLIANT'),
    );
    const few = [
      found('z', 'NOT_APPLICABLE'),
      found('y', 'INSUFFICIENT_DATA'),
      found('b', 'NON_COMPLIANT'),
      found('a', 'NON_COMPLIANT'),
    ];
    const run = await evaluate(place, flow, {
      results: [rule('owner', many), rule('ports', few), rule('broken', [], 'answered 503')],
    });
    assert.deepEqual(await store.flows.rules({ workspace, run }), [
      { rule: 'owner', status: 'completed', reason: null, counts: { COMPLIANT: 2475, NON_COMPLIANT: 25 }, changes: 0 },
      {
        rule: 'ports',
        status: 'completed',
        reason: null,
        counts: { NOT_APPLICABLE: 1, INSUFFICIENT_DATA: 1, NON_COMPLIANT: 2 },
        changes: 0,
      },
      { rule: 'broken', status: 'failed', reason: 'answered 503', counts: {}, changes: 0 },
    ]);
    const ids: string[] = [];
    for (let cursor: string | null = null; ;) {
      const page = await store.flows.results({ workspace, run, cursor, limit: 700 });
      ids.push(...page.rows.map(({ id }) => id));
      if (page.next === null) break;
      assert.equal(page.rows.length, 700);
      cursor = page.next;
    }
    assert.equal(new Set(ids).size, 2504);
    assert.deepEqual(
      [ids[0], ids[24], ids.slice(25, 28), ids[28], ids.at(-1)],
      ['r0007', 'r2407', ['a', 'b', 'y'], 'r0000', 'z'],
    );
    const bad = await store.flows.results({
      workspace,
      run,
      rule: 'ports',
      compliance: 'NON_COMPLIANT',
      cursor: null,
      limit: 10,
    });
    assert.deepEqual(bad.rows, [
      { run, rule: 'ports', at: NOON + 5, ...found('a', 'NON_COMPLIANT') },
      { run, rule: 'ports', at: NOON + 5, ...found('b', 'NON_COMPLIANT') },
    ]);
    assert.equal((await store.flows.known(workspace, flow.flow, 'owner')).length, 2500);
    assert.deepEqual(await store.flows.known(workspace, flow.flow, 'broken'), []);
  });

  test(`${engine}: findings: what is known is the last evaluation that came to an end; history tells changes only`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const { flow } = await addFlow(place, 'baseline', { kind: 'policy-set' });
    const set = (await store.flows.one(workspace, { flow }))!;
    const first = await evaluate(place, set, {
      results: [rule('r', [found('a', 'COMPLIANT'), found('b', 'COMPLIANT')])],
      now: NOON + 10,
    });
    const second = await evaluate(place, set, {
      results: [
        rule('r', [
          found('a', 'NON_COMPLIANT', 'COMPLIANT'),
          found('b', 'COMPLIANT', 'COMPLIANT'),
          found('c', 'COMPLIANT'),
        ]),
      ],
      now: NOON + 20,
    });
    await evaluate(place, set, { results: [rule('r', [], 'answered 503')], now: NOON + 30 });
    const known = await store.flows.known(workspace, flow, 'r');
    assert.deepEqual(Object.fromEntries(known.map(({ id, compliance }) => [id, compliance])), {
      a: 'NON_COMPLIANT',
      b: 'COMPLIANT',
      c: 'COMPLIANT',
    });
    assert.equal((await store.flows.rules({ workspace, run: second }))[0]!.changes, 1);
    const history = async (resource: string, limit = 10): Promise<unknown[]> => {
      const rows = await store.flows.history({ workspace, flow, rule: 'r', resource, limit });
      return rows.map(({ run, at, compliance, before }) => [run, at, compliance, before]);
    };
    assert.deepEqual(await history('a'), [
      [second, NOON + 20, 'NON_COMPLIANT', 'COMPLIANT'],
      [first, NOON + 10, 'COMPLIANT', null],
    ]);
    assert.equal((await history('a', 1)).length, 1);
    assert.deepEqual(await history('b'), [[first, NOON + 10, 'COMPLIANT', null]]);
    assert.deepEqual(await history('c'), [[second, NOON + 20, 'COMPLIANT', null]]);
    assert.deepEqual(await history('d'), []);
    // What is known outlives its evaluation's day.
    while (await store.log.prune(SPANS, NOON + 9 * DAY, 100));
    assert.equal(await store.flows.run({ workspace, run: first }), null);
    assert.equal((await store.flows.known(workspace, flow, 'r')).length, 3);
  });

  test(`${engine}: R42 findings: what is gone is known no more; when it is back it is new, and its history stays`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const set = await addFlow(place, 'baseline', { kind: 'policy-set' });
    const { flow } = set;
    const known = async (): Promise<string[]> =>
      (await store.flows.known(workspace, flow, 'r')).map(({ id }) => id).toSorted();
    const a = found('a', 'COMPLIANT', 'COMPLIANT');
    const gone = { ...found('b', 'NOT_APPLICABLE', 'NON_COMPLIANT'), detail: GONE };
    const runs: number[] = [];
    for (const [nth, resources] of [
      [found('a', 'COMPLIANT'), found('b', 'NON_COMPLIANT')],
      [a, gone, found('c', 'NOT_APPLICABLE')],
      [a, { ...found('c', 'NOT_APPLICABLE', 'NOT_APPLICABLE'), detail: GONE }],
      [a, found('b', 'COMPLIANT')],
    ].entries()) {
      runs.push(await evaluate(place, set, { results: [rule('r', resources)], now: NOON + 10 * (nth + 1) }));
      assert.deepEqual(await known(), [['a', 'b'], ['a', 'c'], ['a'], ['a', 'b']][nth]);
    }
    const history = async (resource: string): Promise<unknown[]> => {
      const rows = await store.flows.history({ workspace, flow, rule: 'r', resource, limit: 10 });
      return rows.map(({ run, compliance, detail, before }) => [run, compliance, detail, before]);
    };
    assert.deepEqual(await history('b'), [
      [runs[3], 'COMPLIANT', null, null],
      [runs[1], 'NOT_APPLICABLE', GONE, 'NON_COMPLIANT'],
      [runs[0], 'NON_COMPLIANT', null, null],
    ]);
    assert.deepEqual(await history('c'), [
      [runs[2], 'NOT_APPLICABLE', GONE, 'NOT_APPLICABLE'],
      [runs[1], 'NOT_APPLICABLE', null, null],
    ]);
    // A rule that the set has no more is forgotten: its last results may go with their run.
    await evaluate(place, set, { results: [rule('other', [found('a', 'COMPLIANT')])], now: NOON + 50 });
    assert.deepEqual(await known(), []);
    assert.equal((await store.flows.known(workspace, flow, 'other')).length, 1);
  });

  test(`${engine}: time tables: due ones are found in their lanes and moved on with their runs, once`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace, lanes } = place;
    const all = lanes.map(({ lane }) => lane);
    assert.equal(await store.flows.nextSchedule(all), null);
    const later = await addFlow(place, 'later', { schedules: [null, NOON + 50] });
    const soon = await addFlow(place, 'soon', { schedules: [NOON + 10, NOON + 20] });
    assert.equal(await store.flows.nextSchedule(all), NOON + 10);
    assert.equal(await store.flows.nextSchedule([later.bucket % 64]), NOON + 50);
    assert.deepEqual(await store.flows.dueSchedules(all, NOON + 9, 10), []);
    const due = await store.flows.dueSchedules(all, NOON + 20, 10);
    assert.deepEqual(
      due.map(({ flow, schedule, dueAt, enabled }) => [flow, schedule, dueAt, enabled]),
      [
        [soon.flow, 0, NOON + 10, true],
        [soon.flow, 1, NOON + 20, true],
      ],
    );
    assert.deepEqual([due[0]!.definition, due[0]!.workspace], [soon.definition, workspace]);
    const runs = [newRun(soon, { cause: { by: 'cron', schedule: 0, at: NOON + 10 }, dedupe: `cron/0/${NOON + 10}` })];
    const move = { workspace, flow: soon.flow, schedule: 0, dueAt: NOON + 10, nextAt: NOON + 30, runs };
    const moved = await Promise.all([store.flows.advanceSchedule(move), store.flows.advanceSchedule(move)]);
    assert.deepEqual(
      moved.map((started) => started.length),
      [1, 0],
    );
    assert.deepEqual(await store.flows.advanceSchedule(move), []);
    assert.equal(await store.flows.nextSchedule(all), NOON + 20);
    await store.flows.advanceSchedule({ ...move, schedule: 1, dueAt: NOON + 20, nextAt: null, runs: [] });
    assert.equal(await store.flows.nextSchedule(all), NOON + 30);
    const [run] = await claim(place);
    assert.deepEqual(run!.cause, { by: 'cron', schedule: 0, at: NOON + 10 });
    await store.flows.put(newFlow(workspace, 'soon', { definition: '"none"', schedules: [] }), NOON);
    assert.equal(await store.flows.nextSchedule(all), NOON + 50);
    assert.deepEqual(await store.flows.advanceSchedule({ ...move, dueAt: NOON + 30 }), []);
  });

  test(`${engine}: retention: runs that ended go with steps and log, a little at a time; open ones stay`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const flow = await addFlow(place, 'a', { concurrency: { max: 100, then: 'queue' } });
    for (let i = 0; i < 6; i++) await store.flows.start(newRun(flow));
    const claimed = await claim(place);
    const long = Array.from({ length: 150 }, (_, i) => newLine(`line ${i}`));
    await store.flows.note({ key: claimed[0]!, lane: claimed[0]!.lane, steps: [newStep('steps[0]')], lines: long });
    for (const run of claimed.slice(0, 5))
      await finish(store, run, { steps: [newStep('steps[1]')], lines: [newLine('x')] });
    assert.equal(await store.log.prune(SPANS, NOON + DAY + 5, 2), 0);
    const moved: number[] = [];
    while (moved.at(-1) !== 0) moved.push(await store.log.prune(SPANS, NOON + DAY + 6, 2));
    assert.deepEqual(moved, [40, 40, 40, 2, 2, 1, 0]);
    const counts = async (): Promise<number[]> => {
      const all: number[] = [];
      for (const table of ['runs', 'run_steps', 'run_log']) {
        all.push(Number((await ground.query(`SELECT COUNT(*) AS n FROM ${table}`))[0]!['n']));
      }
      return all;
    };
    assert.deepEqual(await counts(), [1, 0, 0]);
    await store.flows.putSecret({ workspace, name: 'S', value: 'x' }, NOON);
    await store.settings.deleteWorkspace(workspace, NOON);
    assert.deepEqual(await claim(place), []);
    while (await store.log.prune(SPANS, NOON + 1, 10));
    assert.deepEqual(await counts(), [0, 0, 0]);
    for (const table of ['flows', 'flow_versions', 'flow_secrets', 'schedules', 'workspaces']) {
      assert.equal((await ground.query(`SELECT * FROM ${table}`)).length, 0, table);
    }
  });

  test(`${engine}: erasure: runs that an event of the subject caused lose what was made of it, then and later`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const flow = await addFlow(place, 'a', { concurrency: { max: 100, then: 'queue' } });
    const envelope = new TextEncoder().encode(
      JSON.stringify({
        specversion: '1.0',
        id: 'e',
        source: '/tests',
        type: 'com.example.made',
        subject: 'anna',
        data: { iban: 'DE89' },
      }),
    );
    const [anna] = await mustPublish(place, [newEvent('e', { envelope })]);
    const [other] = await mustPublish(place, [newEvent('f')]);
    for (const { event } of [anna!, other!]) {
      const cause = { by: 'event', event, type: 'com.example.made' } as const;
      await store.flows.start(newRun(flow, { cause, event: { data: { iban: 'DE89' } }, params: { iban: 'DE89' } }));
    }
    const [first, second] = await claim(place);
    const notes = {
      steps: [newStep('steps[0]', { input: 'DE89', output: 'DE89', error: 'DE89' })],
      lines: [newLine('DE89')],
    };
    for (const run of [first!, second!]) await store.flows.note({ key: run, lane: run.lane, ...notes });
    await store.erasures.begin({ workspace, subject: 'anna' }, NOON + 10);
    while (await store.erasures.advance(NOON + 10));
    const late = {
      steps: [newStep('steps[1]', { input: 'DE89' })],
      lines: [newLine('DE89', NOON + 20)],
      reason: 'DE89',
      state: 'failed' as const,
    };
    for (const run of [first!, second!]) await finish(store, run, { ...late, events: [], now: NOON + 20 });
    const told = async (run: number) => {
      const rows = [
        ...(await ground.query('SELECT * FROM runs WHERE run = $1', [run])),
        ...(await ground.query('SELECT * FROM run_steps WHERE run = $1', [run])),
        ...(await ground.query('SELECT * FROM run_log WHERE run = $1', [run])),
      ];
      return (
        JSON.stringify(rows, (_, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)).split('DE89')
          .length - 1
      );
    };
    assert.equal(await told(first!.run), 0);
    assert.equal(await told(second!.run), 9);
    const steps = await store.flows.steps(first!);
    assert.deepEqual(
      steps.map(({ input, error }) => [input, error]),
      [
        [null, 'erased'],
        [null, null],
      ],
    );
    assert.equal((await store.flows.run(first!))!.reason, 'erased');
  });
}
