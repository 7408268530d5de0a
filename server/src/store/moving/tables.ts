// Which tables are carried. The list is the schema's own, so none that a migration adds can be forgotten; here is only what
// differs: what is made anew, and in whose words the others are counted.
import { MoveRefusal } from './ends.ts';
import type { Shape } from './rows.ts';

/** Tables that are not carried, each with the reason. */
export const MADE_ANEW: Readonly<Record<string, string>> = {
  migrations: 'the store that is filled has its own, with the words of its own engine',
  listeners: 'who listens asks the platform again, wherever it is',
  relays: 'requests on their way to a listener: the next try of their deliveries makes them anew',
};

/** The one table that a backup has and a store has not (backup-mark.ts). */
export const MARK = 'backup';

/** In whose words rows are counted: each table of the schema once, by the thing that people know. */
export const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'workspaces, settings': ['installation', 'workspaces', 'lanes', 'idempotency_keys'],
  'catalog, keys': ['services', 'event_types', 'api_keys'],
  'webhooks, subscriptions': ['webhooks', 'webhook_changes', 'subscriptions', 'burials', 'leases'],
  events: ['events', 'fanouts'],
  deliveries: ['deliveries'],
  attempts: ['attempts'],
  'operations, erasures': ['operations', 'erasures'],
  'jobs, policies, scenarios': [
    'groups',
    'post_processings',
    'flow_reports',
    'flows',
    'flow_versions',
    'flow_drafts',
    'flow_secrets',
    'former_secrets',
    'schedules',
    'hook_tombstones',
  ],
  'runs, requests': ['runs', 'run_steps', 'run_log', 'hook_requests'],
  'policy results': ['policy_rules', 'policy_results', 'policy_known', 'policy_history'],
  sheets: ['sheets', 'sheet_rows', 'sheet_changes'],
};

/**
 * The tables to be carried: all that a store of this schema has, as the empty target shows. What somebody else has put
 * beside them in a source is a stranger, and stays there. Throws {@link MoveRefusal} where one is not as it should be.
 */
export function carriedOf(
  source: readonly Shape[],
  target: readonly Shape[],
): { carried: Shape[]; strangers: string[] } {
  const given = new Map(source.map((shape) => [shape.name, shape]));
  const carried = target.filter(({ name }) => isCarried(name));
  for (const { name, columns } of carried) {
    const there = given.get(name);
    if (!there) throw new MoveRefusal(`the table ${name} is not there`);
    if (wordsOf(there.columns) !== wordsOf(columns)) {
      throw new MoveRefusal(`the table ${name} is not as its schema has it: ${wordsOf(there.columns)}`);
    }
  }
  const known = new Set(target.map(({ name }) => name));
  return { carried, strangers: [...given.keys()].filter((name) => !known.has(name) && name !== MARK) };
}

function isCarried(name: string): boolean {
  return !(name in MADE_ANEW) && name !== MARK;
}

function wordsOf(columns: Shape['columns']): string {
  return columns
    .map(({ name, kind }) => `${name} ${kind}`)
    .toSorted()
    .join(', ');
}
