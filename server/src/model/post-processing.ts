// Post-processings: where jobs and policy sets report to, and what follows a send (R4–R28). Pure.
import { describeOutcome, isOurFault, type Outcome } from './outcome.ts';
import { isGoodStatus, isSuccess, OWN_FAULT_DELAY_MS, type Decision, type NextStep, type Success } from './retry.ts';

/** By which service it reports (R8). */
export const REPORT_KINDS = ['webhook', 'email'] as const;
export type ReportKind = (typeof REPORT_KINDS)[number];

/** Who it says it is: exactly what Cloud Automator says (R25), or this installation. The body is the same. */
export const DIALECTS = ['cloud-automator', 'bellwire'] as const;
export type Dialect = (typeof DIALECTS)[number];

/** The User-Agent of the dialect `cloud-automator` (R25). */
export const CLOUD_AUTOMATOR_USER_AGENT = 'Cloud Automator (Serverworks Co., Ltd.)';

/** Sends in total, where none is answered (R26). */
export const MOST_SENDS = 10;

/** Names of post-processings and groups, in characters (R5). */
export const MAX_NAME_LENGTH = 255;
/** The Authorization value, in characters (R17). */
export const MAX_AUTHORIZATION_LENGTH = 1_024;
/** Addresses an e-mail goes to. */
export const MOST_RECIPIENTS = 50;

/** What the engine has to know of a post-processing, beside what every target has. */
export interface ReportSetting {
  name: string;
  kind: ReportKind;
  /** Addresses, for `email`. */
  recipients: readonly string[];
  /** Which answers are a success (R22). */
  success: Success;
  /** From the beginning of one send to the beginning of the next, ms (R27); null for the installation's. */
  intervalMs: number | null;
  dialect: Dialect;
}

/** What a send of a report is judged by. Instants are epoch ms. */
export interface ReportOutcome {
  outcome: Outcome;
  kind: ReportKind;
  success: Success;
  /** Sends made so far, this one included. */
  tries: number;
  intervalMs: number;
  startedAt: number;
  now: number;
}

/**
 * What follows a send of a report (R22–R28): an answer is final, whatever it says; without one it is sent again, ten
 * times in total, at a fixed interval. Nothing an endpoint says slows it down or speeds it up.
 */
export function decideReport(of: ReportOutcome): Decision {
  return { ...nextReport(of), slowDown: false, quietUntil: null };
}

function nextReport({ outcome, kind, success, tries, intervalMs, startedAt, now }: ReportOutcome): NextStep {
  const reason = describeOutcome(outcome);
  if (isOurFault(outcome)) return { next: 'retry', at: now + OWN_FAULT_DELAY_MS, counted: false, reason };
  if (isReported(outcome, { kind, success })) return { next: 'delivered' };
  if (isFinal(outcome, kind) || tries >= MOST_SENDS) return { next: 'dead', reason };
  return { next: 'retry', at: Math.max(startedAt + intervalMs, now), counted: true, reason };
}

/** Was it taken? Of an HTTP answer the status alone counts: what becomes of its body changes nothing (R23). */
export function isReported(outcome: Outcome, of: { kind: ReportKind; success: Success }): boolean {
  if (of.kind === 'email') return isSuccess(outcome);
  return outcome.status !== null && isGoodStatus(outcome.status, of.success);
}

/** Failures that another send would only repeat: nothing was, or can be, sent at all. */
const FUTILE = new Set(['refused-address', 'invalid-request', 'mail-refused']);

function isFinal(outcome: Outcome, kind: ReportKind): boolean {
  if (outcome.kind === 'response') return true;
  return FUTILE.has(outcome.code) || (kind === 'webhook' && outcome.status !== null);
}

/* ── The log of the run ─────────────────────────────────────────────────────────────────────────────────────── */

/** What became of one report of a run's end. Instants are epoch ms. */
export interface Reported {
  /** Null when the post-processing was deleted since. */
  postProcessing: string | null;
  state: 'open' | 'delivered' | 'dead';
  tries: number;
  /** Of the last send: HTTP status or SMTP code, null without an answer. */
  status: number | null;
  reason: string | null;
  /** When it ended; while it is open, when it is sent next. */
  at: number;
}

/** A line of a job log or policy log about a post-processing (R24, R28). */
export interface ReportEntry {
  at: number;
  isFailure: boolean;
  text: string;
}

/** What the log says of a report; null while it is not over, for only what is final is written (R28). */
export function reportEntry({ state, at, ...of }: Reported): ReportEntry | null {
  const name =
    of.postProcessing === null ? 'a post-processing that was deleted' : `post-processing ${of.postProcessing}`;
  switch (state) {
    case 'open':
      return null;
    case 'delivered': {
      const when = of.tries > 1 ? ` at send ${of.tries}` : '';
      const answer = of.status === null ? '' : ` (answered ${of.status})`;
      return { at, isFailure: false, text: `${name} succeeded${when}${answer}` };
    }
    case 'dead': {
      const reason = of.reason ?? 'nobody knows why';
      // A mail server that puts off answers each time.
      const isGivenUp = of.status === null ? of.tries > 1 : of.tries >= MOST_SENDS;
      const sends = isGivenUp ? `, given up after ${of.tries} sends` : '';
      return { at, isFailure: true, text: `${name} failed${sends}: ${reason}` };
    }
  }
}
