// What the commands about jobs, policy sets and scenarios share: columns, facts, deletion, triggers.
import type { FlowDetailOut, FlowOut } from '../../api/flows/flows.ts';
import { triggerLines } from './push.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { plain } from '../terminal.ts';

/** Options of the lists. */
export interface FlowOptions {
  group?: string;
}

/** The columns of a list of flows. */
export const flowColumns: readonly Column<FlowOut>[] = [
  { head: 'ID', of: ({ id }) => String(id) },
  { head: 'NAME', of: ({ name }) => name, least: 12 },
  { head: 'GROUP', of: ({ group }) => group ?? '', least: 8, optional: true },
  { head: 'BEGINS BY', of: triggersOf, least: 8 },
  { head: 'ENABLED', of: ({ enabled }) => (enabled ? '' : 'no'), style: () => 'yellow' },
  { head: 'DESCRIPTION', of: ({ description }) => description, least: 8, optional: true },
];

function triggersOf({ cron, events, trigger, hook }: FlowOut): string {
  if (hook !== null) return hook.path;
  const all = [...cron.map(({ at }) => at), ...events.map(({ type }) => type), ...(trigger === null ? [] : ['http'])];
  return all.length === 0 ? 'hand' : all.join(', ');
}

/** The facts of a flow, and its document. */
export function flowFacts(flow: FlowDetailOut, session: Session): string[] {
  const { cron, events, trigger, hook, after } = flow;
  return [
    ...session.facts({
      name: flow.name,
      id: flow.id,
      description: flow.description,
      group: flow.group,
      enabled: flow.enabled ? null : 'no: only by hand',
      version: flow.version,
      cron: cron.map(({ at, timezone }) => `${at} (${timezone})`).join(', '),
      events: events.map(({ type, filter }) => (filter === null ? type : `${type} where ${filter}`)).join(', '),
      trigger: trigger === null ? null : `POST ${trigger.path}`,
      hook: hook === null ? null : `${hook.methods.join(', ')} ${hook.path}`,
      'verified by': hook === null ? null : verifiedBy(hook),
      shapes: hook?.shapes.join(', '),
      'when completed': after.completed.join(', '),
      'when failed': after.failed.join(', '),
      updated: flow.updatedAt,
    }),
    '',
    ...flow.source.trimEnd().split('\n').map(plain),
  ];
}

function verifiedBy({ verify, observe }: NonNullable<FlowOut['hook']>): string {
  if (verify === null) return 'nothing: anybody may call it';
  return observe ? `${verify}, observed only: nothing is refused` : verify;
}

/** Which of them a command is about. */
export type FlowWord = 'job' | 'policy' | 'scenario';

/** Deletes one. */
export async function removeFlow(session: Session, word: FlowWord, named: string): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const flows = { job: client.jobs, policy: client.policySets, scenario: client.scenarios }[word];
  await flows.delete(named, { signal });
  session.show({ deleted: named }, () => [`${named} is gone; what its runs left stays for a while`]);
}

/** Another URL and token for the trigger of one. */
export async function renewTrigger(session: Session, word: 'job' | 'policy', named: string): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const flow = await (word === 'job' ? client.jobs : client.policySets).renewTrigger(named, { signal });
  session.show(flow, () => [
    `${flow.name} has another trigger; the former one has ended`,
    ...(flow.trigger === null ? [] : triggerLines(flow.trigger, session)),
  ]);
}
