// The pulse of a node: what was accepted, delivered and failed in each second of the last minute, and how each webhook did
// in the last five minutes. In memory only, bounded, and cheap: two look-ups and a few additions for each attempt. Pure.
//
// All instants (`now`) are of a monotonic clock, ms.

/** An attempt that has ended. */
export interface PulseAttempt {
  workspace: number;
  /** Null: it went to something else, a post-processing or a flow. */
  webhook: number | null;
  durationMs: number;
  /** From the accept to the end of the attempt; null when it did not deliver. */
  latencyMs: number | null;
  /** Why it did not deliver, or null. */
  error: string | null;
}

/** What is read of it. */
export interface PulseReading {
  /** Per second, of the last sixty whole seconds, the oldest first. */
  accepted: number[];
  delivered: number[];
  failed: number[];
  /** Of what was delivered in the last minute or so, from the accept; null when nothing was. */
  latencyMs: { p50: number; p95: number; p99: number } | null;
  /** By workspace and webhook: those that something was sent to in the last five minutes or so. */
  webhooks: ReadonlyMap<number, ReadonlyMap<number, WebhookPulse>>;
}

/** How a webhook did in the last five minutes or so. */
export interface WebhookPulse {
  attempts: number;
  failures: number;
  /** The mean duration of its attempts. */
  answerMs: number;
  /** Why the latest one that failed did. */
  error: string | null;
}

const SECONDS = 60;
/** More than sixty, so that a second that has begun hurts none of those that are shown. */
const SECOND_SLOTS = 64;
const LATENCY_SLOTS = 7;
const LATENCY_SLOT_MS = 10_000;
const MINUTE_SLOTS = 6;
/** Webhooks of one workspace, and workspaces, that are remembered. */
const MOST_WEBHOOKS = 10_000;
const MOST_WORKSPACES = 10_000;

/** Bounds of latencies grow by a quarter: what is read of them is exact to that. */
const GROWTH = 1.25;
const LATENCY_BUCKETS = 96;

/** Slots of time in a ring, zeroed as time passes over them. */
class Ring {
  readonly values: Float64Array;
  readonly #slots: number;
  readonly #width: number;
  readonly #slotMs: number;
  #at = -Infinity;
  #addedAt = -Infinity;

  constructor(slots: number, slotMs: number, width = 1) {
    this.values = new Float64Array(slots * width);
    this.#slots = slots;
    this.#width = width;
    this.#slotMs = slotMs;
  }

  /** The number of the slot of an instant, counted from the clock’s beginning; what is too old is zero by then. */
  reach(now: number): number {
    const at = Math.floor(now / this.#slotMs);
    const first = Math.max(this.#at + 1, at - this.#slots + 1);
    for (let slot = first; slot <= at; slot++) {
      const from = this.index(slot);
      this.values.fill(0, from, from + this.#width);
    }
    this.#at = Math.max(this.#at, at);
    return at;
  }

  /** Where the values of a slot begin. */
  index(slot: number): number {
    return (((slot % this.#slots) + this.#slots) % this.#slots) * this.#width;
  }

  /** Has nothing been added for as long as it remembers? */
  isEmpty(now: number): boolean {
    return Math.floor(now / this.#slotMs) - this.#addedAt >= this.#slots;
  }

  add(now: number, amount: number, offset = 0): void {
    this.#addedAt = this.reach(now);
    const at = this.index(this.#addedAt) + offset;
    this.values[at] = (this.values[at] as number) + amount;
  }
}

/* Of each slot of a webhook. */
const [ATTEMPTS, FAILURES, DURATION] = [0, 1, 2];

interface Recent {
  ring: Ring;
  error: string | null;
}

class Workspace {
  readonly accepted = new Ring(SECOND_SLOTS, 1_000);
  readonly delivered = new Ring(SECOND_SLOTS, 1_000);
  readonly failed = new Ring(SECOND_SLOTS, 1_000);
  readonly latencies = new Ring(LATENCY_SLOTS, LATENCY_SLOT_MS, LATENCY_BUCKETS);
  readonly webhooks = new Map<number, Recent>();

  recentOf(webhook: number): Recent {
    const known = this.webhooks.get(webhook);
    if (known) return known;
    const recent = { ring: new Ring(MINUTE_SLOTS, 60_000, 3), error: null };
    forgetFirst(this.webhooks, MOST_WEBHOOKS);
    this.webhooks.set(webhook, recent);
    return recent;
  }
}

/** Remembers. */
export class Pulse {
  readonly #workspaces = new Map<number, Workspace>();

  /** Events were accepted. */
  accepted(workspace: number, events: number, now: number): void {
    this.#of(workspace).accepted.add(now, events);
  }

  /** Deliveries that were fetched are dealt with. */
  acknowledged(workspace: number, deliveries: number, now: number): void {
    this.#of(workspace).delivered.add(now, deliveries);
  }

  /** An attempt has ended. */
  attempt({ workspace, webhook, durationMs, latencyMs, error }: PulseAttempt, now: number): void {
    const of = this.#of(workspace);
    if (latencyMs === null) of.failed.add(now, 1);
    else {
      of.delivered.add(now, 1);
      of.latencies.add(now, 1, bucketOf(latencyMs));
    }
    if (webhook === null) return;
    const recent = of.recentOf(webhook);
    recent.ring.add(now, 1, ATTEMPTS);
    recent.ring.add(now, durationMs, DURATION);
    if (latencyMs !== null) return;
    recent.ring.add(now, 1, FAILURES);
    recent.error = error;
  }

  /** What is remembered of these workspaces, or of all. */
  read(workspaces: readonly number[] | null, now: number): PulseReading {
    const numbers = workspaces ?? [...this.#workspaces.keys()];
    const known = numbers.flatMap((number) => {
      const workspace = this.#workspaces.get(number);
      return workspace ? [{ number, workspace }] : [];
    });
    const each = known.map(({ workspace }) => workspace);
    return {
      accepted: perSecond(each, 'accepted', now),
      delivered: perSecond(each, 'delivered', now),
      failed: perSecond(each, 'failed', now),
      latencyMs: percentiles(each, now),
      webhooks: new Map(known.map(({ number, workspace }) => [number, webhooksOf(workspace, now)])),
    };
  }

  #of(number: number): Workspace {
    const known = this.#workspaces.get(number);
    if (known) return known;
    const workspace = new Workspace();
    forgetFirst(this.#workspaces, MOST_WORKSPACES);
    this.#workspaces.set(number, workspace);
    return workspace;
  }
}

// The longest known goes: it comes back with its next attempt.
function forgetFirst<Key>(map: Map<Key, unknown>, most: number): void {
  if (map.size >= most) map.delete(map.keys().next().value!);
}

function perSecond(of: readonly Workspace[], what: 'accepted' | 'delivered' | 'failed', now: number): number[] {
  const sums = Array.from({ length: SECONDS }, () => 0);
  for (const workspace of of) {
    const ring = workspace[what];
    if (ring.isEmpty(now)) continue;
    const begun = ring.reach(now);
    for (let at = 0; at < SECONDS; at++) sums[at]! += ring.values[ring.index(begun - SECONDS + at)] as number;
  }
  return sums;
}

// Who was sent nothing of late is forgotten.
function webhooksOf({ webhooks }: Workspace, now: number): Map<number, WebhookPulse> {
  const found = new Map<number, WebhookPulse>();
  for (const [webhook, { ring, error }] of webhooks) {
    if (ring.isEmpty(now)) {
      webhooks.delete(webhook);
      continue;
    }
    ring.reach(now);
    let [attempts, failures, durationMs] = [0, 0, 0];
    for (let at = 0; at < ring.values.length; at += 3) {
      attempts += ring.values[at + ATTEMPTS] as number;
      failures += ring.values[at + FAILURES] as number;
      durationMs += ring.values[at + DURATION] as number;
    }
    found.set(webhook, {
      attempts,
      failures,
      answerMs: durationMs / attempts,
      error: failures === 0 ? null : error,
    });
  }
  return found;
}

function bucketOf(ms: number): number {
  if (ms <= 1) return 0;
  return Math.min(LATENCY_BUCKETS - 1, Math.ceil(Math.log(ms) / Math.log(GROWTH)));
}

function percentiles(of: readonly Workspace[], now: number): PulseReading['latencyMs'] {
  const counts = new Float64Array(LATENCY_BUCKETS);
  for (const { latencies } of of) {
    if (latencies.isEmpty(now)) continue;
    latencies.reach(now);
    for (let at = 0; at < latencies.values.length; at++)
      counts[at % LATENCY_BUCKETS]! += latencies.values[at] as number;
  }
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  const at = (share: number): number => {
    let seen = 0;
    const bucket = counts.findIndex((count) => (seen += count) >= all * share);
    return Math.round(GROWTH ** bucket);
  };
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) };
}
