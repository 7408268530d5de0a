// The ends of runs as operational events: what subscribers hear, and what post-processings are made of. Pure.
import type { OperationalEvent } from '../operational-events.ts';

/** How a job's run may end (R32). */
export const JOB_STATUSES = ['completed', 'failed', 'aborted'] as const;
/** How the evaluation of one rule may end (R39). */
export const POLICY_STATUSES = ['completed', 'failed'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];
export type PolicyStatus = (typeof POLICY_STATUSES)[number];

/** `data` of `bellwire.job.…`. */
export interface JobEndData {
  /** R31: integers, the job's and the run's. */
  job: number;
  run: number;
  name: string;
  group: string | null;
  status: JobStatus;
  /** Seconds, UTC (R34). */
  startedAt: string;
  finishedAt: string;
  reason: string | null;
  /** How many runs led to this one (R16). */
  depth: number;
}

/** `data` of `bellwire.scenario.…`. */
export interface ScenarioEndData extends Omit<JobEndData, 'job'> {
  scenario: number;
}

/** One resource as a rule found it (R42). */
export interface Evaluated {
  ResourceId: string;
  ResourceName: string;
  ComplianceType: string;
  ResultDetailCode: string | null;
}

/** `data` of `bellwire.policy.…`: one rule of one evaluation (R2). */
export interface PolicyEndData {
  policySet: number;
  evaluation: number;
  policySetName: string;
  group: string | null;
  rule: string;
  status: PolicyStatus;
  /** Seconds, UTC (R41). */
  evaluatedAt: string;
  evaluations: readonly Evaluated[];
  reason: string | null;
  depth: number;
}

/** The end of a job's run. Instants are epoch ms. */
export interface JobEnd extends Omit<JobEndData, 'startedAt' | 'finishedAt'> {
  startedAt: number;
  finishedAt: number;
}

/** The end of a scenario's run. Instants are epoch ms. */
export interface ScenarioEnd extends Omit<JobEnd, 'job'> {
  scenario: number;
}

/** The end of one rule's evaluation; the instant is epoch ms. */
export interface PolicyEnd extends Omit<PolicyEndData, 'evaluatedAt'> {
  evaluatedAt: number;
}

/** The event that tells of a job's end (R1). A clock that was set back never makes it end before it began (R34). */
export function jobEndEvent({ startedAt, ...end }: JobEnd): OperationalEvent {
  const finishedAt = Math.max(startedAt, end.finishedAt);
  const subject = `job/${end.job}`;
  const { job, run, name, group, status, reason, depth } = end;
  const times = { startedAt: inSeconds(startedAt), finishedAt: inSeconds(finishedAt) };
  const data = { job, run, name, group, status, ...times, reason, depth } satisfies JobEndData;
  return { type: `bellwire.job.${status}`, id: `${subject}/run/${run}`, about: null, subject, data, at: finishedAt };
}

/** The event that tells of the end of a scenario's run. */
export function scenarioEndEvent({ scenario, ...end }: ScenarioEnd): OperationalEvent {
  const { data, at } = jobEndEvent({ job: scenario, ...end });
  const { job: _job, ...others } = data as unknown as JobEndData;
  const subject = `scenario/${scenario}`;
  const id = `${subject}/run/${end.run}`;
  return { type: `bellwire.scenario.${end.status}`, id, about: null, subject, data: { scenario, ...others }, at };
}

/** The event that tells of one rule's end (R2). */
export function policyEndEvent({ evaluatedAt, ...end }: PolicyEnd): OperationalEvent {
  const { policySet, evaluation, policySetName, group, rule, status, evaluations, reason, depth } = end;
  const subject = `policy-set/${policySet}`;
  const head = { policySet, evaluation, policySetName, group, rule, status };
  const data = { ...head, evaluatedAt: inSeconds(evaluatedAt), evaluations, reason, depth } satisfies PolicyEndData;
  // A rule's name may hold what an id may not.
  const id = `${subject}/evaluation/${evaluation}/${encodeURIComponent(rule.toWellFormed())}`;
  return { type: `bellwire.policy.${status}`, id, about: null, subject, data, at: evaluatedAt };
}

/** `YYYY-MM-DDTHH:MM:SSZ` (R34, R41). */
export function inSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, -5)}Z`;
}

/* ── The catalog's entries ──────────────────────────────────────────────────────────────────────────────────── */

const TEXT = { type: 'string' };
const NUMBER = { type: 'integer' };
const TEXT_OR_NULL = { type: ['string', 'null'] };
const JOB = {
  job: NUMBER,
  run: NUMBER,
  name: TEXT,
  group: TEXT_OR_NULL,
  status: { enum: JOB_STATUSES },
  startedAt: TEXT,
  finishedAt: TEXT,
  reason: TEXT_OR_NULL,
  depth: { ...NUMBER, description: 'How many runs led to this one.' },
};
const { job: _job, ...OF_ANY } = JOB;
const SCENARIO = { scenario: NUMBER, ...OF_ANY };
const POLICY = {
  policySet: NUMBER,
  evaluation: NUMBER,
  policySetName: TEXT,
  group: TEXT_OR_NULL,
  rule: TEXT,
  status: { enum: POLICY_STATUSES },
  evaluatedAt: TEXT,
  evaluations: {
    type: 'array',
    items: {
      type: 'object',
      properties: {
        ResourceId: TEXT,
        ResourceName: TEXT,
        ComplianceType: TEXT,
        ResultDetailCode: TEXT_OR_NULL,
      },
    },
  },
  reason: TEXT_OR_NULL,
  depth: JOB.depth,
};

const STARTED = Date.UTC(2026, 10, 22, 9, 30);
const AT = { startedAt: STARTED, finishedAt: STARTED + 16_000 };
const JOB_ABOUT = { job: 12, run: 345, name: 'nightly-reindex', group: 'operations', ...AT, depth: 0 };
const SCENARIO_ABOUT = { scenario: 16, run: 347, name: 'greenlake-audit', group: 'operations', ...AT, depth: 0 };
const POLICY_ABOUT = {
  policySet: 14,
  evaluation: 346,
  policySetName: 'storage-baseline',
  group: 'operations',
  rule: 'buckets-have-owner',
  evaluatedAt: STARTED,
  depth: 0,
};
const BUCKET = {
  ResourceId: 'arn:aws:s3:::invoices',
  ResourceName: 'invoices',
  ComplianceType: 'NON_COMPLIANT',
  ResultDetailCode: 'OWNER_TAG_MISSING',
};

/** One of each, as the catalog shows it. */
export const END_EXAMPLES: readonly { event: OperationalEvent; description: string; properties: object }[] = [
  {
    event: jobEndEvent({ ...JOB_ABOUT, status: 'completed', reason: null }),
    description: 'A run of a job has completed.',
    properties: JOB,
  },
  {
    event: jobEndEvent({ ...JOB_ABOUT, status: 'failed', reason: 'step reindex: exited with 1' }),
    description: 'A run of a job has failed.',
    properties: JOB,
  },
  {
    event: jobEndEvent({ ...JOB_ABOUT, status: 'aborted', reason: 'took longer than 30m' }),
    description: 'A run of a job was aborted.',
    properties: JOB,
  },
  {
    event: scenarioEndEvent({ ...SCENARIO_ABOUT, status: 'completed', reason: null }),
    description: 'A run of a scenario has completed.',
    properties: SCENARIO,
  },
  {
    event: scenarioEndEvent({ ...SCENARIO_ABOUT, status: 'failed', reason: 'row: the sheet AuditLog is full' }),
    description: 'A run of a scenario has failed.',
    properties: SCENARIO,
  },
  {
    event: scenarioEndEvent({ ...SCENARIO_ABOUT, status: 'aborted', reason: 'it took longer than 5m' }),
    description: 'A run of a scenario was aborted.',
    properties: SCENARIO,
  },
  {
    event: policyEndEvent({ ...POLICY_ABOUT, status: 'completed', evaluations: [BUCKET], reason: null }),
    description: 'A rule of a policy set was evaluated.',
    properties: POLICY,
  },
  {
    event: policyEndEvent({ ...POLICY_ABOUT, status: 'failed', evaluations: [], reason: 'its resources answered 503' }),
    description: 'A rule of a policy set could not be evaluated.',
    properties: POLICY,
  },
];
