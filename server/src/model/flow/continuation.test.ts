import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deedOf, takeOver, type StepRecord } from './continuation.ts';
import type { Flow, Step } from './definition.ts';
import { readFlows } from './document/index.ts';

function stepsOf(yaml: string): readonly Step[] {
  const read = readFlows([{ name: 'a.yaml', text: `job: a\nsteps:\n${yaml}` }]);
  assert.ok(read.ok, JSON.stringify(read));
  const flow = read.documents[0]!.flow as Flow & { kind: 'job' };
  return flow.steps;
}

function row(place: string, state: StepRecord['state'] = 'completed', over: Partial<StepRecord> = {}): StepRecord {
  const error = state === 'failed' ? 'no' : null;
  return { place, state, input: null, output: null, error, finishedAt: 5, ...over };
}

/** Places that are taken over, those that are to go on marked. */
function taken(former: string, present: string, rows: readonly StepRecord[]): string[] {
  const over = takeOver({ former: stepsOf(former), present: stepsOf(present), rows });
  return over.map(({ place, state }) => (state === 'running' ? `${place} …` : place));
}

const CHAIN = `  - { wait: 1s, name: a }\n  - { wait: 2s, name: b }\n  - { wait: 3s, name: c }\n`;
const RAN = [row('steps[0]'), row('steps[1]', 'skipped'), row('steps[2]', 'failed')];

test('R104 what had ended is taken over up to the step that failed', () => {
  assert.deepEqual(taken(CHAIN, CHAIN, RAN), ['steps[0]', 'steps[1]']);
});

test('R104 a step that does something else by now is done anew, and so is what comes after it', () => {
  const mended = CHAIN.replace('wait: 1s', 'wait: 9s');
  assert.deepEqual(taken(CHAIN, mended, RAN), []);
  assert.deepEqual(taken(CHAIN, CHAIN.replace('wait: 2s', 'wait: 9s'), RAN), ['steps[0]']);
  assert.deepEqual(taken(CHAIN, CHAIN.replace('wait: 3s', 'wait: 9s'), RAN), ['steps[0]', 'steps[1]']);
  assert.deepEqual(taken(CHAIN, `  - { wait: 0s, name: z }\n${CHAIN}`, RAN), []);
});

test('R104 how often a step is tried, and what its failure leads to, makes it no other step', () => {
  const mended = CHAIN.replace('wait: 1s,', 'wait: 1s, retry: { times: 3, wait: 1s }, onError: continue,');
  assert.deepEqual(taken(CHAIN, mended, RAN), ['steps[0]', 'steps[1]']);
  assert.equal(deedOf(stepsOf(CHAIN)[0]!), deedOf(stepsOf(mended)[0]!));
});

const ROUTED = `  - name: by
    route:
      - { name: yes, if: "true", steps: [{ wait: 1s, name: a }, { wait: 2s, name: b }] }
      - { name: other, else: true, steps: [{ wait: 3s, name: c }] }
  - { wait: 4s, name: d }
`;
const DECIDED = {
  taken: ['yes'],
  branches: [
    { branch: 'yes', taken: true },
    { branch: 'other', taken: false },
  ],
};

test('R104 a route goes on in the branch that was taken, from the step that failed', () => {
  const rows = [
    row('steps[0]', 'failed', { output: DECIDED }),
    row('steps[0].route[0].steps[0]'),
    row('steps[0].route[0].steps[1]', 'failed'),
  ];
  assert.deepEqual(taken(ROUTED, ROUTED, rows), ['steps[0] …', 'steps[0].route[0].steps[0]']);
  const [open] = takeOver({ former: stepsOf(ROUTED), present: stepsOf(ROUTED), rows });
  assert.deepEqual([open!.output, open!.error, open!.finishedAt], [DECIDED, null, null]);
  // Another filter is another decision.
  assert.deepEqual(taken(ROUTED, ROUTED.replace('"true"', '"1 == 1"'), rows), []);
});

test('R104 a step within a route that had completed, and is another one by now, is done anew with all after it', () => {
  const rows = [
    row('steps[0]', 'completed', { output: DECIDED }),
    row('steps[0].route[0].steps[0]'),
    row('steps[0].route[0].steps[1]'),
    row('steps[1]', 'failed'),
  ];
  assert.deepEqual(
    taken(ROUTED, ROUTED, rows),
    rows.slice(0, 3).map(({ place }) => place),
  );
  const mended = ROUTED.replace('wait: 2s', 'wait: 9s');
  assert.deepEqual(taken(ROUTED, mended, rows), ['steps[0] …', 'steps[0].route[0].steps[0]']);
});

test('R104 each item of a loop goes on where it was, for none waits for another', () => {
  const loop = `  - name: all\n    each: { of: "[1, 2, 3]", as: n, steps: [{ wait: 1s, name: a }, { wait: 2s, name: b }] }\n`;
  const rows = [
    row('steps[0]', 'failed', { input: { of: [1, 2, 3] } }),
    row('steps[0].each[0].steps[0]'),
    row('steps[0].each[0].steps[1]', 'failed'),
    row('steps[0].each[1].steps[0]', 'aborted'),
    row('steps[0].each[2].steps[0]'),
    row('steps[0].each[2].steps[1]'),
  ];
  assert.deepEqual(taken(loop, loop, rows), [
    'steps[0] …',
    'steps[0].each[0].steps[0]',
    'steps[0].each[2].steps[0]',
    'steps[0].each[2].steps[1]',
  ]);
});

test('R104 a failure that the flow itself goes on from is passed, while it says so still', () => {
  const caught = CHAIN.replace('wait: 1s,', 'wait: 1s, onError: continue,');
  const rows = [row('steps[0]', 'failed'), row('steps[1]'), row('steps[2]', 'failed')];
  assert.deepEqual(taken(caught, caught, rows), ['steps[0]', 'steps[1]']);
  assert.deepEqual(taken(caught, CHAIN, rows), []);
});
