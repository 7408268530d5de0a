// `bellwire subscribe`, `unsubscribe`, `subscriptions`: which webhook gets the events of which type.
import type { SubscriptionOut } from '../../api/subscriptions.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { lister } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { webhookId, webhookNames, type WebhookNames } from './webhook-names.ts';

/** The columns, with webhooks by name: name and type are enough for `unsubscribe`, so the id is the first to give way. */
function columnsWith(webhookOf: WebhookNames): readonly Column<SubscriptionOut>[] {
  return [
    { head: 'WEBHOOK', of: ({ webhook }) => webhookOf(webhook).name, least: 10 },
    { head: 'TYPE', of: ({ type }) => type, least: 20, keepEnd: true },
    { head: 'FILTER', of: ({ filter }) => filter ?? '', least: 10 },
    { head: 'ID', of: ({ id }) => id, optional: true },
  ];
}

export const subscribe: Declare = (command, run) => {
  command
    .argument('<webhook>', 'Its id or name')
    .argument('<type>', 'An event type, or a pattern that ends in .*')
    .option('--filter <expression>', "Only events that fit, such as: category eq 'login'; docs/filters.md")
    .action(run(add));
};

export const unsubscribe: Declare = (command, run) => {
  command
    .argument('<subscription>', 'The subscription’s id, or the webhook’s id or name')
    .argument('[type]', 'The type, where the webhook is named')
    .action(run(remove));
};

export const subscriptions: Declare = (command, run) => {
  const addList = (to: typeof command) =>
    to
      .description('List the subscriptions')
      .option('--webhook <webhook>', 'Only those of this webhook, by id or name')
      .action(run(list));
  // `subscriptions` alone lists them, too: there is nothing else it could mean.
  addList(command);
  addList(command.command('list'));
};

async function add(session: Session, { filter }: { filter?: string }, [named, type]: [string, string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const webhook = await webhookId(client, named, signal);
  const made = await client.subscriptions.create({ webhook, type, filter }, { signal });
  session.show(made, () => [
    `${named} gets ${made.type} from now on (${made.id})`,
    ...(made.note === undefined ? [] : [made.note]),
  ]);
}

async function remove(session: Session, _options: object, [named, type]: [string, string?]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const ids = named.startsWith('sub_') ? [named] : await find(session, named, type);
  for (const id of ids) {
    await client.subscriptions.delete(id, { signal });
    session.show({ deleted: id }, () => [`${id} is gone; events accepted before are still delivered`]);
  }
}

/** The subscriptions of a webhook to one type, with every filter. */
async function find({ client, signal }: Session, named: string, type: string | undefined): Promise<string[]> {
  if (type === undefined)
    throw usage(`unsubscribe needs a subscription’s id, or a webhook and a type: unsubscribe ${named} <type>`);
  const found = await client();
  const webhook = await webhookId(found, named, signal);
  const all = await found.subscriptions.list({ webhook, signal }).all();
  const ids = all.filter((one) => one.type === type).map(({ id }) => id);
  if (ids.length > 0) return ids;
  throw new Failure(
    `${named} is not subscribed to ${type}; see: bellwire subscriptions --webhook ${named}`,
    EXIT.notFound,
    'not-found',
  );
}

const list = lister<SubscriptionOut, { webhook?: string }>({
  async find(client, { webhook: named, signal }) {
    const webhook = named === undefined ? undefined : await webhookId(client, named, signal);
    return client.subscriptions.list({ webhook, signal });
  },
  columns: async (client, signal) => columnsWith(await webhookNames(client, signal)),
  none: 'There is no subscription yet: bellwire subscribe <webhook> <type>',
});
