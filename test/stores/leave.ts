// What only a crash leaves in a store, between two transactions of the platform: put there by the store's own verbs where
// they can be stopped in between.
import { openStore, type Store, type Webhook } from '../../server/src/store/index.ts';
import { openKeyring } from '../../server/src/store/keyring.ts';
import { runOn, addressOf } from './dump.ts';
import { KEY, type Place } from './installation.ts';

/**
 * Leaves a fan-out that nobody expands, an erasure and a burial that were only begun, a request on its way to a listener, a
 * workspace that is being deleted.
 */
export async function leave(place: Place): Promise<void> {
  const store = await openStore({
    address: addressOf(place),
    keyring: openKeyring({ keys: [KEY] }),
    node: 'freezing',
    limits: { fanout: 1, group: 1_000 },
    connections: 3,
    onError: () => undefined,
  });
  const burial = await leaveWork(store);
  await store.close();
  // The verb that deletes a webhook buries in the same breath what was open for it.
  await runOn(place, `INSERT INTO burials (workspace, target, deleted_at) VALUES (${burial.join(', ')})`);
  await runOn(
    place,
    `UPDATE deliveries SET state = 0, ended_at = NULL, reason = NULL WHERE workspace = ${burial[0]} AND target = ${burial[1]} AND reason = 'the webhook was deleted'`,
  );
}

async function leaveWork(store: Store): Promise<number[]> {
  const all = await store.settings.workspaces();
  const left = all.find(({ name }) => name === 'left-behind')!.workspace;
  const now = Date.now();
  const webhooks = await store.settings.webhooks(left);
  const [two, three] = ['two', 'three'].map((one) => webhooks.find(({ name }) => name === one)!) as [Webhook, Webhook];
  await publish(store, left, 'held-for-two');
  while (await store.log.expandFanouts(1_000, now));
  await store.settings.deleteWebhook({ workspace: left, target: two.webhook }, true, now);
  await publish(store, left, 'too-many-targets');
  await store.erasures.begin({ workspace: left, subject: 'left' }, now);
  const listened = { workspace: left, target: three.webhook };
  await store.relays.listen({
    ...listened,
    listener: null,
    takesOver: true,
    limit: 1,
    leaseMs: 1_000,
    waitingMs: 1_000,
    now,
  });
  const request = { method: 'POST', headers: ['x-secret', 'sealed'], body: new Uint8Array([1]), deadlineMs: 1_000 };
  await store.relays.ask(listened, request, { now, until: now + 1_000 });
  await store.settings.deleteWorkspace(all.find(({ name }) => name === 'deleted')!.workspace, now);
  return [left, two.webhook, now];
}

async function publish(store: Store, workspace: number, id: string): Promise<void> {
  const catalog = (await store.settings.catalog(workspace))!;
  const event = { specversion: '1.0', id, source: '//shop', type: 'com.example.left' };
  const { type, source } = event;
  const envelope = new TextEncoder().encode(JSON.stringify(event));
  const made = { id, source, type, attributes: event, data: null, envelope, note: null };
  const { kind } = await store.log.accept({ catalog, events: [made], acceptedAt: Date.now(), trace: null });
  if (kind !== 'accepted') throw new Error(`${id} was not accepted: ${kind}`);
}
