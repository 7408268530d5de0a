// `bellwire events`: what was accepted, as a list, one by one, and live.
import type { EventOut } from '../../api/events.ts';
import type { StreamDeliveryOut } from '../../api/stream.ts';
import type { StreamMessage } from '../../client/index.ts';
import { usage } from '../failure.ts';
import { countOf, limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { ago, columnsOf, clip, pad, plain, type Style } from '../terminal.ts';

const COLUMNS: readonly Column<EventOut>[] = [
  { head: 'EVENT', of: ({ event }) => event },
  { head: 'ACCEPTED', of: ({ acceptedAt }) => ago(acceptedAt, Date.now()) },
  { head: 'TYPE', of: ({ type }) => type, least: 18, keepEnd: true },
  { head: 'ID', of: ({ id }) => id, least: 8, optional: true },
];

interface ListOptions extends LimitOptions {
  type?: string;
  source?: string;
  since?: string;
  until?: string;
  oldestFirst?: boolean;
}

interface TailOptions {
  type?: string;
  after?: string;
  all?: boolean;
  deliveries?: boolean;
  count?: string;
}

export const events: Declare = (command, run) => {
  limitOptions(command.command('list').description('List events, the newest first'))
    .option('--type <type>', 'Only this type, or a pattern that ends in .*')
    .option('--source <source>', 'Only of this source')
    .option('--since <time>', 'Accepted at or after, such as 2026-11-22T09:30:00Z')
    .option('--until <time>', 'Accepted before')
    .option('--oldest-first', 'From the beginning')
    .action(run(list));
  command
    .command('show <event>')
    .description('Show an event')
    .option('--bytes', 'Its exact bytes, as they were accepted, and nothing else')
    .action(run(show));
  command
    .command('tail')
    .description('Follow events live, until Ctrl-C; it comes back by itself and skips none')
    .option('--type <type>', 'Only this type, or a pattern that ends in .*')
    .option('--after <event>', 'Begin after this event')
    .option('--all', 'Begin with the oldest event there is')
    .option('--deliveries', 'Show also what deliveries come to')
    .option('--count <n>', 'End after so many events')
    .action(run(tail));
};

const list = lister<EventOut, ListOptions>({
  find({ events: all }, { type, source, since, until, oldestFirst, signal, ...limit }) {
    const { count, page } = limitsOf(limit);
    const order = oldestFirst === true ? 'oldest-first' : 'newest-first';
    return upTo(count, all.list({ type, source, since, until, order, limit: page, signal }));
  },
  columns: COLUMNS,
  none: 'There is no such event: bellwire publish --help',
});

async function show(session: Session, { bytes }: { bytes?: boolean }, [id]: [string]): Promise<void> {
  const { signal, terminal } = session;
  const client = await session.client();
  if (bytes === true) {
    terminal.stdout.write(await client.events.bytes(id, { signal }));
    return;
  }
  const event = await client.events.get(id, { signal });
  session.show(event, () => [
    ...session.facts({ event: event.event, accepted: event.acceptedAt, note: event.note, trace: event.traceparent }),
    '',
    ...JSON.stringify(event.envelope, null, 2).split('\n').map(plainLine),
  ]);
}

function plainLine(line: string): string {
  return line.slice(0, line.search(/\S|$/)) + plain(line.trimStart());
}

async function tail(session: Session, options: TailOptions): Promise<void> {
  const { type, deliveries = false } = options;
  if (options.all === true && options.after !== undefined) throw usage('--all and --after exclude each other');
  let left = options.count === undefined ? Infinity : countOf(options.count, '--count');
  const client = await session.client();
  const stream = client.stream({
    type,
    after: options.all === true ? '0' : options.after,
    signal: session.signal,
    onOpen: () => session.note(`bellwire: ${listeningTo(options)}`),
    onBreak: ({ detail }) => session.note(`bellwire: ${detail}; coming back`),
  });
  for await (const message of stream) {
    if (message.kind === 'delivery' && !deliveries) continue;
    session.show(message, () => [lineOf(message, session)]);
    if (message.kind === 'event' && --left <= 0) break;
  }
}

function listeningTo({ type, deliveries = false }: TailOptions): string {
  const what = `${type === undefined ? 'events' : `events of ${type}`}${deliveries ? ' and what their deliveries come to' : ''}`;
  return plain(`waiting for ${what}; Ctrl-C ends it`);
}

const STYLES: Readonly<Record<string, Style>> = { event: 'cyan', delivered: 'green', dead: 'red', scheduled: 'yellow' };

function lineOf(message: StreamMessage, session: Session): string {
  const { at, name, id, text } = message.kind === 'event' ? eventParts(message.event) : deliveryParts(message.delivery);
  const head = `${session.paint('dim', at.slice(11, 19))}  ${session.paint(STYLES[name] ?? 'reset', pad(name, 9))}  ${id}  `;
  return head + clip(plain(text), columnsOf(session.terminal) - 23 - id.length, message.kind === 'event');
}

interface Parts {
  at: string;
  name: string;
  id: string;
  text: string;
}

function eventParts({ acceptedAt, type, event }: EventOut): Parts {
  return { at: acceptedAt, name: 'event', id: event, text: type };
}

function deliveryParts(outcome: StreamDeliveryOut): Parts {
  const { at, state, delivery, status, error, durationMs, attempt } = outcome;
  const text = `${error ?? status} in ${Math.round(durationMs)} ms, attempt ${attempt}`;
  return { at, name: state, id: delivery, text };
}
