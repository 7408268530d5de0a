// The delivery policy of a webhook on the command line: its options, and how it is shown.
import type { Command } from 'commander';
import type { WebhookIn, WebhookOut } from '../../api/webhooks.ts';
import { formatSpan, parseSize, parseSpan } from '../../model/quantities.ts';
import { usage } from '../failure.ts';
import { spanMs } from '../spans.ts';

type Policy = NonNullable<WebhookIn['policy']>;

/** What the options hold. */
export interface PolicyOptions {
  retryDelays?: string;
  timeout?: string;
  rate?: string;
  recovery?: string;
  order?: string;
  onFailure?: string;
  tries?: string;
  batch?: string;
}

/** Declares the options. */
export function policyOptions(command: Command): Command {
  return command
    .option('--retry-delays <spans>', 'Delays between tries such as 5s,1m,1h; "default" is the installation’s plan')
    .option('--timeout <span>', 'Deadline of one try such as 15s; "default" is the installation’s')
    .option('--rate <number>', 'Requests per minute at most; "none" is as many as it bears')
    .option('--recovery <kind>', 'What was held: in-order, or fresh-first beside it')
    .option('--order <order>', 'any, fifo, or fifo:<key> such as fifo:subject or fifo:data/user/id')
    .option('--on-failure <what>', 'Of the first one of a fifo: block, skip or park')
    .option('--batch <bounds>', 'Several in one request: 10,60s,1MiB at most; "default" is that, "none" each alone')
    .option('--tries <number>', 'Tries before skip or park; "default" is as many as the plan has');
}

/** What the options say, in the API's fields; undefined when they say nothing. What a value may be the platform judges. */
export function policyOf(options: PolicyOptions): Policy | undefined {
  const { retryDelays, timeout, rate, recovery } = options;
  const delays = retryDelays === 'default' ? null : retryDelays === '' ? [] : retryDelays?.split(',');
  const policy: Policy = {};
  if (delays !== undefined) policy.retryDelaysMs = delays && delays.map((one) => spanMs(one, '--retry-delays'));
  if (timeout !== undefined) policy.timeoutMs = timeout === 'default' ? null : spanMs(timeout, '--timeout');
  if (rate !== undefined) policy.rate = rate === 'none' ? null : wholeNumber(rate, '--rate');
  if (recovery !== undefined) policy.recovery = recovery as NonNullable<Policy['recovery']>;
  const order = orderOf(options);
  if (order !== undefined) policy.order = order;
  if (options.batch !== undefined) policy.batch = batchOf(options.batch);
  return Object.keys(policy).length > 0 ? policy : undefined;
}

function orderOf({ order, onFailure, tries }: PolicyOptions): Policy['order'] | undefined {
  if (order === undefined) {
    if (onFailure !== undefined || tries !== undefined) throw usage('--on-failure and --tries go with --order fifo');
    return undefined;
  }
  const at = order.indexOf(':');
  const kind = at < 0 ? order : order.slice(0, at);
  const wish: Record<string, unknown> = { kind };
  if (at >= 0) wish['key'] = order.slice(at + 1);
  if (onFailure !== undefined) wish['onFailure'] = onFailure;
  if (tries !== undefined && tries !== 'default') wish['tries'] = wholeNumber(tries, '--tries');
  return wish as Policy['order'];
}

// Each bound tells by its form what it bounds.
function batchOf(bounds: string): Policy['batch'] {
  if (bounds === 'none') return null;
  const batch: NonNullable<Policy['batch']> = {};
  if (bounds === 'default') return batch;
  for (const bound of bounds.split(',').map((one) => one.trim())) {
    const [span, bytes] = [parseSpan(bound), parseSize(bound)];
    if (/^\d{1,15}$/.test(bound)) batch.events = Number(bound);
    else if (span !== null) batch.waitMs = span;
    else if (bytes !== null) batch.bytes = bytes;
    else throw usage(`--batch takes bounds such as 10,60s,1MiB, or "default", or "none", not "${bound}"`);
  }
  return batch;
}

function wholeNumber(text: string, option: string): number {
  if (!/^\d{1,15}$/.test(text)) throw usage(`${option} takes a whole number, not "${text}"`);
  return Number(text);
}

/** The policy's lines of `webhooks show`. */
export function policyFacts({ retryDelaysMs, timeoutMs, rate, recovery, order, batch }: WebhookOut['policy']): {
  [name: string]: string | null;
} {
  return {
    'retry delays': retryDelaysMs?.map(formatSpan).join(', ') ?? null,
    timeout: timeoutMs === null ? null : formatSpan(timeoutMs),
    rate: rate === null ? null : `${rate} requests per minute`,
    recovery: recovery === 'in-order' ? null : 'fresh events first',
    order: orderInWords(order),
    batches: batch && `up to ${batch.events} events, ${formatSpan(batch.waitMs)}, ${batch.bytes} bytes`,
  };
}

function orderInWords({ kind, key, onFailure, tries }: WebhookOut['policy']['order']): string | null {
  if (kind === 'any') return null;
  const after = tries === null || tries === undefined ? '' : ` after ${tries} ${tries === 1 ? 'try' : 'tries'}`;
  return `fifo${key ? ` by ${key}` : ''}, ${onFailure} on failure${after}`;
}
