// The store's contract: requests to hooks are on disk with the runs they start, once each, and are read back byte for byte.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClaimedRun, Receipt, RequestState, StoredFlow } from '../src/store/index.ts';
import { addFlow, claim, endOf, furnishFlows, newLine, newRun, newStep, numberOf } from './flow-furniture.ts';
import type { FlowPlace } from './flow-furniture.ts';
import { addScenario, kinds, laneOf, newContent, newKept, newRequest } from './hook-furniture.ts';
import { about, eraseAll, foundIn, MARKER } from './store-contract-erasing.ts';
import { addWorkspace, bytes, DAY, mustPublish, NOON, type Place } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

function begun(receipt: Receipt): ClaimedRun {
  assert.ok(receipt.kind === 'begun', JSON.stringify(receipt));
  return receipt.run;
}

async function statesOf({ store, workspace }: Place, flow: StoredFlow, state?: RequestState) {
  const asked = { workspace, flow: flow.flow, cursor: null, limit: 2000, ...(state ? { state } : {}) };
  return (await store.hooks.requests(asked)).rows.map((row) => row.state);
}

/** Runs this part on an engine. */
export function exerciseHooks(engine: string, prepare: Prepare): void {
  test(`${engine}: R78 R103 a request is on disk with its run before it is answered, byte for byte`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const flow = await addScenario(place);
    assert.deepEqual(await store.hooks.find('hook-intake'), flow);
    const body = new Uint8Array([0, 1, 2, 0xff, 0xfe, 0xc3]);
    const request = newContent(body, { query: '', from: null });
    const receipt = await store.hooks.receive(newRequest(flow, { request, doubt: 'no signature', dedupe: 'evt-1' }));
    assert.equal(receipt.kind, 'queued');
    const run = (receipt as { run: number }).run;
    await store.close();
    const again = await ground.open();
    const read = (await again.hooks.request({ workspace, request: run }))!;
    assert.deepEqual(
      [read.state, read.run, read.flow, read.bytes, read.receivedAt],
      ['taken', run, flow.flow, 6, NOON],
    );
    assert.deepEqual({ ...read.content, body: bytes(read.content.body) }, { ...request, body: [...body] });
    const lanes = await again.lanes.take('next', NOON + 100_000, 60_000);
    const [claimed] = await again.flows.claim({ lanes, now: NOON, limit: 9 });
    assert.deepEqual([claimed!.run, claimed!.cause, claimed!.kind], [run, { by: 'hook', request: run }, 'scenario']);
    const { content: said, ...rest } = claimed!.request!;
    assert.deepEqual(rest, { request: run, receivedAt: NOON, dedupe: 'evt-1', doubt: 'no signature' });
    assert.deepEqual(bytes(said.body), [...body]);
    const [interrupted] = await again.flows.interrupted(lanes);
    assert.deepEqual(interrupted!.request, claimed!.request);
    assert.equal((await again.flows.run({ workspace, run }))!.request, run);
    assert.equal(await again.hooks.request({ workspace, request: 4711 }), null);
  });

  test(`${engine}: R78 an unknown token is none; a deleted scenario's and a renewed one's are gone for good`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const job = await addFlow(place, 'job', { trigger: { path: 'of-a-job', tokenHash: 'x' } });
    assert.equal(await store.hooks.find('never'), null);
    assert.equal(await store.hooks.find('of-a-job'), null);
    const flow = await addScenario(place);
    const told: number[] = [];
    store.on({ flow: (_workspace, changed) => void told.push(changed) });
    await store.flows.renewTrigger(workspace, flow.flow, { path: 'hook-other', tokenHash: null });
    assert.deepEqual(told, [flow.flow]);
    assert.equal(await store.hooks.find('hook-intake'), 'gone');
    assert.equal((await store.hooks.receive(newRequest(flow))).kind, 'stale', 'who still knows the former token');
    const renewed = (await store.hooks.find('hook-other')) as StoredFlow;
    assert.equal(renewed.flow, flow.flow);
    await store.flows.remove(workspace, flow.flow, NOON);
    assert.deepEqual([await store.hooks.find('hook-other'), await store.hooks.find('hook-intake')], ['gone', 'gone']);
    assert.deepEqual(await store.hooks.receive(newRequest(renewed)), { kind: 'gone' });
    assert.deepEqual(await store.hooks.keep(newKept(renewed)), { request: null });
    assert.deepEqual(await store.hooks.receive(newRequest({ ...renewed, workspace: 99 })), { kind: 'gone' });
    assert.deepEqual(await store.hooks.receive(newRequest({ ...job, triggerPath: 'of-a-job' })), { kind: 'gone' });
  });

  test(`${engine}: R103 a run begins as it is received where the lane is in the right hands, and is claimed elsewhere`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const lane = laneOf(place, flow);
    const other = place.lanes.find(({ lane: number }) => number !== lane.lane)!;
    const hinted: number[] = [];
    store.on({ runs: (lanes) => void hinted.push(...lanes) });
    const here = begun(await store.hooks.receive(newRequest(flow, { lane, dedupe: 'a', doubt: 'why' })));
    assert.deepEqual(hinted, []);
    const { operations: _, continuedBy: __, ...stored } = (await store.flows.run(here))!;
    const { lane: own, definition, group, event, request, steps, ...rest } = here;
    assert.deepEqual({ ...rest, request: request!.request }, stored);
    assert.deepEqual([own, definition, group, event, steps], [lane, flow.definition, null, null, []]);
    assert.deepEqual([request!.dedupe, request!.doubt, request!.receivedAt], ['a', 'why', NOON]);
    assert.deepEqual(await claim(place), []);
    const [again] = await store.flows.interrupted(place.lanes);
    assert.deepEqual({ ...again, request: null }, { ...here, request: null }, 'it is found again after a crash');
    for (const wrong of [null, other, { ...lane, epoch: lane.epoch - 1 }, { ...other, lane: lane.lane, epoch: 99 }]) {
      assert.equal((await store.hooks.receive(newRequest(flow, { lane: wrong }))).kind, 'queued');
    }
    assert.deepEqual(new Set(hinted), new Set([lane.lane]));
    // Its lease ends, another node takes over.
    const fresh = await store.lanes.take('other', NOON + 100_000, 60_000);
    assert.equal((await store.hooks.receive(newRequest(flow, { lane }))).kind, 'queued');
    assert.equal((await claim({ store, lanes: fresh })).length, 5);
    const ended = { ...endOf(here), events: [] };
    assert.equal(await store.flows.finish(ended), 'fenced');
    assert.equal((await store.flows.runs({ workspace, flow: flow.flow, cursor: null, limit: 9 })).rows.length, 6);
  });

  test(`${engine}: R106 the same name is one run, however many come at once; each repetition is kept`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const other = await addScenario(place, 'other');
    const lane = laneOf(place, flow);
    const receive = () => store.hooks.receive(newRequest(flow, { dedupe: 'evt-1', lane }));
    const receipts = await Promise.all(Array.from({ length: 100 }, receive));
    assert.deepEqual(kinds(receipts), { begun: 1, known: 99 });
    const run = begun(receipts.find(({ kind }) => kind === 'begun')!);
    assert.deepEqual(await receive(), { kind: 'known', run: run.run });
    assert.equal((await statesOf(place, flow, 'repeated')).length, 100);
    const { rows } = await store.hooks.requests({ workspace, flow: flow.flow, cursor: null, limit: 1 });
    assert.deepEqual([rows[0]!.state, rows[0]!.run], ['repeated', run.run]);
    assert.equal(
      (await store.hooks.receive(newRequest(other, { dedupe: 'evt-1' }))).kind,
      'queued',
      'names are its own',
    );
    // A name that no index could hold.
    const long = { dedupe: 'x'.repeat(9000) };
    const first = await store.hooks.receive(newRequest(flow, long));
    assert.deepEqual(await store.hooks.receive(newRequest(flow, long)), {
      kind: 'known',
      run: (first as { run: number }).run,
    });
    const apart = await store.hooks.receive(newRequest(flow, { dedupe: `${'x'.repeat(8999)}y` }));
    assert.equal(apart.kind, 'queued');
  });

  test(`${engine}: R89 as many wait as the queue holds; beyond, nothing is kept`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place, 'intake', { concurrency: { max: 2, then: 'queue' } });
    const lane = laneOf(place, flow);
    const ask = { queue: 3, lane };
    const receipts = await Promise.all(Array.from({ length: 8 }, () => store.hooks.receive(newRequest(flow, ask))));
    assert.deepEqual(kinds(receipts), { begun: 2, queued: 3, full: 3 });
    assert.equal((await store.hooks.receive(newRequest(flow, ask))).kind, 'full');
    assert.deepEqual((await statesOf(place, flow)).length, 5);
    const [first] = receipts;
    assert.equal(await store.flows.finish({ ...endOf(begun(first!)), events: [] }), 'finished');
    // The oldest that waits has its slot now.
    assert.deepEqual(kinds(await Promise.all([1, 2].map(() => store.hooks.receive(newRequest(flow, ask))))), {
      queued: 1,
      full: 1,
    });
    const [next, ...others] = await claim(place);
    assert.deepEqual([next!.run, others.length], [(receipts[2] as { run: number }).run, 0]);
    assert.equal((await store.flows.runs({ workspace, flow: flow.flow, cursor: null, limit: 99 })).rows.length, 6);
  });

  test(`${engine}: R103 a flow that has changed, is off, or is led to by too many`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const changed = await addScenario(place, 'intake', { definition: '{"other":1}' });
    assert.deepEqual([changed.flow, changed.triggerPath], [flow.flow, flow.triggerPath]);
    assert.deepEqual(await store.hooks.receive(newRequest(flow)), { kind: 'stale' });
    const deep = await store.hooks.receive(newRequest(changed, { depth: 11 }));
    assert.equal(deep.kind, 'failed');
    const run = (deep as { run: number }).run;
    assert.match((await store.flows.run({ workspace, run }))!.reason!, /11 runs led to it one after the other/);
    assert.equal((await store.hooks.request({ workspace, request: run }))!.state, 'taken');
    assert.deepEqual(await store.hooks.progress({ workspace, run }), { state: 'failed', reply: null });
    const off = await addScenario(place, 'intake', { enabled: false });
    assert.deepEqual(await store.hooks.receive(newRequest(off)), { kind: 'disabled' });
    assert.deepEqual(await statesOf(place, flow), ['taken']);
  });

  test(`${engine}: R89 what is to begin later waits for its instant, and is in nobody's way until then`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store } = place;
    const flow = await addScenario(place, 'intake', { concurrency: { max: 2, then: 'queue' } });
    const lane = laneOf(place, flow);
    const beginAt = NOON + 60_000;
    const later = { beginAt, lane, queue: 3 };
    const receipts = await Promise.all(Array.from({ length: 4 }, () => store.hooks.receive(newRequest(flow, later))));
    assert.deepEqual(kinds(receipts), { queued: 3, full: 1 });
    assert.deepEqual(await claim(place, beginAt - 1), []);
    const now = begun(await store.hooks.receive(newRequest(flow, { lane, queue: 3 })));
    assert.equal((await claim(place, beginAt)).length, 1, 'one place is left');
    assert.equal((await claim(place, beginAt)).length, 0);
    assert.equal(await store.flows.finish({ ...endOf(now), now: beginAt + 1, events: [] }), 'finished');
    assert.equal((await claim(place, beginAt + 2)).length, 1);
  });

  test(`${engine}: R86 R103 what a run has replied is read by whoever waits for it, on another node, too`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const lane = laneOf(place, flow);
    const replied: number[] = [];
    store.on({ replied: (runs) => void replied.push(...runs.map(({ run }) => run)) });
    const one = begun(await store.hooks.receive(newRequest(flow, { lane })));
    const key = { workspace, run: one.run };
    const notes = { key, lane, steps: [newStep('steps[0]')], lines: [newLine('hello')] };
    assert.equal(await store.flows.note({ ...notes, lazily: true }), 'noted');
    assert.deepEqual(replied, []);
    assert.deepEqual(await store.hooks.progress(key), { state: 'running', reply: null });
    const reply = { status: 202, headers: ['Content-Type', 'text/plain'], body: 'a\0\ud83d\ude00' };
    assert.equal(await store.flows.note({ ...notes, steps: [], lines: [], reply }), 'noted');
    assert.deepEqual(await store.hooks.progress(key), { state: 'running', reply });
    assert.equal(await store.flows.finish({ ...endOf(one), events: [], lazily: true }), 'finished');
    assert.deepEqual(await store.hooks.progress(key), { state: 'completed', reply });
    const two = begun(await store.hooks.receive(newRequest(flow, { lane })));
    const binary = { status: 200, headers: [], body: new Uint8Array([0, 255]) };
    assert.equal(await store.flows.finish({ ...endOf(two), events: [], reply: binary, lazily: true }), 'finished');
    assert.deepEqual(await store.hooks.progress(two), { state: 'completed', reply: binary });
    assert.deepEqual(replied, [one.run, one.run, two.run]);
    assert.equal(await store.hooks.progress({ workspace, run: 4711 }), null);
    const waiting = await store.hooks.receive(newRequest(flow));
    assert.ok(waiting.kind === 'queued');
    assert.equal(await store.flows.abort({ workspace, run: waiting.run }, 'key_1', NOON), true);
    assert.equal(replied.at(-1), waiting.run, 'nobody waits for what will not begin');
    assert.equal((await store.flows.lines(key, 0, 9)).length, 1);
  });

  test(`${engine}: R91 R103 what starts no run is kept with its reason, the latest thousand or so of each flow`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const other = await addScenario(place, 'other');
    const { request } = await store.hooks.keep(newKept(flow, { state: 'unreadable', status: 400, reason: 'no JSON' }));
    const read = (await store.hooks.request({ workspace, request: request! }))!;
    assert.deepEqual(
      [read.state, read.reason, read.status, read.run, read.method, read.bytes],
      ['unreadable', 'no JSON', 400, null, 'POST', 2],
    );
    await store.hooks.keep(newKept(other));
    await store.hooks.receive(newRequest(flow));
    const many = Array.from({ length: 1_250 }, () => store.hooks.keep(newKept(flow)));
    const numbers = await Promise.all(many);
    assert.equal(new Set(numbers.map((one) => one.request)).size, many.length);
    assert.ok(numbers.every((one) => one.request! > request!));
    await store.close();
    const again = await place.ground.open();
    const left = await statesOf({ store: again, workspace }, flow, 'refused');
    assert.ok(left.length >= 1_000 && left.length < 1_100, String(left.length));
    assert.deepEqual(await statesOf({ store: again, workspace }, flow, 'unreadable'), []);
    assert.deepEqual(await statesOf({ store: again, workspace }, other), ['refused']);
    const page = await again.hooks.requests({ workspace, flow: flow.flow, cursor: null, limit: 600 });
    const rest = await again.hooks.requests({ workspace, flow: flow.flow, cursor: page.next, limit: 600 });
    assert.equal(page.rows.length + rest.rows.length, left.length + 1);
    assert.deepEqual([rest.next, rest.rows.at(-1)!.state], [null, 'taken']);
    assert.ok(!('content' in page.rows[0]!));
  });

  test(`${engine}: R103 of what starts no run no more than 64 MiB is kept of a flow, the latest`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const { request } = newKept(flow);
    const large = { ...request, body: new Uint8Array(8 * 1_024 * 1_024) };
    const numbers: number[] = [];
    for (let n = 0; n < 10; n++) numbers.push((await store.hooks.keep(newKept(flow, { request: large }))).request!);
    await store.close();
    const again = await place.ground.open();
    const { rows } = await again.hooks.requests({ workspace, flow: flow.flow, cursor: null, limit: 20 });
    const kept = rows.map((row) => row.request);
    assert.deepEqual(kept, numbers.slice(-kept.length).toReversed());
    assert.ok(kept.length === 8 || kept.length === 9, String(kept.length));
  });

  test(`${engine}: R104 a run that works at a request once more has it, and it lives as long as the last of them`, async (t) => {
    const place = await furnishFlows(await prepare(t));
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const first = begun(await store.hooks.receive(newRequest(flow, { lane: laneOf(place, flow), dedupe: 'evt-1' })));
    const { run: request } = first;
    assert.equal(await store.flows.finish({ ...endOf(first), events: [] }), 'finished');
    const cause = { by: 'replay', run: request, key: 'key_1' } as const;
    const run = numberOf(await store.flows.start(newRun(flow, { cause, request, now: NOON + 10 * DAY })));
    const [again] = await claim(place, NOON + 10 * DAY);
    assert.deepEqual(
      [again!.run, again!.cause, again!.request],
      [run, cause, first.request && { ...first.request, content: again!.request!.content }],
    );
    assert.deepEqual(bytes(again!.request!.content.body), bytes(first.request!.content.body));
    assert.equal(await store.flows.finish({ ...endOf(again!), now: NOON + 10 * DAY, events: [] }), 'finished');
    const retention = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: 5 * DAY };
    const prune = async (now: number) => {
      while ((await store.log.prune(retention, now, 10)) > 0);
    };
    await store.hooks.keep(newKept(flow));
    await store.hooks.receive(newRequest(flow, { dedupe: 'evt-1', now: NOON + 10 * DAY }));
    await prune(NOON + 6 * DAY);
    assert.equal(await store.flows.run({ workspace, run: request }), null);
    assert.equal((await store.hooks.request({ workspace, request }))!.state, 'taken');
    assert.deepEqual(await statesOf(place, flow), ['repeated', 'taken'], 'what started no run went');
    await prune(NOON + 16 * DAY);
    assert.deepEqual(await statesOf(place, flow), []);
  });

  test(`${engine}: retention: requests go with their scenario, and with their workspace`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const retention = { eventsMs: DAY, deliveriesMs: DAY, idempotencyMs: DAY, changesMs: DAY, runsMs: 5 * DAY };
    const fill = async (at: FlowPlace, name: string): Promise<StoredFlow> => {
      const flow = await addScenario(at, name);
      const one = begun(await store.hooks.receive(newRequest(flow, { lane: laneOf(place, flow) })));
      await store.flows.finish({ ...endOf(one), events: [] });
      for (let i = 0; i < 3; i++) await store.hooks.keep(newKept(flow));
      return flow;
    };
    const doomed = await fill(place, 'doomed');
    const stays = await fill(place, 'stays');
    const second = { ...place, workspace: await addWorkspace(store, 'second') };
    await fill(second, 'theirs');
    await store.flows.remove(workspace, doomed.flow, NOON);
    await store.settings.deleteWorkspace(second.workspace, NOON);
    assert.deepEqual(await store.hooks.receive(newRequest({ ...stays, workspace: second.workspace })), {
      kind: 'gone',
    });
    assert.equal(await store.hooks.find('hook-theirs'), 'gone');
    while ((await store.log.prune(retention, NOON + 1, 2)) > 0);
    assert.deepEqual(await statesOf(place, doomed), []);
    assert.equal((await statesOf(place, stays)).length, 4);
    assert.equal((await store.flows.runs({ workspace, cursor: null, limit: 9 })).rows.length, 2, 'the history stays');
    assert.deepEqual(await ground.query('SELECT workspace FROM hook_requests WHERE workspace <> $1', [workspace]), []);
    assert.equal(await store.hooks.find('hook-doomed'), 'gone');
    assert.equal(await store.hooks.find('hook-theirs'), null, 'nothing is left of a workspace');
  });

  test(`${engine}: erasing takes the request and the reply of a run that an erased event caused`, async (t) => {
    const ground = await prepare(t);
    const place = await furnishFlows(ground);
    const { store, workspace } = place;
    const flow = await addScenario(place);
    const lane = laneOf(place, flow);
    const [published] = await mustPublish(place, [about('a', MARKER)]);
    const said = newContent(MARKER, { query: MARKER, headers: ['x', MARKER], from: MARKER });
    const first = begun(await store.hooks.receive(newRequest(flow, { lane, request: said, doubt: MARKER })));
    const other = begun(await store.hooks.receive(newRequest(flow, { lane })));
    await store.flows.finish({ ...endOf(first), events: [], lazily: true });
    const cause = { by: 'event', event: published!.event, type: 'com.example.made' } as const;
    await store.flows.start(newRun(flow, { cause, request: first.run }));
    const [again] = await claim(place);
    const reply = { status: 200, headers: ['x', MARKER], body: MARKER };
    const notes = { key: again!, lane, steps: [], lines: [] };
    await store.flows.note({ ...notes, reply });
    await store.erasures.begin({ workspace, subject: MARKER }, NOON);
    await eraseAll(store);
    assert.equal((await store.hooks.progress(again!))!.reply, null);
    const left = (await store.hooks.request({ workspace, request: first.run }))!;
    assert.deepEqual([left.bytes, left.reason, left.content.query, left.content.headers], [0, null, '', []]);
    assert.equal((await store.hooks.request({ workspace, request: other.run }))!.bytes, 8);
    // What a run under way writes afterwards is none of the subject's either.
    await store.flows.note({ ...notes, reply });
    assert.deepEqual((await store.hooks.progress(again!))!.reply, { status: 200, headers: [], body: '' });
    assert.deepEqual(await foundIn(ground), []);
  });
}
