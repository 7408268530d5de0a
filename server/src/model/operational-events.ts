// Operational events: what Bellwire itself says, as events of the catalog: of webhooks, dead letters and backlogs here, of
// the ends of runs in flow/end-events.ts. Pure.
//
// No such event goes to the webhook it is about, and a dead letter of one makes no further one: a subscriber that fails
// cannot feed itself.
import { deliveryId, formatId, type DeliveryKey } from './ids.ts';
import { shownState, type Health, type Intent } from './webhook.ts';

/** Their types begin so; nobody else may publish or register such a type. */
export const OPERATIONAL_PREFIX = 'bellwire.';
/** Their source; nobody else may publish with it, or he could take their ids. */
export const OPERATIONAL_SOURCE = 'bellwire';

/** Does this type belong to Bellwire itself? */
export function isOperational(type: string): boolean {
  return type.startsWith(OPERATIONAL_PREFIX);
}

/** An operational event, about to be written. */
export interface OperationalEvent {
  type: string;
  /** The same for the same fact: a repetition is a duplicate. */
  id: string;
  /** The webhook it is about, which it does not go to; null where it is about none. */
  about: number | null;
  /** Its id, or the job or policy set: `job/12`. */
  subject: string;
  data: Readonly<Record<string, unknown>>;
  /** Epoch ms. */
  at: number;
}

interface Subject {
  token: string;
  webhook: number;
  name: string;
  at: number;
}

/** A webhook has another state, by its change of this number (its revision). */
export function stateEvent(
  of: Subject & { intent: Intent; health: Health; reason: string; change: number },
): OperationalEvent {
  const { intent, health, reason, change } = of;
  const state = shownState(intent, health);
  return make(of, { type: `bellwire.webhook.${state}`, id: String(change), data: { state, intent, health, reason } });
}

/** A webhook was deleted. */
export function deletedEvent(of: Subject): OperationalEvent {
  return make(of, { type: 'bellwire.webhook.deleted', id: 'deleted', data: {} });
}

/** A delivery was given up after its last try. */
export function deadLetterEvent(
  of: Subject & {
    key: DeliveryKey;
    event: { type: string; source: string; id: string };
    tries: number;
    attempt: number;
    reason: string | null;
    /** It is the last one of this webhook that is told in this minute. */
    isLast: boolean;
  },
): OperationalEvent {
  const { token, key, event, tries, attempt, reason, isLast } = of;
  const delivery = deliveryId(token, key);
  return make(of, {
    type: 'bellwire.delivery.dead',
    id: `${delivery}/${attempt}`,
    data: {
      delivery,
      event: formatId('evt', token, key.event),
      eventType: event.type,
      eventSource: event.source,
      eventId: event.id,
      tries,
      reason,
      more: isLast,
    },
  });
}

/** The open deliveries of a webhook are more than the threshold, or were and are no longer. */
export function backlogEvent(
  of: Subject & { isExceeded: boolean; open: number; threshold: number; since: number },
): OperationalEvent {
  const { isExceeded, open, threshold, since } = of;
  const what = isExceeded ? 'exceeded' : 'cleared';
  const data = { open, threshold, since: new Date(since).toISOString() };
  return make(of, { type: `bellwire.backlog.${what}`, id: `${what}/${since}`, data });
}

function make(
  { token, webhook, name, at }: Subject,
  { type, id, data }: { type: string; id: string; data: object },
): OperationalEvent {
  const subject = formatId('wh', token, webhook);
  return { type, id: `${subject}/${id}`, about: webhook, subject, data: { webhook: subject, name, ...data }, at };
}

/** Its attributes. */
export function attributesOf({ type, id, subject, at }: OperationalEvent): Readonly<Record<string, string>> {
  const time = new Date(at).toISOString();
  return { specversion: '1.0', id, source: OPERATIONAL_SOURCE, type, subject, time };
}

/** The event as it is stored and sent: structured-mode JSON. */
export function envelopeOf(event: OperationalEvent): Uint8Array {
  const json = JSON.stringify({ ...attributesOf(event), datacontenttype: 'application/json', data: event.data });
  return new TextEncoder().encode(json);
}

/* ── Examples for the catalog (operational-types.ts) ────────────────────────────────────────────────────────── */

const TEXT = { type: 'string' };
const WEBHOOK = { webhook: TEXT, name: TEXT };
const STATE = { ...WEBHOOK, state: TEXT, intent: TEXT, health: TEXT, reason: TEXT };
const DEAD = {
  ...WEBHOOK,
  delivery: TEXT,
  event: TEXT,
  eventType: TEXT,
  eventSource: TEXT,
  eventId: TEXT,
  tries: { type: 'integer' },
  reason: { type: ['string', 'null'] },
  more: { type: 'boolean', description: 'Further ones of this webhook in this minute are not told one by one.' },
};
const BACKLOG = { ...WEBHOOK, open: { type: 'integer' }, threshold: { type: 'integer' }, since: TEXT };

const ABOUT = { token: 'k3v9x2m4q7', webhook: 7, name: 'audit-sheet', at: Date.UTC(2026, 10, 22, 9, 30) };

const STATES: readonly { intent: Intent; health: Health; reason: string; description: string }[] = [
  { intent: 'enabled', health: 'pending', reason: 'registered', description: 'A webhook has to prove itself.' },
  {
    intent: 'enabled',
    health: 'active',
    reason: 'the challenge was answered rightly',
    description: 'A webhook is well.',
  },
  { intent: 'enabled', health: 'warning', reason: 'a delivery failed: answered 500', description: 'Deliveries fail.' },
  {
    intent: 'enabled',
    health: 'critical',
    reason: 'the challenge failed: answered 500',
    description: 'A webhook is critical: its deliveries are held.',
  },
  { intent: 'paused', health: 'active', reason: 'paused by hand', description: 'A webhook was paused.' },
  { intent: 'disabled', health: 'active', reason: 'answered 410', description: 'A webhook is out of service.' },
];

/** One of each. */
export const OPERATIONAL_EXAMPLES: readonly { event: OperationalEvent; description: string; properties: object }[] = [
  ...STATES.map(({ description, ...state }) => {
    return { event: stateEvent({ ...ABOUT, ...state, change: 3 }), description, properties: STATE };
  }),
  { event: deletedEvent(ABOUT), description: 'A webhook was deleted.', properties: WEBHOOK },
  {
    event: deadLetterEvent({
      ...ABOUT,
      key: { workspace: 1, event: 100, target: 7, copy: 0 },
      event: { type: 'com.example.order.created', source: '//shop', id: 'order-7' },
      tries: 20,
      attempt: 20,
      reason: 'answered 500',
      isLast: false,
    }),
    description: 'A delivery was given up after its last try.',
    properties: DEAD,
  },
  ...[true, false].map((isExceeded) => {
    const open = isExceeded ? 10_000 : 4_000;
    const event = backlogEvent({ ...ABOUT, isExceeded, open, threshold: 10_000, since: ABOUT.at });
    const description = isExceeded
      ? 'The open deliveries of a webhook have reached the threshold (delivery.backlog).'
      : 'The open deliveries of a webhook are less than half of the threshold again.';
    return { event, description, properties: BACKLOG };
  }),
];
