// `bellwire group`: what jobs, policy sets and post-processings belong to.
import type { GroupOut } from '../../api/groups.ts';
import type { Client } from '../../client/index.ts';
import { didYouMean } from '../../model/near-names.ts';
import { EXIT, Failure } from '../failure.ts';
import { lister } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';

const COLUMNS: readonly Column<GroupOut>[] = [
  { head: 'NAME', of: ({ name }) => name, least: 12 },
  { head: 'ID', of: ({ id }) => id, optional: true },
];

export const groups: Declare = (command, run) => {
  command.command('list').description('List the groups').action(run(list));
  command.command('add <name>').description('Make a group').action(run(add));
  command.command('rename <group> <name>').description('Rename it').action(run(rename));
  command
    .command('rm <group>')
    .alias('delete')
    .description('Delete a group that nothing belongs to')
    .action(run(remove));
};

const list = lister<GroupOut>({
  find: ({ groups: all }, { signal }) => all.list({ signal }),
  columns: COLUMNS,
  none: 'There is no group yet: bellwire group add <name>',
});

async function add({ client, signal, show }: Session, _options: object, [name]: [string]): Promise<void> {
  const made = await (await client()).groups.create({ name }, { signal });
  show(made, () => [`${made.name} is made (${made.id})`]);
}

async function rename(session: Session, _options: object, [named, name]: [string, string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const renamed = await client.groups.rename(await groupId(client, named, signal), name, { signal });
  session.show(renamed, () => [`${named} is ${renamed.name} now`]);
}

async function remove(session: Session, _options: object, [named]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const id = await groupId(client, named, signal);
  await client.groups.delete(id, { signal });
  session.show({ deleted: id }, () => [`${named} is gone`]);
}

async function groupId(client: Client, named: string, signal: AbortSignal): Promise<string> {
  const all = await client.groups.list({ signal }).all();
  const found = all.find(({ id, name }) => name === named || id === named);
  if (found !== undefined) return found.id;
  const near =
    didYouMean(
      named,
      all.map(({ name }) => name),
    ) || '; see: bellwire group list';
  throw new Failure(`there is no group "${named}"${near}`, EXIT.notFound, 'not-found');
}
