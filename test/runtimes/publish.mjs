// By the installed client: registers the handler, waits until it has proved itself, and publishes an event to it.
import { setTimeout as pause } from 'node:timers/promises';
import { createClient } from 'bellwire';

const [url, key, handler] = process.argv.slice(2);
const client = createClient({ url, key });
const type = 'com.example.order.created';

await client.eventTypes.put(type, { description: 'An order was made.' });
const { id } = await client.webhooks.create({ name: 'orders', url: handler, secret: 's3cr3tKey' });
while ((await client.webhooks.get(id)).state !== 'active') await pause(20);
await client.subscriptions.create({ webhook: id, type });
await client.events.publish({ id: 'order-7', source: '//shop.example.com', type, data: { order: 7 } });
