// The retry plan: what follows an attempt, and when (R124, wire 3). Pure: clock and dice are handed in.
import type { OnFailure, Order } from './order.ts';
import { describeOutcome, isOurFault, type Outcome } from './outcome.ts';

/** When to try again: the waits between tries, so `delaysMs.length + 1` tries in all. */
export interface RetryPlan {
  delaysMs: readonly number[];
  /** Each wait is spread evenly over ± this share of it, so that what failed together does not return together. */
  jitter: number;
}

/** A webhook may plan at most so many retries… */
export const MOST_RETRIES = 100;
/** … and wait at most so long before each, ms: seven days. */
export const LONGEST_DELAY_MS = 7 * 86_400_000;

/** A server that asks for more patience than this is asked again after it. */
export const RETRY_AFTER_CAP_MS = 24 * 3_600_000;

/** How long a send that failed through our own doing waits; it does not count as a try. */
export const OWN_FAULT_DELAY_MS = 1_000;

/** Statuses with which a server may say, by `Retry-After`, until when it wants to be left alone (wire 3). */
const PATIENCE_STATUSES = new Set([429, 502, 503, 504]);

/** The plan of a webhook whose order says how many tries there are: cut short, or its last delay repeated. */
export function planInOrder(order: Order, plan: RetryPlan): RetryPlan {
  if (order.kind === 'any' || order.tries === null) return plan;
  const { delaysMs } = plan;
  const last = delaysMs.at(-1) ?? DEFAULT_DELAY_MS;
  return { ...plan, delaysMs: Array.from({ length: order.tries - 1 }, (_, n) => delaysMs[n] ?? last) };
}

/** Where an order asks for more tries than a plan without any delay has. */
const DEFAULT_DELAY_MS = 5_000;
/** How long what blocks its line waits where the plan has no delay. */
const BLOCKED_DELAY_MS = 3_600_000;

export interface DecideInput {
  outcome: Outcome;
  /** Automatic tries made so far, this one included. */
  tries: number;
  plan: RetryPlan;
  /** What becomes of a delivery that holds a line, when its tries are used up; left out it is a dead letter. */
  onFailure?: OnFailure | undefined;
  /** A 410 is a failure as any other: whoever said so cannot speak for the webhook. */
  isStandIn?: boolean;
  /** Epoch ms. */
  now: number;
  /** From 0 inclusive to 1 exclusive. */
  dice: number;
}

/** What becomes of the delivery. `reason` is a clause for people: `answered 503`. */
export type NextStep =
  | { next: 'delivered' }
  /** `counted` false: our own fault, the try is not used up. */
  | { next: 'retry'; at: number; counted: boolean; reason: string }
  /** All tries are used. */
  | { next: 'dead'; reason: string }
  /** All tries are used, but it holds its line (model/order.ts) and is tried on. */
  | { next: 'blocked'; at: number; reason: string }
  /** All tries are used, and its line waits for somebody. */
  | { next: 'parked'; reason: string }
  /** 410: the webhook is to be disabled; the delivery waits, held, like the others of that webhook. */
  | { next: 'disable'; reason: string };

/** The step, and what the outcome asks of everything else that is sent to the same target. */
export type Decision = NextStep & {
  /** The target is overloaded or too slow: send it less at a time. */
  slowDown: boolean;
  /** Nothing may be sent to the target before (epoch ms): by its own word, or because it would be futile; or null. */
  quietUntil: number | null;
};

/** Decides what follows an attempt. 2xx is success, everything else is not; 410 disables the webhook (wire 3). */
export function decide(input: DecideInput): Decision {
  const { outcome, tries, plan, now, dice } = input;
  const reason = describeOutcome(outcome);
  const futileUntil = outcome.kind === 'failure' && outcome.quietMs !== undefined ? now + outcome.quietMs : null;
  if (isOurFault(outcome)) {
    const at = Math.max(now + OWN_FAULT_DELAY_MS, futileUntil ?? 0);
    return { next: 'retry', at, counted: false, reason, slowDown: false, quietUntil: futileUntil };
  }
  if (isSuccess(outcome)) return { next: 'delivered', slowDown: false, quietUntil: null };
  const slowDown = asksToSlowDown(outcome);
  const quietUntil = retryAfterOf(outcome, now) ?? futileUntil;
  const isGone = outcome.kind === 'response' && outcome.status === 410 && input.isStandIn !== true;
  if (isGone) return { next: 'disable', reason, slowDown, quietUntil };

  const delayMs = plan.delaysMs[tries - 1];
  if (delayMs === undefined) return { ...afterLastTry(input, { reason, quietUntil }), slowDown, quietUntil };
  const at = Math.max(now + spread(delayMs, plan.jitter, dice), quietUntil ?? 0);
  return { next: 'retry', at, counted: true, reason, slowDown, quietUntil };
}

function afterLastTry(
  { plan, onFailure, tries, now, dice }: DecideInput,
  { reason, quietUntil }: { reason: string; quietUntil: number | null },
): NextStep {
  if (onFailure === 'park') {
    return { next: 'parked', reason: `parked after ${tries} ${tries === 1 ? 'try' : 'tries'}: ${reason}` };
  }
  if (onFailure !== 'block') return { next: 'dead', reason };
  const delayMs = plan.delaysMs.at(-1) ?? BLOCKED_DELAY_MS;
  return { next: 'blocked', at: Math.max(now + spread(delayMs, plan.jitter, dice), quietUntil ?? 0), reason };
}

/** Which statuses are a success. */
export type Success = 'exactly-200' | '2xx';

/** Any 2xx, unless it must be exactly 200. */
export function isSuccess(outcome: Outcome, success: Success = '2xx'): boolean {
  return outcome.kind === 'response' && isGoodStatus(outcome.status, success);
}

/** Is this status one? */
export function isGoodStatus(status: number, success: Success): boolean {
  return success === 'exactly-200' ? status === 200 : status >= 200 && status < 300;
}

function asksToSlowDown(outcome: Outcome): boolean {
  if (outcome.kind === 'failure') return outcome.code === 'timeout';
  return outcome.status === 429 || outcome.status >= 500;
}

function retryAfterOf(outcome: Outcome, now: number): number | null {
  const asks = outcome.kind === 'response' && PATIENCE_STATUSES.has(outcome.status);
  return asks ? parseRetryAfter(outcome.retryAfter, now) : null;
}

function spread(delayMs: number, jitter: number, dice: number): number {
  return Math.round(delayMs * (1 + jitter * (2 * dice - 1)));
}

const SECONDS = /^(\d+)(?:\.(\d*))?$/;

/**
 * The instant (epoch ms) a `Retry-After` names: seconds, decimals rounded up, or an HTTP-date; never before now and
 * never later than {@link RETRY_AFTER_CAP_MS} from now. Null when absent or neither of the two (RFC 9110 10.2.3, wire 3).
 */
export function parseRetryAfter(value: string | null, now: number): number | null {
  const text = value?.trim() ?? '';
  const seconds = SECONDS.exec(text);
  const at = seconds === null ? parseHttpDate(text, now) : now + Math.ceil(Number(text)) * 1_000;
  return at === null ? null : Math.min(Math.max(at, now), now + RETRY_AFTER_CAP_MS);
}

const TIME = '(\\d{2}):(\\d{2}):(\\d{2})';
const IMF_FIXDATE = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\\d{2}) ([A-Z][a-z]{2}) (\\d{4}) ${TIME} GMT$`);
const RFC_850 = new RegExp(
  `^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (\\d{2})-([A-Z][a-z]{2})-(\\d{2}) ${TIME} GMT$`,
);
const ASCTIME = new RegExp(`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) ([A-Z][a-z]{2}) ([ \\d]\\d) ${TIME} (\\d{4})$`);
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** The three forms of an HTTP-date (RFC 9110 5.6.7) as epoch ms; null for anything else, impossible dates included. */
export function parseHttpDate(text: string, now: number): number | null {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return utc([imf[3], imf[2], imf[1]], imf.slice(4));
  const asctime = ASCTIME.exec(text);
  if (asctime) return utc([asctime[6], asctime[1], asctime[2]], asctime.slice(3, 6));
  const rfc850 = RFC_850.exec(text);
  if (!rfc850) return null;
  // Two digits stand for the year nearest to this one.
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear + ((Number(rfc850[3]) - (thisYear % 100) + 150) % 100) - 50;
  return utc([String(year), rfc850[2], rfc850[1]], rfc850.slice(4));
}

type Day = [year: string | undefined, month: string | undefined, day: string | undefined];

function utc([year, month = '', day]: Day, time: readonly string[]): number | null {
  const [hours = 0, minutes = 0, seconds = 0] = time.map(Number);
  const monthIndex = MONTHS.indexOf(month);
  const midnight = Date.UTC(Number(year), monthIndex, Number(day));
  // Rolled over: there is no such day or time. A leap second is the first second after it.
  const isReal = monthIndex >= 0 && new Date(midnight).getUTCDate() === Number(day);
  return isReal && hours < 24 && minutes < 60 && seconds <= 60
    ? midnight + ((hours * 60 + minutes) * 60 + seconds) * 1_000
    : null;
}
