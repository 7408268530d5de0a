// Sets the measured platform up over its API: one type, so many webhooks, all subscribed.
import { createClient } from '../server/src/client/index.ts';

const TYPE = 'com.example.bench.v1';

/** Subscribes `fanout` webhooks, whose URLs begin with `target`, to the type that the load publishes. */
export async function subscribe(platform: { url: string; key: string }, fanout: number, target: string): Promise<void> {
  const client = createClient(platform);
  await client.services.put({ service: 'bench' });
  await client.eventTypes.put(TYPE, { service: 'bench', description: 'An event of about 1 KB.' });
  for (let n = 1; n <= fanout; n++) {
    const { id } = await client.webhooks.create({ name: `bench ${n}`, url: `${target}${n}`, verification: 'none' });
    await client.subscriptions.create({ webhook: id, type: TYPE });
  }
}
