// One event's journey, step by step, against a platform that runs: catalog, handler, webhook, challenge, publish, arrival.
import { randomBytes } from 'node:crypto';
import type { Client, NewEvent } from '../../client/index.ts';
import { pause } from '../../client/request.ts';
import type { DemoHandler, Seen } from './demo-handler.ts';
import { Failure } from '../failure.ts';

/** The event type of the source document. */
export const AUDIT_LOG = 'com.hpe.greenlake.audit-log.v1.logs.created';

/** The webhook that the demo registers, and finds again at its second start. */
const WEBHOOK = 'demo-handler';

/** Tells a step when it is done: its name, what happened in one line, and how long it took. */
export type Step = <Result>(name: string, work: () => Promise<{ text: string; result: Result }>) => Promise<Result>;

/** What a journey needs. */
export interface Journey {
  client: Client;
  handler: DemoHandler;
  /** What handler and platform share. */
  secret: string;
  step: Step;
  signal: AbortSignal;
}

/** How long anything here may take: the three attempts of a challenge and a little more. */
const PATIENCE_MS = 30_000;
/** How often the webhook's state is asked for. */
const POLL_MS = 20;

/** Plays the journey. Throws {@link Failure} that says what is in the way. */
export async function playJourney(journey: Journey): Promise<void> {
  const signal = AbortSignal.any([journey.signal, AbortSignal.timeout(PATIENCE_MS)]);
  try {
    await play({ ...journey, signal });
  } catch (error) {
    if (journey.signal.aborted || (error as Error).name !== 'TimeoutError') throw error;
    throw new Failure('the journey came to a halt; see: npx bellwire webhooks list, npx bellwire deliveries list');
  }
}

async function play({ client, handler, secret, step, signal }: Journey): Promise<void> {
  await step('catalog', async () => {
    const { type } = await client.eventTypes.get(AUDIT_LOG, { signal });
    return { text: type, result: null };
  });
  const challenged = handler.next('challenge');
  const id = await step('webhook', () => register({ client, url: handler.url, secret }));
  const challenge = await step('challenge', async () => {
    const seen = await challenged;
    return { text: `challengeRequest ${seen.challengeRequest}`, result: seen };
  });
  await step('answer', async () => ({ text: `${challenge.status} ${challenge.answer}`, result: null }));
  await step('active', () => untilActive(client, id, signal));
  await step('subscribed', async () => {
    await client.subscriptions.create({ webhook: id, type: AUDIT_LOG }, { signal });
    return { text: 'to the events of that type, from now on', result: null };
  });
  const event = auditLogEvent(new Date());
  const arrived = handler.next('event', ({ event: { id: arrivedId } }) => arrivedId === event.id);
  await step('published', async () => {
    await client.events.publish(event, { signal });
    return { text: `“${(event.data as { description: string }).description}”, answered 202`, result: null };
  });
  await step('delivered', async () => ({ text: `signature verified: ${schemesOf(await arrived)}`, result: null }));
}

/** The webhook: a new one, or that of an earlier start at its new address. Both are challenged at once. */
async function register(given: { client: Client; url: string; secret: string }) {
  const { client, url, secret } = given;
  const settings = { url, secret, verification: 'challenge', signing: ['standard-v1', 'hpe'] } as const;
  const known = (await client.webhooks.list().all()).find(({ name }) => name === WEBHOOK);
  if (known === undefined) {
    const made = await client.webhooks.create({ name: WEBHOOK, ...settings, signing: [...settings.signing] });
    return { text: `${WEBHOOK} registered; ${made.state}, so nothing is sent`, result: made.id };
  }
  const moved = await client.webhooks.change(known.id, {
    ...settings,
    signing: [...settings.signing],
    authorization: null,
  });
  if (moved.intent === 'disabled') await client.webhooks.enable(known.id);
  if (moved.intent === 'paused') await client.webhooks.resume(known.id);
  return { text: `${WEBHOOK} moved to its new address; pending again`, result: known.id };
}

/** Waits for the webhook to become active. Throws {@link Failure} when it turns into anything else. */
export async function untilActive(client: Client, id: string, signal: AbortSignal) {
  for (;;) {
    const { state, reason } = await client.webhooks.get(id, { signal });
    if (state === 'active') return { text: 'that is the right HMAC: the webhook is active', result: null };
    if (state !== 'pending') throw new Failure(`the webhook turned ${state}: ${reason}`);
    await pause(POLL_MS, signal);
  }
}

/** The audit-log event of the source document (R73), as of now: a fresh id, so that a second start is no duplicate. */
export function auditLogEvent(at: Date): NewEvent {
  const id = randomBytes(15).toString('base64url');
  return {
    specversion: '1.0',
    id,
    source: '//global.api.greenlake.hpe.com/audit-log',
    type: AUDIT_LOG,
    datacontenttype: 'application/json',
    dataschema:
      'https://developer.greenlake.hpe.com/docs/greenlake/services/audit-logs/public/catalog/audit-log-event-latest/paths/Audit%20Log%20Created/post/',
    time: at.toISOString(),
    data: {
      id,
      user: { username: 'john.doe@hpedev.io' },
      workspace: { id: '3009de2825f211ec8a84fedebcb4a754', workspace_name: null, workspace_type: null },
      application: { id: '00000000-0000-0000-0000-000000000000' },
      category: 'user_management',
      description: 'User john.doe@hpedev.io logged out',
      created_at: at.getTime(),
      updated_at: at.getTime(),
      additional_info: { ip_address: '194.9.99.5', account_name: 'HPEDEV -GLCP- Hackshack', ip_address_str: '1.1.1.1' },
      has_details: false,
    },
  };
}

const SCHEMES: Readonly<Record<string, string>> = {
  v1: 'Standard Webhooks',
  v1a: 'Standard Webhooks (ed25519)',
  hpe: 'HPE',
};

/** Which signatures a delivery was verified by, in words. */
export function schemesOf({ delivery }: Seen & { kind: 'event' }): string {
  return delivery.schemes.map((scheme) => SCHEMES[scheme] ?? scheme).join(' and ');
}
