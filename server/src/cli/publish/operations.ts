// `bellwire operations`, and the commands of webhooks that begin one: recover, redrive, replay.
import type { Command } from 'commander';
import type { OperationOut } from '../../api/operations.ts';
import type { Client } from '../../client/index.ts';
import { parseSpan } from '../../model/quantities.ts';
import { EXIT, usage } from '../failure.ts';
import { countOf, limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import { percent, untilEnded } from '../progress.ts';
import type { Declare, Run, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { ago, plain, type Style } from '../terminal.ts';
import { webhookId, webhookNames, type WebhookNames } from './webhook-names.ts';

const STYLES: Readonly<Record<OperationOut['state'], Style>> = {
  running: 'yellow',
  paused: 'dim',
  done: 'green',
  cancelled: 'dim',
  failed: 'red',
};

function columnsWith(webhookOf: WebhookNames): readonly Column<OperationOut>[] {
  return [
    { head: 'OPERATION', of: ({ id }) => id },
    { head: 'KIND', of: ({ kind }) => kind },
    { head: 'STATE', of: ({ state }) => state, style: ({ state }) => STYLES[state] },
    { head: 'DONE', of: ({ progress }) => percent(progress) },
    { head: 'RELEASED', of: ({ released }) => String(released) },
    { head: 'WEBHOOK', of: ({ webhook }) => (webhook === null ? 'all' : webhookOf(webhook).name), least: 8 },
    { head: 'BEGUN', of: ({ createdAt }) => ago(createdAt, Date.now()), optional: true },
  ];
}

export const operations: Declare = (command, run) => {
  limitOptions(
    command
      .command('list')
      .description('List operations, the newest first')
      .option('--state <state>', 'running, paused, done, cancelled or failed')
      .option('--webhook <webhook>', 'Only of this webhook, by id or name'),
  ).action(run(list));
  command
    .command('show <operation>')
    .description('Show an operation and how far it is')
    .option('--follow', 'Until it ends')
    .action(run(show));
  for (const [wish, summary] of Object.entries(WISHES)) {
    command
      .command(`${wish} <operation>`)
      .description(summary)
      .action(run((session: Session, _options: object, args: [string]) => tell(session, wish as Wish, args)));
  }
};

const WISHES = {
  pause: 'Let it rest; it releases nothing more until it is resumed',
  resume: 'Let it go on where it was',
  cancel: 'Cancel it; what it has released stays released',
} as const;

type Wish = keyof typeof WISHES;

interface BeginOptions {
  since?: string;
  until?: string;
  type?: string;
  filter?: string;
  pace?: string;
  all?: boolean;
  detach?: boolean;
}

/** Adds `recover`, `redrive` and `replay` to the commands of webhooks. */
export function declareOperations(command: Command, run: Run): void {
  beginOptions(command.command('recover <webhook>'), 'Accepted at or after: a time, or how long ago such as 2h')
    .description('Send it all that it should have got since a time and has not')
    .action(run(recover));
  beginOptions(command.command('redrive [webhook]'), 'Given up at or after: a time, or how long ago')
    .description('Try its dead letters again')
    .option('--until <time>', 'Given up before')
    .option('--all', 'Those of all webhooks')
    .action(run(redrive));
  beginOptions(command.command('replay <webhook>'), 'Accepted at or after: a time, or how long ago')
    .description('Send it events once more, as copies')
    .option('--until <time>', 'Accepted before')
    .option('--type <type>', 'This type, or a pattern that ends in .*; else what it is subscribed to')
    .option('--filter <filter>', 'Only events that match, as subscriptions have it')
    .action(run(replay));
}

function beginOptions(command: Command, since: string): Command {
  return command
    .option('--since <time>', since)
    .option('--pace <n>', 'Deliveries per second')
    .option('--detach', 'Begin it and come back at once');
}

async function recover(session: Session, options: BeginOptions, [named]: [string]): Promise<number> {
  const { since, pace } = asked(options);
  if (since === undefined) throw usage('webhooks recover needs --since: a time, or how long ago such as 2h');
  return begin(session, options, async (client, signal) =>
    client.webhooks.recover(await webhookId(client, named, signal), { since, ...pace }, { signal }),
  );
}

async function redrive(session: Session, options: BeginOptions, [named]: [string | undefined]): Promise<number> {
  const { since, until, pace } = asked(options);
  if ((named === undefined) !== (options.all === true)) throw usage('webhooks redrive needs a webhook, or --all');
  const wish = { ...optional({ since, until }), ...pace };
  return begin(session, options, async (client, signal) =>
    named === undefined
      ? client.deliveries.redrive(wish, { signal })
      : client.webhooks.redrive(await webhookId(client, named, signal), wish, { signal }),
  );
}

async function replay(session: Session, options: BeginOptions, [named]: [string]): Promise<number> {
  const { since, until, pace } = asked(options);
  const { type, filter } = options;
  const wish = { ...optional({ since, until, type, filter }), ...pace };
  return begin(session, options, async (client, signal) =>
    client.webhooks.replay(await webhookId(client, named, signal), wish, { signal }),
  );
}

function optional<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function asked({ since, until, pace }: BeginOptions): {
  since: string | undefined;
  until: string | undefined;
  pace: { pace?: number };
} {
  return {
    since: timeOf(since),
    until: timeOf(until),
    pace: pace === undefined ? {} : { pace: countOf(pace, '--pace') },
  };
}

// What is no span is a time, and judged by the platform.
function timeOf(text: string | undefined): string | undefined {
  const span = text === undefined || /^\d+$/.test(text) ? null : parseSpan(text);
  return span === null ? text : new Date(Date.now() - span).toISOString();
}

async function begin(
  session: Session,
  { detach }: BeginOptions,
  ask: (client: Client, signal: AbortSignal) => Promise<OperationOut>,
): Promise<number> {
  const client = await session.client();
  const begun = await ask(client, session.signal);
  if (begun.note !== null) session.note(plain(begun.note));
  if (detach === true) {
    session.show(begun, () => [`${begun.id} goes on by itself: bellwire operations show ${begun.id} --follow`]);
    return EXIT.ok;
  }
  session.note(`${begun.id}: Ctrl-C leaves it running; bellwire operations cancel ${begun.id} ends it`);
  return follow(session, client, begun);
}

/** Shows a line of progress until it ends; 1 when it did not get to its end. */
async function follow(session: Session, client: Client, begun: OperationOut): Promise<number> {
  const ask = (): Promise<OperationOut> => client.operations.get(begun.id, { signal: session.signal });
  const shown = (now: OperationOut): string => (now.state === 'paused' ? `paused: ${lineOf(now)}` : lineOf(now));
  const ended = await untilEnded(session, begun, { ask, lineOf: shown });
  session.show(ended, () => [session.paint(STYLES[ended.state], ended.state) + `: ${lineOf(ended)}`]);
  return ended.state === 'done' ? EXIT.ok : EXIT.failed;
}

function lineOf({ kind, progress, released, skipped, pace, reason }: OperationOut): string {
  const why = reason === null ? '' : `; ${plain(reason)}`;
  return `${kind} ${percent(progress)}, ${released} released, ${skipped} skipped, at most ${pace} per second${why}`;
}

const list = lister<OperationOut, LimitOptions & { state?: string; webhook?: string }>({
  async find(client, { state, webhook: named, signal, ...limit }) {
    const { count, page } = limitsOf(limit);
    const webhook = named === undefined ? undefined : await webhookId(client, named, signal);
    // Which states there are is judged by the platform.
    const query = { state: state as OperationOut['state'] | undefined, webhook, limit: page, signal };
    return upTo(count, client.operations.list(query));
  },
  columns: async (client, signal) => columnsWith(await webhookNames(client, signal)),
  none: 'There is no operation.',
});

async function show(session: Session, options: { follow?: boolean }, [id]: [string]): Promise<number> {
  const client = await session.client();
  const one = await client.operations.get(id, { signal: session.signal });
  if (options.follow === true) return follow(session, client, one);
  session.show(one, () =>
    session.facts({
      operation: one.id,
      kind: one.kind,
      webhook: one.webhook ?? 'all',
      state: one.reason === null ? one.state : `${one.state}: ${one.reason}`,
      done: percent(one.progress),
      looked: one.looked,
      released: one.released,
      skipped: one.skipped,
      pace: `${one.pace} per second`,
      since: one.since,
      until: one.until,
      type: one.type,
      filter: one.filter,
      note: one.note,
      begun: one.createdAt,
      ended: one.endedAt,
    }),
  );
  return EXIT.ok;
}

async function tell(session: Session, wish: Wish, [id]: [string]): Promise<void> {
  const one = await (await session.client()).operations[wish](id, { signal: session.signal });
  session.show(one, () => [`${one.id} is ${one.state}: ${lineOf(one)}`]);
}
