// Sets the measured platform up over its API: one type, so many webhooks, all subscribed.
import { createClient } from '../server/src/client/index.ts';

/** What the load publishes where nothing else is said. */
export const TYPE = 'com.example.bench.v1';

/** A platform to be set up, by a key of a workspace or of the installation. */
export interface Address {
  url: string;
  key: string;
}

/** Subscribes `fanout` webhooks, whose URLs begin with `target`, to a type; their ids. */
export async function subscribe(
  platform: Address,
  { fanout, target, type = TYPE }: { fanout: number; target: string; type?: string },
): Promise<string[]> {
  const client = createClient(platform);
  const ids: string[] = [];
  for (let n = 1; n <= fanout; n++) {
    const name = `${type} ${n}`;
    const { id } = await client.webhooks.create({ name, url: `${target}${n}`, verification: 'none' });
    await client.subscriptions.create({ webhook: id, type });
    ids.push(id);
  }
  return ids;
}

/** Registers a type, as the installation. */
export async function register(platform: Address, type: string): Promise<void> {
  const client = createClient(platform);
  await client.services.put({ service: 'bench' });
  await client.eventTypes.put(type, { service: 'bench', description: 'An event of about 1 KB.' });
}
