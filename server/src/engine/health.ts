// Health: what the outcomes of deliveries say about their webhook, judged in memory and noted in the store.
import { describeOutcome, isOurFault, type Outcome } from '../model/outcome.ts';
import type { Decision } from '../model/retry.ts';
import { isSendable, judge, type Evidence, type Health as HealthOf, type Intent } from '../model/webhook.ts';
import type { OwnedLane } from '../store/contract.ts';
import type { Settler } from './settler.ts';
import type { TargetQueue } from './target-queue.ts';

/** Vitals without a change of state are written at most this often per webhook. */
const VITALS_EVERY_MS = 1000;

/** An outcome as evidence. Instants are epoch ms. */
export interface Judged {
  outcome: Outcome;
  decision: Decision;
  firstTryAt: number;
  now: number;
  lane: OwnedLane;
  /** It asked for more patience than before: worth writing down, for it holds over a restart. */
  asksForPatience: boolean;
}

/** What health stands on. */
export interface HealthParts {
  settler: Settler;
  /** Reads the webhook again: a change of its state was written, or was refused. */
  reload(queue: TargetQueue): void;
  /** Is told of what changed. */
  onChange?: ((changed: WebhookChanged) => void) | undefined;
}

/** What the evidence has made of a webhook's state. */
export interface WebhookChanged {
  /** The part of all ids of its workspace. */
  token: string;
  workspace: number;
  webhook: number;
  intent: Intent;
  health: HealthOf;
  /** Why, in words. */
  reason: string | null;
}

/** Judges. */
export class Health {
  readonly #parts: HealthParts;
  readonly #notedAt = new WeakMap<TargetQueue, number>();

  constructor(parts: HealthParts) {
    this.#parts = parts;
  }

  /** Judges what an outcome says about the webhook; true when its state changed. Post-processings and flows have no health,
   * and what a listener says that stands in for an endpoint is nothing about the endpoint. */
  judge(queue: TargetQueue, of: Judged): boolean {
    const { route } = queue;
    const evidence = evidenceOf(of);
    if (!route || route.report !== null || route.isFlow || route.isTakenOver || !evidence) return false;
    const { vitals, changed, reason } = judge(route.vitals, evidence);
    route.vitals = vitals;
    const { workspace, target } = queue;
    const disables = of.decision.next === 'disable' && route.intent === 'enabled';
    if (!changed && !disables) {
      this.#note(queue, of, vitals.health === 'warning' && evidence.kind !== 'success' ? reason : null);
      return false;
    }
    if (disables) route.intent = 'disabled';
    const { token, revision, intent } = route;
    const words = disables ? describeOutcome(of.outcome) : reason;
    this.#parts.onChange?.({ token, workspace, webhook: target, intent, health: vitals.health, reason: words });
    const quietUntil = quietOf(queue, of.now);
    queue.unwritten++;
    this.#parts.settler.note({
      change: { workspace, target, revision, vitals, quietUntil, change: { intent, reason: words, at: of.now } },
      lane: of.lane,
      // Written or refused, because somebody else was faster: from here on it is as the store has it.
      done: () => {
        queue.unwritten--;
        this.#parts.reload(queue);
      },
    });
    route.revision++;
    route.sendable &&= isSendable(intent, vitals.health);
    if (!route.sendable) queue.drop();
    return true;
  }

  // In a warning the newest failure is the one that people look for.
  #note(queue: TargetQueue, { now, lane, asksForPatience }: Judged, failure: string | null): void {
    if (now - (this.#notedAt.get(queue) ?? 0) < VITALS_EVERY_MS && !asksForPatience) return;
    this.#notedAt.set(queue, now);
    const { workspace, target } = queue;
    const { revision, vitals } = queue.route!;
    const quietUntil = quietOf(queue, now);
    const news = failure === null ? {} : { reason: failure };
    this.#parts.settler.note({
      change: { workspace, target, revision, vitals, quietUntil, change: null, ...news },
      lane,
    });
  }
}

function quietOf({ quietUntil }: TargetQueue, now: number): number | null {
  return quietUntil > now ? quietUntil : null;
}

function evidenceOf(of: Judged): Evidence | null {
  if (isOurFault(of.outcome)) return null;
  switch (of.decision.next) {
    case 'delivered':
      return { kind: 'success', at: of.now };
    case 'dead':
    case 'blocked':
    case 'parked':
      return { kind: 'dead-letter', firstTryAt: of.firstTryAt, words: describeOutcome(of.outcome) };
    case 'retry':
    case 'disable':
      return { kind: 'failed-try', words: describeOutcome(of.outcome) };
  }
}
