// Webhooks by the names people gave them, for rows and facts that know only an id.
import type { Client } from '../client/index.ts';

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
