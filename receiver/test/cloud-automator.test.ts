// The receiver of post-processings: who may send, what is understood, and what is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CLOUD_AUTOMATOR_USER_AGENT,
  createCloudAutomatorReceiver,
  type CloudAutomatorOptions,
  type JobResult,
  type PolicyResult,
} from '@bellwire/receiver';

// As the source document prints it.
const JOB = {
  type: 'job',
  trigger_job_id: 10000,
  trigger_job_log_id: 20000,
  status: 'completed',
  name: 'Job Name',
  started_at: '2017-08-16T11:13:59Z',
  finished_at: '2017-08-16T11:14:15Z',
};
const RESOURCE = {
  ResourceId: 'AWS Resource ID',
  ResourceName: 'AWS Resource Name',
  ComplianceType: 'COMPLIANT',
  ResultDetailCode: null,
};
const POLICY = {
  type: 'policy',
  status: 'completed',
  policy_set_name: 'Policy Set Name',
  rule_name: 'Policy Name',
  evaluations_time: '2017-08-16T11:13:59Z',
  evaluations: [RESOURCE],
};

function recorder(options: CloudAutomatorOptions = {}) {
  const jobs: JobResult[] = [];
  const policies: PolicyResult[] = [];
  const others: unknown[] = [];
  const failures: unknown[] = [];
  const receive = createCloudAutomatorReceiver({
    job: (result) => void jobs.push(result),
    policy: (result) => void policies.push(result),
    otherwise: (element) => void others.push(element),
    onFailure: (error) => failures.push(error),
    ...options,
  });
  const post = async (body: unknown, headers: Record<string, string> = {}): Promise<string> => {
    const text = typeof body === 'string' ? body : JSON.stringify(body);
    const sent = { 'content-type': 'application/json', ...headers };
    const response = await receive(
      new Request('https://ops.example/runs', { method: 'POST', headers: sent, body: text }),
    );
    return `${response.status} ${await response.text()}`.trim();
  };
  return { receive, post, jobs, policies, others, failures };
}

test('R22 R29 R37 a result goes to the handler of its type, whole; the answer is 200 with nothing in it', async () => {
  const { post, jobs, policies } = recorder();
  assert.equal(await post([JOB]), '200');
  assert.equal(await post([POLICY]), '200');
  assert.deepEqual([jobs, policies], [[JOB], [POLICY]]);
});

test('R36 R43 none, several and mixed results in one request, each on its own', async () => {
  const { post, jobs, policies, others } = recorder();
  assert.equal(await post([]), '200');
  assert.equal(await post([POLICY, JOB, { type: 'scenario' }, JOB]), '200');
  assert.deepEqual([jobs.length, policies.length, others], [2, 1, [{ type: 'scenario' }]]);
});

test('R30 unknown types are accepted, and told to nobody where nobody asks', async () => {
  const receive = createCloudAutomatorReceiver({});
  const request = { method: 'POST', headers: { 'content-type': 'application/json' } };
  const body = JSON.stringify([{ type: 'x', anything: [null] }, JOB, POLICY]);
  assert.equal((await receive(new Request('https://ops.example/', { ...request, body }))).status, 200);
});

test('R31 R32 R39 R42 what is no result is named by its place, and spoils no other', async () => {
  const wrong: unknown[] = [
    null,
    7,
    'job',
    [],
    {},
    { type: 7 },
    { ...JOB, trigger_job_id: '10000' },
    { ...JOB, trigger_job_log_id: 1.5 },
    { ...JOB, status: 'done' },
    { ...JOB, name: undefined },
    { ...POLICY, status: 'aborted' },
    { ...POLICY, rule_name: null },
    { ...POLICY, evaluations: {} },
    { ...POLICY, evaluations: [{ ...RESOURCE, ResourceId: 1 }] },
    { ...POLICY, evaluations: [{ ...RESOURCE, ResultDetailCode: 0 }] },
  ];
  for (const element of wrong) {
    const { post, jobs } = recorder();
    assert.equal(await post([JOB, element]), '400 {"failed":[],"malformed":[1]}', JSON.stringify(element));
    assert.equal(jobs.length, 1);
  }
  const { post, policies } = recorder();
  const odd = { ...RESOURCE, ComplianceType: 'SOMETHING_NEW', ResultDetailCode: 'CODE' };
  assert.equal(
    await post([
      { ...POLICY, evaluations: [odd] },
      { ...POLICY, evaluations: [] },
    ]),
    '200',
  );
  assert.equal(policies.length, 2);
  for (const status of ['completed', 'failed', 'aborted']) assert.equal(await post([{ ...JOB, status }]), '200');
});

test('R20 R21 POST of application/json, with or without a charset; other methods 405, other types 415', async () => {
  const { receive, post } = recorder();
  for (const method of ['GET', 'PUT', 'DELETE', 'OPTIONS', 'HEAD']) {
    const response = await receive(new Request('https://ops.example/runs', { method }));
    assert.deepEqual([response.status, response.headers.get('allow')], [405, 'POST'], method);
  }
  for (const type of ['application/json; charset=utf-8', 'APPLICATION/JSON', 'application/json;charset="UTF-8"']) {
    assert.equal(await post([JOB], { 'content-type': type }), '200', type);
  }
  for (const type of ['text/plain', 'application/x-www-form-urlencoded', 'application/json; charset=utf-16', '']) {
    assert.match(await post([JOB], { 'content-type': type }), /^415 /, type);
  }
});

test('R4 R14 R16 the Authorization is compared as it stands; several may be right while it is changed', async () => {
  const { post, jobs } = recorder({ authorization: ['CAAuth new', 'CAAuth old'] });
  for (const authorization of ['CAAuth new', 'CAAuth old']) assert.equal(await post([JOB], { authorization }), '200');
  for (const authorization of ['CAAuth ne', 'CAAuth new2', 'caauth new', 'Bearer CAAuth new', '']) {
    assert.match(await post([JOB], { authorization }), /^401 wrong or missing Authorization/);
  }
  assert.match(await post([JOB]), /^401 /);
  assert.equal(jobs.length, 2);
});

test('R25 the User-Agent can be insisted on', async () => {
  const { post } = recorder({ userAgent: CLOUD_AUTOMATOR_USER_AGENT });
  assert.equal(await post([JOB], { 'user-agent': 'Cloud Automator (Serverworks Co., Ltd.)' }), '200');
  assert.match(await post([JOB], { 'user-agent': 'curl/8' }), /^403 /);
  assert.match(await post([JOB]), /^403 /);
});

test('R3 R46 what is no JSON array is refused in words: the sample of the source document has a comma too much', async () => {
  const { post } = recorder();
  assert.match(await post('[{"type":"job",}]'), /^400 the body is not valid JSON/);
  assert.match(await post(''), /^400 /);
  assert.match(await post(JOB), /^400 the body must be a JSON array/);
  assert.match(await post('[{"type":"job","type":"policy"}]'), /^400 .*twice/);
  const small = recorder({ maxBytes: 10 });
  assert.match(await small.post([JOB]), /^413 /);
});

test('R58 a handler that fails is told, answered 500, and keeps no other from its result', async () => {
  const { post, policies, failures } = recorder({
    job: async () => {
      throw new Error('the disk is full');
    },
  });
  assert.equal(await post([JOB, POLICY, null]), '500 {"failed":[0],"malformed":[2]}');
  assert.deepEqual([policies.length, failures.length], [1, 1]);
});
