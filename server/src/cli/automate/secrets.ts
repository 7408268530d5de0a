// `bellwire secret`: values that flows name and nobody sees again.
import type { SecretOut } from '../../api/flows/secrets.ts';
import { usage } from '../failure.ts';
import { lister } from '../listing.ts';
import { hiddenSecret } from '../secret.ts';
import type { Declare, Session } from '../session.ts';

export const secrets: Declare = (command, run) => {
  command.command('list').description('List the names of the secrets').action(run(list));
  command
    .command('set <name>')
    .description('Set a secret; its value comes from stdin, or is asked for, unseen')
    .action(run(set));
  command.command('delete <name>').alias('rm').description('Delete a secret').action(run(remove));
};

const list = lister<SecretOut>({
  find: ({ secrets: all }, { signal }) => all.list({ signal }),
  columns: [
    { head: 'NAME', of: ({ name }) => name, least: 12 },
    { head: 'SET', of: ({ updatedAt }) => updatedAt },
  ],
  none: 'There is no secret yet: bellwire secret set <name>',
});

async function set(session: Session, _options: object, [name]: [string]): Promise<void> {
  const value = await hiddenSecret(session);
  if (value === '') throw usage('the value of a secret comes from stdin, and nothing came');
  const { client, signal } = session;
  const kept = await (await client()).secrets.set(name, value, { signal });
  session.show(kept, () => [`${kept.name} is set; flows say \${ secret.${kept.name} }`]);
}

async function remove(session: Session, _options: object, [name]: [string]): Promise<void> {
  const { client, signal } = session;
  await (await client()).secrets.delete(name, { signal });
  session.show({ deleted: name }, () => [`${name} is gone`]);
}
