// What is open, summed up: how much is scheduled, how much is held, and for how long the oldest has been due. Pure.
import { isSendable, type Health, type Intent } from './webhook.ts';

/** What one target has open, and what decides whether it is held. */
export interface OpenOf {
  open: number;
  /** The earliest of them is, or was, due then (epoch ms). */
  oldestDueAt: number;
  intent: Intent;
  health: Health;
}

/** What is open of some targets, all in all. */
export interface Backlog {
  scheduled: number;
  held: number;
  /** How long the earliest that is not held has been due; 0 when none is. What is held waits for people, not for us. */
  oldestDueMs: number;
}

/** Sums up what was counted at this instant: later on, what was due then may be delivered long since. */
export function backlogOf(targets: readonly OpenOf[], countedAt: number): Backlog {
  let [scheduled, held, oldestDueAt] = [0, 0, countedAt];
  for (const { open, oldestDueAt: dueAt, intent, health } of targets) {
    if (isSendable(intent, health)) {
      scheduled += open;
      oldestDueAt = Math.min(oldestDueAt, dueAt);
    } else held += open;
  }
  return { scheduled, held, oldestDueMs: countedAt - oldestDueAt };
}
