// What a post-processing sends: the bodies of Cloud Automator (R29–R47), and the same as a mail that a person reads. Pure.
import {
  JOB_STATUSES,
  POLICY_STATUSES,
  type Evaluated,
  type JobEndData,
  type PolicyEndData,
  type ScenarioEndData,
} from './flow/end-events.ts';

/** The end of a run, as it is reported. */
export type Report = { of: 'job'; data: JobEndData } | { of: 'policy'; data: PolicyEndData };

/** A mail's words. */
export interface MailWords {
  /** One line. */
  subject: string;
  text: string;
}

/** The report that an event of a run's end makes. Throws, in words, on an event that is none. */
export function reportOf(envelope: Uint8Array): Report {
  const { type, data } = JSON.parse(new TextDecoder().decode(envelope)) as { type: string; data: unknown };
  if (type.startsWith('bellwire.job.')) return { of: 'job', data: data as JobEndData };
  // The source document knows jobs and policies only: the end of a scenario is told as a job's.
  if (type.startsWith('bellwire.scenario.')) {
    const { scenario, ...end } = data as ScenarioEndData;
    return { of: 'job', data: { job: scenario, ...end } };
  }
  if (type.startsWith('bellwire.policy.')) return { of: 'policy', data: data as PolicyEndData };
  throw new Error(`${type} is not the end of a job, a scenario or a policy`);
}

/**
 * The body: an array of one object, its members in the order of the source document. Throws, in words, on a status that
 * the document does not know (R32, R39).
 */
export function reportBody(report: Report): string {
  return JSON.stringify([report.of === 'job' ? jobElement(report.data) : policyElement(report.data)]);
}

function jobElement({ job, run, status, name, startedAt, finishedAt }: JobEndData): object {
  refuseUnknown(status, JOB_STATUSES);
  return {
    type: 'job',
    trigger_job_id: job,
    trigger_job_log_id: run,
    status,
    name,
    started_at: startedAt,
    finished_at: finishedAt,
  };
}

function policyElement({ status, policySetName, rule, evaluatedAt, evaluations }: PolicyEndData): object {
  refuseUnknown(status, POLICY_STATUSES);
  return {
    type: 'policy',
    status,
    policy_set_name: policySetName,
    rule_name: rule,
    evaluations_time: evaluatedAt,
    evaluations: evaluations.map(({ ResourceId, ResourceName, ComplianceType, ResultDetailCode }) => {
      return { ResourceId, ResourceName, ComplianceType, ResultDetailCode };
    }),
  };
}

function refuseUnknown(status: string, known: readonly string[]): void {
  if (!known.includes(status)) throw new Error(`the status ${JSON.stringify(status)} is none of ${known.join(', ')}`);
}

/* ── Test requests ──────────────────────────────────────────────────────────────────────────────────────────── */

/** What a test request says, as a job's end (R46) or a policy's (R47). */
export const TEST_REPORTS: { job: Report; policy: Report } = {
  job: {
    of: 'job',
    data: {
      job: 1,
      run: 8,
      name: 'Job for Test Request',
      group: null,
      status: 'completed',
      startedAt: '2017-10-01T09:00:00Z',
      finishedAt: '2017-10-01T09:01:00Z',
      reason: null,
      depth: 0,
    },
  },
  policy: {
    of: 'policy',
    data: {
      policySet: 1,
      evaluation: 8,
      policySetName: 'Policy Set for Test Request',
      group: null,
      rule: 'Policy for Test Request',
      status: 'completed',
      evaluatedAt: '2017-10-01T09:00:00Z',
      evaluations: [
        {
          ResourceId: 'resource-for-test-request',
          ResourceName: 'Resource for Test Request',
          ComplianceType: 'COMPLIANT',
          ResultDetailCode: null,
        },
      ],
      reason: null,
      depth: 0,
    },
  },
};

/* ── Mails ──────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Resources that a mail names; how many more there are it says. */
const MOST_NAMED = 50;

/** The same as a mail: what happened, when, for how long, and why. */
export function reportMail(report: Report): MailWords {
  const { subject, lines } = report.of === 'job' ? jobMail(report.data) : policyMail(report.data);
  return { subject: oneLine(subject), text: `${lines.join('\n')}\n` };
}

function jobMail(data: JobEndData): { subject: string; lines: string[] } {
  const { job, run, name, group, status, startedAt, finishedAt, reason } = data;
  const headline = status === 'aborted' ? `Job ${name} was aborted` : `Job ${name} ${status}`;
  return {
    subject: headline,
    lines: [
      `${headline}.`,
      '',
      ...facts([
        ['Reason', reason],
        ['Started', readable(startedAt)],
        ['Finished', readable(finishedAt)],
        ['Took', duration(Date.parse(finishedAt) - Date.parse(startedAt))],
        ['Group', group],
        ['Job', `${job}, run ${run}`],
      ]),
    ],
  };
}

function policyMail(data: PolicyEndData): { subject: string; lines: string[] } {
  const { policySet, evaluation, policySetName, group, rule, status, evaluatedAt, evaluations, reason } = data;
  const verdict = status === 'failed' ? 'could not be evaluated' : verdictOf(evaluations);
  const counts = countsOf(evaluations);
  return {
    subject: `Policy ${policySetName}: ${rule}: ${verdict}`,
    lines: [
      `Rule ${rule} of policy set ${policySetName}: ${verdict}.`,
      '',
      ...facts([
        ['Reason', reason],
        ['Evaluated', readable(evaluatedAt)],
        ...counts.map(([type, count]): [string, string] => [COMPLIANCE_WORDS[type] ?? type, String(count)]),
        ['Group', group],
        ['Policy set', `${policySet}, evaluation ${evaluation}`],
      ]),
      ...namedOnes(evaluations, 'NON_COMPLIANT', 'These do not comply:'),
      ...namedOnes(evaluations, 'INSUFFICIENT_DATA', 'These could not be judged:'),
    ],
  };
}

const COMPLIANCE_WORDS: Readonly<Record<string, string>> = {
  COMPLIANT: 'Compliant',
  NON_COMPLIANT: 'Not compliant',
  NOT_APPLICABLE: 'Not applicable',
  INSUFFICIENT_DATA: 'Not judged',
};

function verdictOf(evaluations: readonly Evaluated[]): string {
  const failing = evaluations.filter(({ ComplianceType }) => ComplianceType === 'NON_COMPLIANT').length;
  if (evaluations.length === 0) return 'there is no resource to judge';
  if (failing > 0) return `${failing} of ${evaluations.length} ${failing === 1 ? 'does' : 'do'} not comply`;
  const judged = evaluations.filter(({ ComplianceType }) => ComplianceType === 'COMPLIANT').length;
  return judged === evaluations.length ? `all ${judged} comply` : `${judged} of ${evaluations.length} comply`;
}

function countsOf(evaluations: readonly Evaluated[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const { ComplianceType } of evaluations) counts.set(ComplianceType, (counts.get(ComplianceType) ?? 0) + 1);
  return [...counts];
}

function namedOnes(evaluations: readonly Evaluated[], type: string, head: string): string[] {
  const all = evaluations.filter(({ ComplianceType }) => ComplianceType === type);
  if (all.length === 0) return [];
  const named = all.slice(0, MOST_NAMED).map(({ ResourceId, ResourceName, ResultDetailCode }) => {
    const resource = ResourceName === ResourceId ? ResourceId : `${ResourceName} (${ResourceId})`;
    return oneLine(`- ${resource}${ResultDetailCode === null ? '' : `: ${ResultDetailCode}`}`);
  });
  const more = all.length > MOST_NAMED ? [`… and ${all.length - MOST_NAMED} more`] : [];
  return ['', head, ...named, ...more];
}

function facts(all: readonly (readonly [string, string | null])[]): string[] {
  const known = all.filter((fact): fact is readonly [string, string] => fact[1] !== null);
  const width = Math.max(...known.map(([word]) => word.length)) + 2;
  return known.map(([word, value]) => `${`${word}:`.padEnd(width)}${value}`);
}

// `2026-11-22T09:30:00Z` → `2026-11-22 09:30:00 UTC`.
function readable(instant: string): string {
  return instant.replace('T', ' ').replace('Z', ' UTC');
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const parts = [
    [Math.floor(seconds / 3_600), 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first < 0 ? parts.length - 1 : first)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

// A name may hold a line break; a header may not.
// oxlint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g;

function oneLine(text: string): string {
  return text.replace(CONTROL, ' ');
}
