// What the store's tests put in: workspaces, webhooks, events, and what attempts came to.
import assert from 'node:assert/strict';
import type { PendingDelivery, Settlement } from '../src/model/delivery.ts';
import type {
  Accepted,
  AcceptResult,
  NewEvent,
  NewWebhook,
  Store,
  Webhook,
  WorkspaceLimits,
} from '../src/store/index.ts';

/** Noon of a day, so that spans of hours stay within it. */
export const NOON = Date.UTC(2026, 0, 15, 12);
/** One day in ms. */
export const DAY = 86_400_000;

const UNLIMITED: WorkspaceLimits = {
  eventsPerDay: null,
  bytesPerDay: null,
  webhooks: null,
  subscriptions: null,
  eventTypes: null,
};

/** Makes a workspace without limits but those given; resolves its number. */
export async function addWorkspace(
  store: Store,
  name = 'acme',
  limits: Partial<WorkspaceLimits> = {},
): Promise<number> {
  return (await store.settings.createWorkspace(name, { ...UNLIMITED, ...limits }, NOON)).workspace;
}

/** What a webhook is made of, unless said otherwise. */
export function newWebhook(workspace: number, name: string, over: Partial<NewWebhook> = {}): NewWebhook {
  return {
    workspace,
    name,
    description: '',
    url: `https://${name}.example/hook`,
    verification: 'challenge',
    signing: ['standard-v1'],
    format: 'structured',
    headers: {},
    retryDelaysMs: null,
    timeoutMs: null,
    rate: null,
    order: { kind: 'any' },
    recovery: 'in-order',
    publicKey: null,
    oauth: null,
    tls: null,
    secrets: {
      secret: 's3cr3tKey',
      secondarySecret: null,
      proved: 'secret',
      standardKeys: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'],
      signingKey: null,
      authorization: null,
      clientSecret: null,
      privateKey: null,
    },
    health: 'active',
    reason: 'made by a test',
    now: NOON,
    ...over,
  };
}

/** A workspace of a store. */
export interface Place {
  store: Store;
  workspace: number;
}

/** Makes an active webhook, subscribed to these types. */
export async function addWebhook({ store, workspace }: Place, name: string, ...types: string[]): Promise<Webhook> {
  const webhook = await store.settings.createWebhook(newWebhook(workspace, name));
  for (const type of types) await subscribe(store, webhook, { type });
  return webhook;
}

/** Subscribes; resolves the subscription's number. */
export async function subscribe(
  store: Store,
  { workspace, webhook }: Pick<Webhook, 'workspace' | 'webhook'>,
  { type, filter = null }: { type: string; filter?: string | null },
): Promise<number> {
  const made = await store.settings.createSubscription({ workspace, webhook, type, filter, now: NOON });
  return made.subscription.subscription;
}

/** A workspace with one active webhook that hears everything of `com.example`. */
export async function furnish(store: Store, name = 'acme'): Promise<Place & { webhook: Webhook; target: number }> {
  const place = { store, workspace: await addWorkspace(store, name) };
  const webhook = await addWebhook(place, 'all', 'com.example.*');
  return { ...place, webhook, target: webhook.webhook };
}

/** An event with an envelope as its publisher would have sent it. */
export function newEvent(id: string, over: Partial<NewEvent> = {}): NewEvent {
  const { source = '/tests', type = 'com.example.made', data = { n: 1 } } = over;
  const attributes = { specversion: '1.0', id, source, type };
  const envelope = new TextEncoder().encode(JSON.stringify({ ...attributes, data }));
  return { id, source, type, attributes, data, envelope, note: null, ...over };
}

/** Publishes events against the present catalog, as often as that proves stale. */
export async function publish(
  { store, workspace }: Place,
  events: readonly NewEvent[],
  acceptedAt = NOON,
): Promise<AcceptResult> {
  for (;;) {
    const catalog = await store.settings.catalog(workspace);
    if (!catalog) return { kind: 'gone' };
    const result = await store.log.accept({ catalog, events, acceptedAt, trace: null });
    if (result.kind !== 'stale') return result;
  }
}

/** Publishes events that must be accepted; resolves the answers. */
export async function mustPublish(place: Place, events: readonly NewEvent[], acceptedAt = NOON): Promise<Accepted[]> {
  return answers(await publish(place, events, acceptedAt));
}

/** The answers of a publish that must have been accepted. */
export function answers(result: AcceptResult): Accepted[] {
  assert.equal(result.kind, 'accepted', JSON.stringify(result));
  return result.kind === 'accepted' ? result.accepted : [];
}

/** Events with ids `<prefix>0`, `<prefix>1`, … */
export function someEvents(count: number, prefix = 'e', over: Partial<NewEvent> = {}): NewEvent[] {
  return Array.from({ length: count }, (_, i) => newEvent(`${prefix}${i}`, over));
}

/** Every delivery of a target that is due, as the engine would read it. */
export async function openOf({ store, workspace }: Place, target: number, now = NOON): Promise<PendingDelivery[]> {
  const { deliveries } = await store.log.refill({ workspace, target, now, after: null, limit: 100_000 });
  return deliveries;
}

/** A successful automatic try of a delivery, unless said otherwise. */
export function settlementOf(delivery: PendingDelivery, over: Partial<Settlement> = {}): Settlement {
  const { workspace, event, target, copy, tries, attempts, dueAt } = delivery;
  return {
    workspace,
    event,
    target,
    copy,
    next: { state: 'delivered', tries: tries + 1, dueAt, endedAt: NOON + 50, reason: null },
    firstTryAt: NOON + 10,
    attempt: {
      attempt: attempts + 1,
      manual: false,
      startedAt: NOON + 10,
      durationMs: 40,
      status: 200,
      error: null,
      requestHeaders: '{"content-type":"application/cloudevents+json"}',
      responseHeaders: '[["x-answer","yes"]]',
      response: new Uint8Array([0, 1, 2, 255]),
    },
    ...over,
  };
}

/** Settles without vitals and lanes. */
export async function settle(store: Store, ...settlements: Settlement[]): Promise<void> {
  const batch = { settlements, vitals: [], lanes: [], synced: true, now: NOON };
  assert.equal(await store.log.settle(batch), 'settled');
}

/** Bytes as a plain array, whichever class the engine hands out. */
export function bytes(of: Uint8Array | null): number[] | null {
  return of && [...of];
}
