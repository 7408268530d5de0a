// `bellwire workspaces`: the tenants of the installation.
import type { Command } from 'commander';
import type { WorkspaceOut } from '../../api/workspaces.ts';
import { formatSpan, parseSize, parseSpan } from '../../model/quantities.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { lister } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';

type Limits = WorkspaceOut['limits'];

const COLUMNS: readonly Column<WorkspaceOut>[] = [
  { head: 'ID', of: ({ id }) => id },
  { head: 'NAME', of: ({ name }) => name, least: 10 },
  { head: 'EVENTS/DAY', of: ({ limits }) => shown(limits.eventsPerDay) },
  { head: 'BYTES/DAY', of: ({ limits }) => shown(limits.bytesPerDay) },
  { head: 'WEBHOOKS', of: ({ limits }) => shown(limits.webhooks) },
  { head: 'SUBSCRIPTIONS', of: ({ limits }) => shown(limits.subscriptions) },
  { head: 'TYPES', of: ({ limits }) => shown(limits.eventTypes) },
];

function shown(limit: number | null): string {
  return limit === null ? '–' : String(limit);
}

interface LimitOptions {
  eventsPerDay?: string;
  bytesPerDay?: string;
  webhooks?: string;
  subscriptions?: string;
  eventTypes?: string;
}

export const workspaces: Declare = (command, run) => {
  command.command('list').description('List the workspaces; – is no limit').action(run(list));
  limitOptions(command.command('add <name>').description('Make a workspace')).action(run(add));
  limitOptions(command.command('limit <workspace>').description('Change its limits')).action(run(limit));
  command
    .command('retain <workspace>')
    .description('Change how long it keeps what is finished; default is as long as the installation')
    .option('--events <span>', 'Events, such as 7d; so long a duplicate is known, too')
    .option('--deliveries <span>', 'Deliveries that have ended, with their attempts')
    .option('--idempotency <span>', 'First answers of requests with an Idempotency-Key')
    .option('--changes <span>', 'The history of webhooks, and operations that have ended')
    .option('--runs <span>', 'Runs of jobs and policy sets that have ended')
    .action(run(retain));
  command
    .command('rm <workspace>')
    .description('Delete it with everything it holds')
    .option('--yes', 'Do not ask')
    .action(run(remove));
};

function limitOptions(command: Command): Command {
  return command
    .option('--events-per-day <n>', 'Events it may publish in a UTC day; none is unlimited')
    .option('--bytes-per-day <size>', 'Their bytes, such as 10MB')
    .option('--webhooks <n>', 'Webhooks it may have')
    .option('--subscriptions <n>', 'Subscriptions it may have')
    .option('--event-types <n>', 'Event types of its own it may have');
}

function limitsOf({ bytesPerDay, ...counts }: LimitOptions): Partial<Limits> {
  const limits: Partial<Limits> = {};
  for (const [name, text] of Object.entries(counts)) limits[name as keyof Limits] = countOf(name, text);
  if (bytesPerDay !== undefined) {
    const bytes = bytesPerDay === 'none' ? null : parseSize(bytesPerDay);
    if (bytes === null && bytesPerDay !== 'none')
      throw usage(`--bytes-per-day takes a size such as 10MB or none, not "${bytesPerDay}"`);
    limits.bytesPerDay = bytes;
  }
  return limits;
}

function countOf(name: string, text: string): number | null {
  if (text === 'none') return null;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw usage(`--${option} takes a whole number or none, not "${text}"`);
}

/** The options that are limits, and no others. */
function limitsIn({ eventsPerDay, bytesPerDay, webhooks, subscriptions, eventTypes }: LimitOptions): LimitOptions {
  const all = { eventsPerDay, bytesPerDay, webhooks, subscriptions, eventTypes };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

const list = lister({
  find: ({ workspaces: all }, { signal }) => all.list({ signal }),
  columns: COLUMNS,
  none: 'There is no workspace.',
});

async function add(session: Session, options: LimitOptions, [name]: [string]): Promise<void> {
  const limits = limitsOf(limitsIn(options));
  const made = await (await session.client()).workspaces.create({ name, limits }, { signal: session.signal });
  session.show(made, () => [`${made.name} (${made.id}) is there; act on it with --workspace ${made.name}`]);
}

async function limit(session: Session, options: LimitOptions, [name]: [string]): Promise<void> {
  const limits = limitsOf(limitsIn(options));
  if (Object.keys(limits).length === 0) throw usage('workspaces limit needs a limit, such as --webhooks 20');
  const now = await (await session.client()).workspaces.limit(name, limits, { signal: session.signal });
  const { eventsPerDay, bytesPerDay, webhooks, subscriptions, eventTypes } = now.limits;
  session.show(now, () =>
    session.facts({
      workspace: now.name,
      'events per day': eventsPerDay ?? 'unlimited',
      'bytes per day': bytesPerDay ?? 'unlimited',
      webhooks: webhooks ?? 'unlimited',
      subscriptions: subscriptions ?? 'unlimited',
      'event types': eventTypes ?? 'unlimited',
    }),
  );
}

type SpanName = 'events' | 'deliveries' | 'idempotency' | 'changes' | 'runs';

async function retain(session: Session, options: Partial<Record<SpanName, string>>, [name]: [string]): Promise<void> {
  const spans: Partial<WorkspaceOut['retention']> = {};
  for (const span of ['events', 'deliveries', 'idempotency', 'changes', 'runs'] as const) {
    const text = options[span];
    if (text !== undefined) spans[`${span}Ms`] = spanOf(span, text);
  }
  if (Object.keys(spans).length === 0) throw usage('workspaces retain needs a span, such as --events 7d');
  const now = await (await session.client()).workspaces.retain(name, spans, { signal: session.signal });
  const shownSpan = (ms: number | null): string => (ms === null ? 'as the installation' : formatSpan(ms));
  session.show(now, () =>
    session.facts({
      workspace: now.name,
      events: shownSpan(now.retention.eventsMs),
      deliveries: shownSpan(now.retention.deliveriesMs),
      idempotency: shownSpan(now.retention.idempotencyMs),
      changes: shownSpan(now.retention.changesMs),
      runs: shownSpan(now.retention.runsMs),
    }),
  );
}

function spanOf(name: SpanName, text: string): number | null {
  if (text === 'default') return null;
  const ms = parseSpan(text);
  if (ms === null) throw usage(`--${name} takes a span such as 7d or default, not "${text}"`);
  return ms;
}

async function remove(session: Session, { yes = false }: { yes?: boolean }, [name]: [string]): Promise<void> {
  const client = await session.client();
  if (!yes) await confirmDeath(session, name);
  await client.workspaces.delete(name, { signal: session.signal });
  session.show({ deleted: name }, () => [`${name} is gone`]);
}

async function confirmDeath({ terminal, signal }: Session, name: string): Promise<void> {
  if (terminal.stdin.isTTY !== true)
    throw usage('this deletes all its events, webhooks and keys: say --yes to mean it');
  const { isCancel, text } = await import('@clack/prompts');
  const message = `All events, webhooks and subscriptions of ${name} are deleted. Type its name to go on`;
  const typed = await text({ message, input: terminal.stdin, output: terminal.stderr, signal, withGuide: false });
  if (isCancel(typed) || typed !== name) throw new Failure('nothing was deleted', EXIT.interrupted, 'interrupted');
}
