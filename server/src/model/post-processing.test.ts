// What follows a send of a report, and what the log of the run says of it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FailureCode, Outcome } from './outcome.ts';
import { decideReport, isReported, reportEntry, type ReportOutcome, type Reported } from './post-processing.ts';

const NOW = Date.UTC(2026, 0, 15, 12);

function answer(status: number): Outcome {
  const rest = { headers: [], body: new Uint8Array(), bodyBytes: 0, truncated: false, retryAfter: '3600' };
  return { kind: 'response', status, ...rest, durationMs: 1, connectMs: 0 };
}

function failure(code: FailureCode, status: number | null = null): Outcome {
  return { kind: 'failure', code, message: `failed: ${code}`, status, durationMs: 1, connectMs: 0, quietMs: 9e6 };
}

function decide(outcome: Outcome, over: Partial<ReportOutcome> = {}) {
  const of = { kind: 'webhook', success: 'exactly-200', tries: 1, intervalMs: 60_000, now: NOW } as const;
  return decideReport({ ...of, startedAt: NOW - 5_000, outcome, ...over });
}

test('R22 R24 R26 an answer is final: 200 is a success, everything else a failure at once', () => {
  assert.equal(decide(answer(200)).next, 'delivered');
  for (const status of [201, 202, 204, 301, 302, 307, 400, 401, 404, 410, 429, 500, 502, 503]) {
    const decision = decide(answer(status));
    assert.equal(decision.next, 'dead', String(status));
    assert.match((decision as { reason: string }).reason, new RegExp(`^answered ${status}`));
    assert.equal(decision.quietUntil, null, 'Retry-After is for those who come back');
  }
});

test('R22 with success 2xx any of them is one', () => {
  for (const status of [200, 201, 204, 299]) assert.equal(decide(answer(status), { success: '2xx' }).next, 'delivered');
  for (const status of [199, 300, 404]) assert.equal(decide(answer(status), { success: '2xx' }).next, 'dead');
});

test('R23 what becomes of the body after the head of an answer changes nothing', () => {
  for (const code of ['connection-reset', 'timeout', 'protocol'] as const) {
    assert.equal(decide(failure(code, 200)).next, 'delivered', code);
    assert.equal(decide(failure(code, 500)).next, 'dead', code);
    assert.equal(decide(failure(code)).next, 'retry', code);
  }
  assert.equal(isReported(failure('timeout', 201), { kind: 'webhook', success: 'exactly-200' }), false);
});

test('R26 R27 without an answer it is sent ten times in total, at equal distances from beginning to beginning', () => {
  for (const code of ['dns', 'connection-refused', 'connection-reset', 'tls', 'timeout', 'unreachable'] as const) {
    for (let tries = 1; tries < 10; tries++) {
      const decision = decide(failure(code), { tries });
      assert.equal(decision.next, 'retry');
      assert.equal((decision as { at: number }).at, NOW + 55_000, 'no back-off, and no jitter');
    }
    assert.equal(decide(failure(code), { tries: 10 }).next, 'dead');
  }
  const late = decide(failure('timeout'), { startedAt: NOW - 90_000 });
  assert.equal((late as { at: number }).at, NOW, 'never in the past');
});

test('R26 our own fault uses no send up; what could not be sent at all is not tried again', () => {
  const decision = decide(failure('closed'), { tries: 10 });
  assert.deepEqual([decision.next, (decision as { counted: boolean }).counted], ['retry', false]);
  for (const code of ['refused-address', 'invalid-request'] as const) assert.equal(decide(failure(code)).next, 'dead');
});

test('R8 a mail server that refuses for good is not asked again, one that puts off is', () => {
  const mail = { kind: 'email' } as const;
  assert.equal(decide(answer(250), mail).next, 'delivered');
  assert.equal(decide(failure('mail-refused', 550), mail).next, 'dead');
  assert.equal(decide(failure('mail-deferred', 451), mail).next, 'retry');
  assert.equal(decide(failure('mail-deferred', 451), { ...mail, tries: 10 }).next, 'dead');
  assert.equal(decide(failure('connection-refused'), mail).next, 'retry');
});

test('R24 R28 the log has one entry per report, when it is over', () => {
  const entry = (over: Partial<Reported>): string | null => {
    const of: Reported = { postProcessing: 'ops-hook', state: 'dead', tries: 1, status: null, reason: null, at: NOW };
    const made = reportEntry({ ...of, ...over });
    if (made) assert.equal(made.at, NOW);
    return made && `${made.isFailure ? 'failure' : 'success'}: ${made.text}`;
  };
  assert.equal(entry({ state: 'open', tries: 9, reason: 'refused the connection' }), null);
  assert.equal(
    entry({ status: 500, reason: 'answered 500' }),
    'failure: post-processing ops-hook failed: answered 500',
  );
  assert.equal(
    entry({ tries: 10, reason: 'refused the connection' }),
    'failure: post-processing ops-hook failed, given up after 10 sends: refused the connection',
  );
  assert.equal(
    entry({ tries: 10, status: 451, reason: 'the mail server does not take the mail now: 451 later' }),
    'failure: post-processing ops-hook failed, given up after 10 sends: the mail server does not take the mail now: 451 later',
  );
  assert.equal(
    entry({ tries: 3, status: 550, reason: 'the mail server refused the mail: 550 no' }),
    'failure: post-processing ops-hook failed: the mail server refused the mail: 550 no',
  );
  assert.equal(
    entry({ state: 'delivered', status: 200 }),
    'success: post-processing ops-hook succeeded (answered 200)',
  );
  assert.equal(
    entry({ state: 'delivered', tries: 2, status: 200 }),
    'success: post-processing ops-hook succeeded at send 2 (answered 200)',
  );
  assert.equal(
    entry({ postProcessing: null, reason: 'the post-processing was deleted' }),
    'failure: a post-processing that was deleted failed: the post-processing was deleted',
  );
});
