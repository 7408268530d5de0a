// Webhooks by the names people gave them: for arguments, and for rows and facts that know only an id.
import type { Client } from '../../client/index.ts';
import { didYouMean } from '../../model/near-names.ts';
import { EXIT, Failure } from '../failure.ts';

/** What is said of a webhook in one word each. */
export interface NamedWebhook {
  name: string;
  /** Undefined when there is no such webhook any more. */
  state?: string;
}

/** Looks webhooks up by id. One that was deleted keeps its id for a name. */
export type WebhookNames = (id: string) => NamedWebhook;

/** The names of all webhooks, by one request a page. */
export async function webhookNames(client: Client, signal: AbortSignal): Promise<WebhookNames> {
  const known = new Map<string, NamedWebhook>();
  for await (const { id, name, state } of client.webhooks.list({ signal })) known.set(id, { name, state });
  return (id) => known.get(id) ?? { name: id };
}

/** The id of a webhook that is named by id or by name. */
export async function webhookId(client: Client, named: string, signal: AbortSignal): Promise<string> {
  if (/^wh_[0-9a-z]+_[0-9a-z]+$/.test(named)) return named;
  const all = await client.webhooks.list({ signal }).all();
  const found = all.find(({ name }) => name === named);
  if (found !== undefined) return found.id;
  const near =
    didYouMean(
      named,
      all.map(({ name }) => name),
    ) || '; see: bellwire webhooks list';
  throw new Failure(`there is no webhook "${named}"${near}`, EXIT.notFound, 'not-found');
}
