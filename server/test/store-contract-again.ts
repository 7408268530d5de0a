// The store's contract: requests worked at once more, and runs that go on where others came to an end too soon.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClaimedRun, ContinueWish, FlowSetting, ReplayWish, StoredFlow } from '../src/store/index.ts';
import {
  addFlow,
  claim,
  endOf,
  finish,
  furnishFlows,
  newFlow,
  newLine,
  newRun,
  newStep,
  numberOf,
} from './flow-furniture.ts';
import type { FlowPlace } from './flow-furniture.ts';
import { addScenario, newKept, newRequest } from './hook-furniture.ts';
import { about, eraseAll, MARKER } from './store-contract-erasing.ts';
import { refusal } from './store-contract-flows.ts';
import { addWorkspace, DAY, mustPublish, NOON } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

function definition(...actions: string[]): string {
  const steps = actions.map((action, at) => {
    const head = { kind: 'action', name: null, path: `steps[${at}]`, if: null, onError: { then: 'fail' } };
    return { ...head, action, input: null };
  });
  return JSON.stringify({ kind: 'scenario', steps });
}

function replayOf({ workspace }: { workspace: number }, request: number, over: Partial<ReplayWish> = {}): ReplayWish {
  const by = { version: 'current', run: null, dedupe: null, key: 'ops' } as const;
  return { workspace, request, ...by, maxDepth: 10, now: NOON + 50, ...over };
}

function continueOf({ workspace, run }: { workspace: number; run: number }): ContinueWish {
  return { workspace, run, key: 'ops', maxDepth: 10, now: NOON + 50 };
}

/** A scenario of three steps, and a run of it whose first step has completed. */
async function furnishRun(place: FlowPlace, over: Partial<FlowSetting> = {}) {
  const flow = await addScenario(place, 'intake', { definition: definition('a', 'b', 'c'), ...over });
  const receipt = await place.store.hooks.receive(newRequest(flow, { dedupe: 'evt-1' }));
  assert.equal(receipt.kind, 'queued');
  const [claimed] = await claim(place);
  return { flow, claimed: claimed! };
}

const NOTES = { steps: [newStep('steps[0]', { action: 'a' }), newStep('steps[1]', { state: 'failed', action: 'b' })] };

async function failed(place: FlowPlace) {
  const { flow, claimed } = await furnishRun(place);
  await finish(place.store, claimed, { ...NOTES, state: 'failed', reason: 'b: no', events: [] });
  return { flow, claimed, run: claimed.run };
}

function change({ store }: FlowPlace, { workspace, name, triggerPath }: StoredFlow, ...actions: string[]) {
  const trigger = { path: triggerPath!, tokenHash: null };
  const concurrency = { max: 100, then: 'queue' } as const;
  const setting = { kind: 'scenario', trigger, concurrency, definition: definition(...actions) } as const;
  return store.flows.put(newFlow(workspace, name, setting), NOON + 20);
}

function shownSteps({ steps }: ClaimedRun): string[] {
  return steps.map(({ place, state }) => `${place} ${state}`);
}

/** Runs this part on an engine. */
export function exerciseAgain(engine: string, prepare: Prepare): void {
  test(`${engine}: R104 a replay is a new run of the request, by the present version or that of the run`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const { flow, run } = await failed(place);
    await change(place, flow, 'a', 'z');
    const now = numberOf(await store.flows.replay(replayOf(place, run, { run })));
    const then = numberOf(await store.flows.replay(replayOf(place, run, { run, version: 'original' })));
    const claimed = await claim(place, NOON + 60);
    assert.deepEqual(
      claimed.map(({ run: number, version, cause, request, steps }) => [
        number,
        version,
        cause,
        request?.dedupe,
        steps,
      ]),
      [
        [now, 2, { by: 'replay', run, key: 'ops' }, 'evt-1', []],
        [then, 1, { by: 'replay', run, key: 'ops' }, 'evt-1', []],
      ],
    );
    assert.equal(claimed[1]!.definition, definition('a', 'b', 'c'));
    const [line] = await store.flows.lines({ workspace, run: then }, 0, 9);
    assert.equal(line!.text, `Works once more at the request of run ${run}, by version 1.`);
    // The first run's name is its own: a repetition is found to be that one's.
    const again = await store.hooks.receive(newRequest({ ...flow, version: 2 }, { dedupe: 'evt-1' }));
    assert.deepEqual(again, { kind: 'known', run });
    for (const one of claimed) await finish(store, one, { events: [] });
  });

  test(`${engine}: R104 a request that had started no run can be worked at; it gets a name under which that is done once`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const { request } = await store.hooks.keep(newKept(flow));
    const wish = replayOf(place, request!, { dedupe: 'evt-7' });
    const run = numberOf(await store.flows.replay(wish));
    const [claimed] = await claim(place, NOON + 60);
    assert.deepEqual([claimed!.run, claimed!.request!.request, claimed!.request!.dedupe], [run, request, 'evt-7']);
    assert.deepEqual(claimed!.cause, { by: 'replay', run: null, key: 'ops' });
    await assert.rejects(store.flows.replay({ ...wish, version: 'original' }), refusal('wrong-state', /no original/));
    await assert.rejects(store.flows.replay({ ...wish, request: 4711 }), refusal('not-found', /not kept/));
    const elsewhere = await addWorkspace(store, 'other');
    await assert.rejects(store.flows.replay({ ...wish, workspace: elsewhere }), refusal('not-found', /not kept/));
    assert.deepEqual(await store.flows.replay({ ...wish, workspace: 4711 }), { kind: 'gone' });
    // It stays as long as the run that works at it.
    const spans = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
    while (await store.log.prune(spans, NOON + 2 * DAY, 10));
    assert.equal((await store.hooks.request({ workspace, request: request! }))!.state, 'refused');
    await finish(store, claimed!, { events: [] });
    while (await store.log.prune(spans, NOON + 3 * DAY, 10));
    assert.equal(await store.hooks.request({ workspace, request: request! }), null);
  });

  test(`${engine}: R104 a version stays as long as a run of it, replays too, and the latest twenty do in any case`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const { flow, run } = await failed(place);
    for (let at = 2; at <= 30; at++) await change(place, flow, `v${at}`);
    const again = numberOf(await store.flows.replay(replayOf(place, run, { run, version: 'original' })));
    const spans = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: DAY };
    const [claimed] = await claim(place, NOON + 60);
    while (await store.log.prune(spans, NOON + 2 * DAY, 10));
    assert.equal(await store.flows.run({ workspace, run }), null);
    assert.ok(await store.flows.version(workspace, flow.flow, 1));
    assert.ok(await store.hooks.request({ workspace, request: run }));
    await finish(store, claimed!, { events: [], now: NOON + 70 });
    const wish = replayOf(place, run, { run: again, version: 'original' });
    assert.equal((await store.flows.replay(wish)).kind, 'queued');
    const [last] = await claim(place, NOON + 80);
    await finish(store, last!, { events: [], now: NOON + 90 });
    while (await store.log.prune(spans, NOON + 3 * DAY, 10));
    assert.equal(await store.flows.version(workspace, flow.flow, 10), null);
    assert.ok(await store.flows.version(workspace, flow.flow, 11));
    await assert.rejects(store.flows.replay(wish), refusal('not-found', /no run/));
  });

  test(`${engine}: R104 a run is continued by the present version with the steps that had completed, once`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const { flow, run } = await failed(place);
    await change(place, flow, 'a', 'mended', 'c');
    const next = numberOf(await store.flows.continueRun(continueOf({ workspace, run })));
    const [claimed] = await claim(place, NOON + 60);
    assert.deepEqual([claimed!.run, claimed!.version, claimed!.state], [next, 2, 'running']);
    assert.deepEqual(claimed!.cause, { by: 'continue', run, origin: run, key: 'ops' });
    assert.deepEqual(shownSteps(claimed!), ['steps[0] completed']);
    assert.deepEqual(claimed!.request!.request, run);
    const [line] = await store.flows.lines({ workspace, run: next }, 0, 9);
    assert.equal(line!.text, `Continues run ${run}: 1 of its steps is taken over.`);
    // What is noted later goes on behind that line.
    await store.flows.note({ key: { workspace, run: next }, lane: claimed!.lane, steps: [], lines: [newLine('x')] });
    assert.deepEqual(
      (await store.flows.lines({ workspace, run: next }, 0, 9)).map((one) => one.line),
      [1, 2],
    );
    const taken = refusal('wrong-state', new RegExp(`run ${next} continues run ${run} already`));
    await assert.rejects(store.flows.continueRun(continueOf({ workspace, run })), taken);
    const wrong = { ...NOTES, state: 'aborted' as const, reason: 'enough', events: [] };
    await finish(store, claimed!, wrong);
    const third = numberOf(await store.flows.continueRun(continueOf({ workspace, run: next })));
    const [last] = await claim(place, NOON + 70);
    assert.deepEqual([last!.run, last!.cause], [third, { by: 'continue', run: next, origin: run, key: 'ops' }]);
  });

  test(`${engine}: R104 a run that goes on by itself, has completed, or is somebody else's is not continued`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const { claimed } = await furnishRun(place);
    const { run } = claimed;
    const wish = continueOf({ workspace, run });
    await assert.rejects(store.flows.continueRun(wish), refusal('wrong-state', /is running: it goes on by itself/));
    await finish(store, claimed, { events: [] });
    await assert.rejects(store.flows.continueRun(wish), refusal('wrong-state', /has completed/));
    const elsewhere = await addWorkspace(store, 'other');
    await assert.rejects(store.flows.continueRun({ ...wish, workspace: elsewhere }), refusal('not-found', /no run/));
  });

  test(`${engine}: R104 what was erased is neither replayed nor continued`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addFlow(place, 'job', { definition: definition('a') });
    const [published] = await mustPublish(place, [about('evt-1', MARKER)]);
    const cause = { by: 'event', event: published!.event, type: 'com.example.made' } as const;
    const run = numberOf(await store.flows.start(newRun(flow, { cause, event: { id: 'evt-1' } })));
    const [claimed] = await claim(place);
    assert.equal(await store.flows.finish(endOf(claimed!, { state: 'failed', reason: 'no' })), 'finished');
    await store.erasures.begin({ workspace, subject: MARKER }, NOON);
    await eraseAll(store);
    await assert.rejects(
      store.flows.continueRun(continueOf({ ...place, run })),
      refusal('erased', /event .* was erased/),
    );
  });
}
