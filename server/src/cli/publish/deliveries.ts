// `bellwire deliveries`: what became of each event at each webhook.
import type { AttemptOut, DeliveryOut } from '../../api/deliveries.ts';
import { EXIT } from '../failure.ts';
import { limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { ago, ahead, plain, type Style } from '../terminal.ts';
import { webhookId, webhookNames, type WebhookNames } from './webhook-names.ts';

const STYLES: Readonly<Record<DeliveryOut['state'], Style>> = {
  scheduled: 'yellow',
  held: 'yellow',
  delivered: 'green',
  dead: 'red',
};

/** The columns, with webhooks by name. What tells who failed and why stays; type, attempts and age give way. */
function columnsWith(webhookOf: WebhookNames): readonly Column<DeliveryOut>[] {
  return [
    { head: 'DELIVERY', of: ({ id }) => id },
    { head: 'STATE', of: ({ state }) => state, style: ({ state }) => STYLES[state] },
    { head: 'WEBHOOK', of: ({ webhook }) => (webhook === null ? '' : webhookOf(webhook).name), least: 10 },
    {
      head: 'NEXT TRY',
      of: ({ state, dueAt }) => (state === 'scheduled' && dueAt !== null ? ahead(dueAt, Date.now()) : ''),
    },
    { head: 'REASON', of: (delivery) => reasonOf(delivery, webhookOf), least: 20 },
    { head: 'TYPE', of: ({ type }) => type, least: 18, keepEnd: true, optional: true },
    { head: 'ATTEMPTS', of: ({ attemptCount }) => String(attemptCount), optional: true },
    { head: 'ACCEPTED', of: ({ createdAt }) => ago(createdAt, Date.now()), optional: true },
  ];
}

/** Why it is not delivered: what the last try came to, or the state of the webhook that holds it. */
function reasonOf({ state, reason, webhook }: DeliveryOut, webhookOf: WebhookNames): string {
  if (state !== 'held' || webhook === null) return reason ?? '';
  const waiting = `the webhook is ${webhookOf(webhook).state ?? 'gone'}`;
  return reason === null ? waiting : `${waiting}; ${reason}`;
}

interface ListOptions extends LimitOptions {
  state?: string;
  webhook?: string;
  event?: string;
}

export const deliveries: Declare = (command, run) => {
  limitOptions(command.command('list').description('List deliveries, those of the newest events first'))
    .option('--state <state>', 'scheduled, held, delivered or dead')
    .option('--webhook <webhook>', 'Only to this webhook, by id or name')
    .option('--event <event>', 'Only of this event')
    .action(run(list));
  command
    .command('show <delivery>')
    .description('Show a delivery with every attempt')
    .option('--verbose', 'With the headers of each attempt and the whole answer, as they are kept')
    .action(run(show));
  command
    .command('retry <delivery>')
    .description('Send it once more, now; exit code 1 when that fails')
    .action(run(retry));
};

const list = lister<DeliveryOut, ListOptions>({
  async find(client, { state, webhook: named, event, signal, ...limit }) {
    const { count, page } = limitsOf(limit);
    const webhook = named === undefined ? undefined : await webhookId(client, named, signal);
    // Which states there are is judged by the platform.
    const query = { state: state as DeliveryOut['state'] | undefined, webhook, event, limit: page, signal };
    return upTo(count, client.deliveries.list(query));
  },
  columns: async (client, signal) => columnsWith(await webhookNames(client, signal)),
  none: 'There is no such delivery.',
});

async function show(session: Session, { verbose = false }: { verbose?: boolean }, [id]: [string]): Promise<void> {
  const { signal, json } = session;
  const client = await session.client();
  const delivery = await client.deliveries.get(id, { signal });
  const webhookOf = json ? null : await webhookNames(client, signal);
  session.show(delivery, () => [
    ...session.facts(factsOf(delivery, webhookOf as WebhookNames)),
    ...delivery.attempts.flatMap((attempt) => ['', ...attemptLines(attempt, { session, verbose })]),
  ]);
}

function factsOf(delivery: DeliveryOut, webhookOf: WebhookNames): Record<string, string | null> {
  const reason = reasonOf(delivery, webhookOf);
  return {
    delivery: delivery.id,
    state: reason === '' ? delivery.state : `${delivery.state}: ${reason}`,
    webhook: delivery.webhook === null ? null : namedFully(delivery.webhook, webhookOf),
    'post-processing': delivery.postProcessing,
    event: `${delivery.event} (${delivery.type})`,
    'event id': delivery.eventId,
    source: delivery.source,
    batch: delivery.batch,
    accepted: delivery.createdAt,
    'next try': delivery.state === 'scheduled' ? delivery.dueAt : null,
    ended: delivery.endedAt,
  };
}

function namedFully(webhook: string, webhookOf: WebhookNames): string {
  const { name, state } = webhookOf(webhook);
  return state === undefined ? `${name} (deleted)` : `${name} (${webhook}), ${state}`;
}

/** How much of an answer is shown unless more is asked for; the platform keeps 16 KiB. */
const SHOWN = 500;

function attemptLines(attempt: AttemptOut, { session, verbose }: { session: Session; verbose: boolean }): string[] {
  const { error, status, durationMs, startedAt, manual, response, responseBase64 } = attempt;
  const { paint, facts } = session;
  const mark = error === null ? paint('green', '✔') : paint('red', '✖');
  const answer = responseBase64 === undefined ? response : 'no text; --json has its bytes';
  return [
    `${mark} attempt ${attempt.attempt}${manual ? ' (by hand)' : ''}`,
    ...facts({
      '  started': startedAt,
      '  took': `${Math.round(durationMs)} ms`,
      '  status': status,
      '  error': error,
      '  answer': verbose ? answer : answer?.slice(0, SHOWN),
    }),
    ...(verbose ? headerLines(attempt, session) : []),
  ];
}

/** The headers of both sides; secrets were masked before they were stored. */
function headerLines({ requestHeaders, responseHeaders }: AttemptOut, { paint }: Session): string[] {
  const part = (title: string, headers: readonly (readonly unknown[])[]) =>
    headers.length === 0
      ? []
      : [`  ${paint('dim', title)}`, ...headers.map(([name, value]) => plain(`    ${String(name)}: ${String(value)}`))];
  return [...part('sent', Object.entries(requestHeaders)), ...part('received', responseHeaders ?? [])];
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
