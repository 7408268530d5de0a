// The whole platform as its users meet it: over HTTP, with webhooks that are registered, subscribed and waited for.
import type { TestContext } from 'node:test';
import { AUDIT, auditEvent, BATCHED, startApi, STRUCTURED, type ApiGround } from '../../server/test/api-ground.ts';
import type { Clock } from '../../server/src/model/clock.ts';
import { eventually } from './handler.ts';

export { AUDIT, auditEvent };

type Json = Record<string, unknown>;

export interface Life extends ApiGround {
  /** Registers a webhook, subscribed to the audit log; resolves when it is in this state, null to wait for none. */
  webhook(body: Json, state?: string | null): Promise<string>;
  subscribe(webhook: string, type?: string, filter?: string): Promise<Json>;
  /** Waits until the webhook is in this state; resolves it as it is shown. */
  state(webhook: string, state: string): Promise<Json>;
  /** Publishes one event of the audit log; resolves the platform's id of it. */
  publish(over?: Json): Promise<string>;
  /** Publishes that many in batches of 500; resolves their own ids. */
  publishMany(count: number): Promise<string[]>;
  /** The deliveries of a webhook that are in this state, at most 200. */
  deliveries(webhook: string, state?: string): Promise<Json[]>;
  /** Waits until this many deliveries of a webhook are in this state; resolves them. */
  settled(webhook: string, state: string, count?: number): Promise<Json[]>;
  /** A delivery with its attempts, the first one first. */
  attempts(delivery: string): Promise<Json[]>;
}

/** Settings by which what takes hours takes moments. */
const QUICK = { challenge: { interval: '30ms', timeout: '500ms' }, delivery: { jitter: 0 } };

/** Starts a platform in dev mode with quick challenges; it ends with the test. */
export async function startLife(t: TestContext, overrides: object = {}, clock?: Clock): Promise<Life> {
  const api = await startApi(t, { ...QUICK, ...overrides }, clock);
  const life: Life = {
    ...api,
    async webhook(body, state = 'active') {
      const { id } = await api.expect(201, 'POST /v1/webhooks', { body: { name: `hook ${++names}`, ...body } });
      await life.subscribe(id as string);
      if (state !== null) await life.state(id as string, state);
      return id as string;
    },
    async subscribe(webhook, type = AUDIT, filter) {
      const answered = await api.ask('POST /v1/subscriptions', {
        body: { webhook, type, ...(filter ? { filter } : {}) },
      });
      return answered.json;
    },
    state: (webhook, state) =>
      eventually(`${webhook} is ${state}`, async () => {
        const shown = await api.expect(200, `GET /v1/webhooks/${webhook}`);
        return shown['state'] === state && shown;
      }),
    async publish(over = {}) {
      const answered = await api.expect(202, 'POST /v1/events', { body: auditEvent(over), headers: STRUCTURED });
      return (answered['accepted'] as { event: string }[])[0]!.event;
    },
    async publishMany(count) {
      const ids: string[] = [];
      while (ids.length < count) {
        const events = Array.from({ length: Math.min(500, count - ids.length) }, () => auditEvent());
        await api.expect(202, 'POST /v1/events', { body: events, headers: BATCHED });
        ids.push(...events.map(({ id }) => id as string));
      }
      return ids;
    },
    async deliveries(webhook, state) {
      const query = state ? `&state=${state}` : '';
      return (await api.expect(200, `GET /v1/deliveries?limit=200&webhook=${webhook}${query}`))['items'] as Json[];
    },
    settled: (webhook, state, count = 1) =>
      eventually(`${count} deliveries of ${webhook} are ${state}`, async () => {
        const found = await life.deliveries(webhook, state);
        return found.length === count && found;
      }),
    attempts: async (delivery) => (await api.expect(200, `GET /v1/deliveries/${delivery}`))['attempts'] as Json[],
  };
  return life;
}

let names = 0;
