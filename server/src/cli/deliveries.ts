// `bellwire deliveries`: what became of each event at each webhook.
import type { AttemptOut, DeliveryOut } from '../api/deliveries.ts';
import { countOf, upTo } from './events.ts';
import { EXIT } from './failure.ts';
import type { Declare, Session } from './session.ts';
import type { Column } from './table.ts';
import { ago, plain, type Style } from './terminal.ts';
import { webhookId } from './webhooks.ts';

const STYLES: Readonly<Record<DeliveryOut['state'], Style>> = {
  scheduled: 'yellow',
  held: 'yellow',
  delivered: 'green',
  dead: 'red',
};

const COLUMNS: readonly Column<DeliveryOut>[] = [
  { head: 'DELIVERY', of: ({ id }) => id },
  { head: 'STATE', of: ({ state }) => state, style: ({ state }) => STYLES[state] },
  { head: 'ATTEMPTS', of: ({ attemptCount }) => String(attemptCount) },
  { head: 'ACCEPTED', of: ({ createdAt }) => ago(createdAt, Date.now()) },
  { head: 'TYPE', of: ({ type }) => type, least: 18, keepEnd: true },
];

interface ListOptions {
  state?: string;
  webhook?: string;
  event?: string;
  limit?: string;
  all?: boolean;
}

export const deliveries: Declare = (command, run) => {
  command
    .command('list')
    .description('List deliveries, those of the newest events first')
    .option('--state <state>', 'scheduled, held, delivered or dead')
    .option('--webhook <webhook>', 'Only to this webhook, by id or name')
    .option('--event <event>', 'Only of this event')
    .option('--limit <n>', 'At most so many (20)')
    .option('--all', 'All of them')
    .action(run(list));
  command.command('show <delivery>').description('Show a delivery with every attempt').action(run(show));
  command
    .command('retry <delivery>')
    .description('Send it once more, now; exit code 1 when that fails')
    .action(run(retry));
};

async function list(session: Session, options: ListOptions): Promise<void> {
  const { signal } = session;
  const count = options.all === true ? Infinity : countOf(options.limit ?? '20', '--limit');
  const client = await session.client();
  const webhook = options.webhook === undefined ? undefined : await webhookId(client, options.webhook, signal);
  // Which states there are is judged by the platform.
  const state = options.state as DeliveryOut['state'] | undefined;
  const limit = Math.min(count, 500);
  const found = client.deliveries.list({ state, webhook, event: options.event, limit, signal });
  await session.table(upTo(count, found), COLUMNS, 'There is no such delivery.');
}

async function show(session: Session, _options: object, [id]: [string]): Promise<void> {
  const delivery = await (await session.client()).deliveries.get(id, { signal: session.signal });
  session.show(delivery, () => [
    ...session.facts({
      delivery: delivery.id,
      state: delivery.reason === null ? delivery.state : `${delivery.state}: ${delivery.reason}`,
      webhook: delivery.webhook,
      event: `${delivery.event} (${delivery.type})`,
      'event id': delivery.eventId,
      source: delivery.source,
      accepted: delivery.createdAt,
      'next try': delivery.dueAt,
      ended: delivery.endedAt,
    }),
    ...delivery.attempts.flatMap((attempt) => ['', ...attemptLines(attempt, session)]),
  ]);
}

/** How much of an answer is shown; --json has all that is kept. */
const SHOWN = 500;

function attemptLines(attempt: AttemptOut, { paint, facts }: Session): string[] {
  const { error, status, durationMs, startedAt, manual } = attempt;
  const mark = error === null ? paint('green', '✔') : paint('red', '✖');
  return [
    `${mark} attempt ${attempt.attempt}${manual ? ' (by hand)' : ''}`,
    ...facts({
      '  started': startedAt,
      '  took': `${Math.round(durationMs)} ms`,
      '  status': status,
      '  error': error,
      '  answer': attempt.response?.slice(0, SHOWN) ?? (attempt.responseBase64 === undefined ? null : 'no text'),
    }),
  ];
}

async function retry(session: Session, _options: object, [id]: [string]): Promise<number> {
  const { signal, paint } = session;
  const result = await (await session.client()).deliveries.retry(id, { signal });
  const { ok, status, durationMs, error } = result.outcome;
  session.show(result, () => [
    ok
      ? `${paint('green', '✔')} ${status} after ${durationMs} ms; the delivery is ${result.delivery.state}`
      : `${paint('red', '✖')} ${plain(error ?? `status ${status}`)}; the delivery is ${result.delivery.state}`,
  ]);
  return ok ? EXIT.ok : EXIT.failed;
}
