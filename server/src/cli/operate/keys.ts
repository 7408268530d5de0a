// `bellwire keys`: who may do what, where.
import type { KeyIn, KeyOut } from '../../api/keys.ts';
import { lister } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';

const COLUMNS: readonly Column<KeyOut>[] = [
  { head: 'ID', of: ({ id }) => id },
  { head: 'NAME', of: ({ name }) => name, least: 10 },
  { head: 'SCOPES', of: ({ scopes }) => scopes.join(' ') },
  { head: 'WORKSPACES', of: ({ workspaces }) => workspaces?.join(' ') ?? 'all', least: 10 },
  { head: 'SERVICE', of: ({ service }) => service ?? '–', least: 8 },
];

interface AddOptions {
  scope: readonly string[];
  for?: readonly string[];
  allWorkspaces?: boolean;
  service?: string;
}

const collect = (one: string, all: readonly string[] | undefined) => [...(all ?? []), ...one.split(',')];

export const keys: Declare = (command, run) => {
  command.command('list').description('List the keys; never the keys themselves').action(run(list));
  command
    .command('add <name>')
    .description('Make a key; it is shown this once')
    .requiredOption('--scope <scopes>', 'publish, read, manage, pull; several parted by commas', collect)
    .option('--for <workspaces>', 'Workspaces it may act for; left out: the one acted on', collect)
    .option('--all-workspaces', 'It may act for all of them, those to come included')
    .option('--service <service>', 'It publishes the types of this service and manages nothing else')
    .action(run(add));
  command.command('rm <key>').description('Delete a key, by its id').action(run(remove));
};

const list = lister({
  find: ({ keys: all }, { signal }) => all.list({ signal }),
  columns: COLUMNS,
  none: 'There is no key: bellwire keys add <name>',
});

async function add(session: Session, options: AddOptions, [name]: [string]): Promise<void> {
  const { client, signal, paint } = session;
  const { scope, service } = options;
  const workspaces = options.allWorkspaces === true ? null : options.for;
  // Which scopes there are is judged by the platform.
  const body = { name, scopes: scope, workspaces, service } as unknown as KeyIn;
  const made = await (await client()).keys.create(body, { signal });
  session.show(made, () => [
    ...session.facts({ key: made.key, id: made.id }),
    paint('yellow', 'Keep it now: it is not shown again.'),
  ]);
}

async function remove(session: Session, _options: object, [id]: [string]): Promise<void> {
  await (await session.client()).keys.delete(id, { signal: session.signal });
  session.show({ deleted: id }, () => [`${id} is gone; who uses it is refused from now on`]);
}
