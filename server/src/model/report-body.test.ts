// What post-processings send: the bodies of the source document to the byte, and mails that a person reads.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jobEndEvent, policyEndEvent, scenarioEndEvent } from './flow/end-events.ts';
import type { Evaluated, JobEnd, PolicyEnd } from './flow/end-events.ts';
import { attributesOf, envelopeOf } from './operational-events.ts';
import { reportBody, reportMail, reportOf, TEST_REPORTS, type Report } from './report-body.ts';

const JOB: JobEnd = {
  job: 10_000,
  run: 20_000,
  name: 'Job Name',
  group: 'operations',
  status: 'completed',
  startedAt: Date.UTC(2017, 7, 16, 11, 13, 59, 999),
  finishedAt: Date.UTC(2017, 7, 16, 11, 14, 15),
  reason: null,
  depth: 0,
};

const RESOURCE: Evaluated = {
  ResourceId: 'AWS Resource ID',
  ResourceName: 'AWS Resource Name',
  ComplianceType: 'COMPLIANT',
  ResultDetailCode: null,
};

const POLICY: PolicyEnd = {
  policySet: 3,
  evaluation: 4,
  policySetName: 'Policy Set Name',
  group: null,
  rule: 'Policy Name',
  status: 'completed',
  evaluatedAt: Date.UTC(2017, 7, 16, 11, 13, 59, 1),
  evaluations: [RESOURCE],
  reason: null,
  depth: 0,
};

/** By way of the event that carries it, as it is sent. */
function job(over: Partial<JobEnd> = {}): Report {
  return reportOf(envelopeOf(jobEndEvent({ ...JOB, ...over })));
}

function policy(over: Partial<PolicyEnd> = {}): Report {
  return reportOf(envelopeOf(policyEndEvent({ ...POLICY, ...over })));
}

test('R3 R29 R30 R31 R33 R34 R35 the body of a job is the one of the source document, to the byte', () => {
  assert.equal(
    reportBody(job()),
    '[{"type":"job","trigger_job_id":10000,"trigger_job_log_id":20000,"status":"completed","name":"Job Name",' +
      '"started_at":"2017-08-16T11:13:59Z","finished_at":"2017-08-16T11:14:15Z"}]',
  );
  const name = 'Nächtlicher Lauf 夜間 🌙 "quoted"\n';
  assert.equal((JSON.parse(reportBody(job({ name }))) as { name: string }[])[0]!.name, name);
});

test('R34 a job never ends before it began, whatever the clock did meanwhile', () => {
  const [result] = JSON.parse(reportBody(job({ finishedAt: JOB.startedAt - 60_000 }))) as Record<string, string>[];
  assert.equal(result!['finished_at'], result!['started_at']);
});

test('R1 R32 an aborted job says so; a status that the document does not know is refused', () => {
  assert.match(reportBody(job({ status: 'aborted' })), /"status":"aborted"/);
  assert.equal(jobEndEvent({ ...JOB, status: 'aborted' }).type, 'bellwire.job.aborted');
  const bad = { of: 'job', data: { ...TEST_REPORTS.job.data, status: 'done' } } as unknown as Report;
  assert.throws(() => reportBody(bad), /the status "done" is none of completed, failed, aborted/);
});

test('R2 R37 R38 R40 R41 R42 R43 the body of a policy is the one of the source document, to the byte', () => {
  assert.equal(
    reportBody(policy()),
    '[{"type":"policy","status":"completed","policy_set_name":"Policy Set Name","rule_name":"Policy Name",' +
      '"evaluations_time":"2017-08-16T11:13:59Z","evaluations":[{"ResourceId":"AWS Resource ID",' +
      '"ResourceName":"AWS Resource Name","ComplianceType":"COMPLIANT","ResultDetailCode":null}]}]',
  );
  assert.match(reportBody(policy({ status: 'failed', evaluations: [] })), /"status":"failed".*"evaluations":\[\]/);
});

test('R39 aborted is refused for a policy', () => {
  const bad = { of: 'policy', data: { ...TEST_REPORTS.policy.data, status: 'aborted' } } as unknown as Report;
  assert.throws(() => reportBody(bad), /the status "aborted" is none of completed, failed/);
});

test('R46 R47 the test requests are those of the document, and valid JSON', () => {
  assert.equal(
    reportBody(TEST_REPORTS.job),
    '[{"type":"job","trigger_job_id":1,"trigger_job_log_id":8,"status":"completed","name":"Job for Test Request",' +
      '"started_at":"2017-10-01T09:00:00Z","finished_at":"2017-10-01T09:01:00Z"}]',
  );
  const [sent] = JSON.parse(reportBody(TEST_REPORTS.policy)) as Record<string, unknown>[];
  assert.equal(sent!['policy_set_name'], 'Policy Set for Test Request');
  assert.equal(sent!['rule_name'], 'Policy for Test Request');
  const [found] = sent!['evaluations'] as Evaluated[];
  assert.equal(found!.ComplianceType, 'COMPLIANT');
});

test('the ends of runs are events with ids of their own, and of nothing else a report is made', () => {
  const { id, subject } = attributesOf(jobEndEvent(JOB));
  assert.deepEqual([id, subject], ['job/10000/run/20000', 'job/10000']);
  const rules = ['a', 'b', 'a/b', 'line\nbreak', '\ud800'].map((rule) => policyEndEvent({ ...POLICY, rule }).id);
  assert.equal(new Set(rules).size, rules.length);
  // oxlint-disable-next-line no-control-regex
  for (const one of rules) assert.doesNotMatch(one, /[\u0000-\u001f]/);
  const other = new TextEncoder().encode('{"type":"bellwire.webhook.active","data":{}}');
  assert.throws(() => reportOf(other), /bellwire.webhook.active is not the end of a job, a scenario or a policy/);
});

test('the end of a scenario is an event of its own, and is reported in the words of a job’s', () => {
  const { job: scenario, ...end } = JOB;
  const event = scenarioEndEvent({ scenario, ...end });
  assert.equal(event.type, 'bellwire.scenario.completed');
  assert.deepEqual([event.id, event.subject], ['scenario/10000/run/20000', 'scenario/10000']);
  assert.deepEqual(Object.keys(event.data).slice(0, 2), ['scenario', 'run']);
  assert.equal(reportBody(reportOf(envelopeOf(event))), reportBody(reportOf(envelopeOf(jobEndEvent(JOB)))));
});

test('R8 the mail of a job says what happened, when, for how long and why', () => {
  const mail = reportMail(
    job({ status: 'failed', reason: 'step reindex: exited with 1', name: 'nightly\r\nBcc: x@y' }),
  );
  assert.equal(mail.subject, 'Job nightly Bcc: x@y failed');
  assert.equal(
    reportMail(job({ status: 'failed', reason: 'step reindex: exited with 1' })).text,
    [
      'Job Job Name failed.',
      '',
      'Reason:   step reindex: exited with 1',
      'Started:  2017-08-16 11:13:59 UTC',
      'Finished: 2017-08-16 11:14:15 UTC',
      'Took:     16 s',
      'Group:    operations',
      'Job:      10000, run 20000',
      '',
    ].join('\n'),
  );
  const took = (ms: number): string =>
    /Took: +(.*)/.exec(reportMail(job({ finishedAt: JOB.startedAt + ms })).text)![1]!;
  assert.deepEqual([took(0), took(60_000), took(3_725_000)], ['0 s', '1 min 0 s', '1 h 2 min 5 s']);
});

test('R8 the mail of a policy counts, and names what does not comply', () => {
  const failing = Array.from({ length: 52 }, (_, i) => {
    return { ...RESOURCE, ResourceId: `r${i}`, ResourceName: `r${i}`, ComplianceType: 'NON_COMPLIANT' };
  });
  const odd = { ...RESOURCE, ComplianceType: 'INSUFFICIENT_DATA', ResultDetailCode: 'NO_TAGS' };
  const mail = reportMail(policy({ evaluations: [RESOURCE, odd, ...failing] }));
  assert.equal(mail.subject, 'Policy Policy Set Name: Policy Name: 52 of 54 do not comply');
  assert.match(mail.text, /Compliant: +1\n/);
  assert.match(mail.text, /Not compliant: +52\n/);
  assert.match(mail.text, /These do not comply:\n- r0\n/);
  assert.match(mail.text, /- r49\n… and 2 more\n/);
  assert.match(mail.text, /These could not be judged:\n- AWS Resource Name \(AWS Resource ID\): NO_TAGS\n/);
  const subject = (of: Partial<PolicyEnd>): string => reportMail(policy(of)).subject.split(': ')[2]!;
  assert.equal(subject({}), 'all 1 comply');
  assert.equal(subject({ evaluations: [] }), 'there is no resource to judge');
  assert.equal(subject({ status: 'failed', reason: 'answered 503' }), 'could not be evaluated');
});
