// `bellwire services`: the publishers of the catalog.
import type { ServiceOut } from '../../api/services.ts';
import { lister } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';

const COLUMNS: readonly Column<ServiceOut>[] = [
  { head: 'SERVICE', of: ({ service }) => service, least: 12 },
  { head: 'DESCRIPTION', of: ({ description }) => description, least: 12 },
];

export const services: Declare = (command, run) => {
  command.command('list').description('List the services').action(run(list));
  command
    .command('add <service>')
    .description('Register a service; the same again is harmless')
    .option('--description <text>', 'What it is')
    .action(run(add));
  command.command('rm <service>').description('Delete a service that has no event types').action(run(remove));
};

const list = lister({
  find: ({ services: all }, { signal }) => all.list({ signal }),
  columns: COLUMNS,
  none: 'There is no service yet: bellwire services add <service>',
});

async function add(session: Session, { description }: { description?: string }, [service]: [string]): Promise<void> {
  const { client, signal } = session;
  const made = await (await client()).services.put({ service, description }, { signal });
  session.show(made, () => [`${made.service} is registered`]);
}

async function remove(session: Session, _options: object, [service]: [string]): Promise<void> {
  const { client, signal } = session;
  await (await client()).services.delete(service, { signal });
  session.show({ deleted: service }, () => [`${service} is gone`]);
}
