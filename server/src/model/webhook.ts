// A webhook's two axes, how they join into the state people see, and what evidence does to its health. Pure.
//
//   intent   enabled ⇄ paused, enabled ⇄ disabled         set by people, or by an answer 410
//   health   pending ──right answer──▶ active ──failed try──▶ warning ──ten successes in a row──▶ active
//            pending, active, warning ──challenge attempts used up──▶ critical ──right answer──▶ active
//            active, warning ──dead letter, nothing succeeded since its first try──▶ critical
//            any ──URL or secret changed, or enabled again──▶ pending
//
// The state shown is the intent unless it is `enabled`, then the health. Resuming changes the intent alone: it does
// not heal. Nothing but challenges is sent unless the webhook is enabled and active or warning (R51, R62).

/** What people want. */
export type Intent = 'enabled' | 'paused' | 'disabled';
/** What the evidence says. */
export type Health = 'pending' | 'active' | 'warning' | 'critical';
/** What is shown: one word for both axes. */
export type WebhookState = Health | 'paused' | 'disabled';

/**
 * How its deliveries get there: we send them; the subscriber fetches them; or we hand them, as we would send them, to
 * whoever listens for it, who brings back what was answered.
 */
export type Mode = 'push' | 'pull' | 'listen';
/** What a target is: a webhook of some mode, a post-processing, a flow. */
export type TargetMode = Mode | 'report' | 'flow';

/** Is the target a webhook? */
export function isWebhook(mode: TargetMode): mode is Mode {
  return mode !== 'report' && mode !== 'flow';
}

/** How a webhook proves itself (R61, wire: CloudEvents webhook handshake). `none` needs the operator's setting. */
export type Verification = 'challenge' | 'options' | 'none';
/** How deliveries are signed; several at once are allowed. */
export type Signing = 'standard-v1' | 'standard-v1a' | 'hpe';
/** The CloudEvents content mode of deliveries. */
export type Format = 'structured' | 'binary';

/** How a client shows its id and secret to a token endpoint (RFC 6749 2.3.1): in the header, or in the form. */
export type ClientAuth = 'basic' | 'body';

/** Where and how access tokens for a webhook are asked for (RFC 6749 4.4); the client's secret is kept apart. */
export interface OAuthClient {
  tokenUrl: string;
  clientId: string;
  auth: ClientAuth;
  scope: string | null;
  /** What the token is for, in the words of many a provider; RFC 8707 calls it `resource`. */
  audience: string | null;
  resource: string | null;
}

/** What a webhook's TLS connections show and trust, as PEM; the private key is kept apart. */
export interface TlsSettings {
  /** The client certificate, then what leads from it to its authority; null shows none. */
  certificate: string | null;
  /** Authorities that are trusted instead of the system's; null is the system's. */
  ca: string | null;
  /** Until when the certificate is valid, epoch ms; null without one. */
  expiresAt: number | null;
}

/** Successes in a row that heal a warning. */
export const HEALING_STREAK = 10;

/** The state shown for the two axes. */
export function shownState(intent: Intent, health: Health): WebhookState {
  return intent === 'enabled' ? health : intent;
}

/** May event deliveries be sent? Otherwise they are held. */
export function isSendable(intent: Intent, health: Health): boolean {
  return intent === 'enabled' && (health === 'active' || health === 'warning');
}

/** What people do so that deliveries are sent again, as the end of a sentence; null where nothing is to be done. */
export function wayOut(state: WebhookState, name: string): string | null {
  const named = quoted(name);
  switch (state) {
    case 'pending':
    case 'critical':
      return `once its handler answers challenges rightly: bellwire webhooks test ${named}`;
    case 'paused':
      return `to send them again: bellwire webhooks resume ${named}`;
    case 'disabled':
      return `to take it into service: bellwire webhooks enable ${named}`;
    default:
      return null;
  }
}

/** A webhook's name as one word of a command line; no name holds a quote (R108). */
export function quoted(name: string): string {
  return /^[\w.@-]+$/.test(name) ? name : `'${name}'`;
}

/** The evidence a webhook's health rests on. Instants are epoch ms. */
export interface Vitals {
  health: Health;
  /** Successes in a row since the last failed try. */
  streak: number;
  lastSuccessAt: number | null;
}

/** Something that happened to a webhook's deliveries or challenges. */
export type Evidence =
  | { kind: 'success'; at: number }
  | { kind: 'failed-try'; words: string }
  | { kind: 'dead-letter'; firstTryAt: number; words: string }
  | { kind: 'challenge-passed' }
  | { kind: 'challenge-failed'; words: string }
  | { kind: 'to-be-verified'; words: string };

/** The vitals after some evidence, and the reason when the health changed. */
export interface Verdict {
  vitals: Vitals;
  changed: boolean;
  reason: string;
}

/** What a piece of evidence does to the vitals (R111–R113, R124; the diagram above). */
export function judge(vitals: Vitals, evidence: Evidence): Verdict {
  switch (evidence.kind) {
    case 'success':
      return afterSuccess(vitals, evidence.at);
    case 'failed-try': {
      const next = vitals.health === 'active' ? 'warning' : vitals.health;
      return verdict(vitals, { ...vitals, health: next, streak: 0 }, `a delivery failed: ${evidence.words}`);
    }
    case 'dead-letter':
      return afterDeadLetter(vitals, evidence.firstTryAt, evidence.words);
    case 'challenge-passed':
      return verdict(vitals, { ...vitals, health: 'active', streak: 0 }, 'the challenge was answered rightly');
    case 'challenge-failed':
      return verdict(vitals, { ...vitals, health: 'critical', streak: 0 }, `the challenge failed: ${evidence.words}`);
    case 'to-be-verified':
      return verdict(vitals, { ...vitals, health: 'pending', streak: 0 }, evidence.words);
  }
}

function afterSuccess(vitals: Vitals, at: number): Verdict {
  const streak = vitals.streak + 1;
  const lastSuccessAt = Math.max(at, vitals.lastSuccessAt ?? at);
  const heals = vitals.health === 'warning' && streak >= HEALING_STREAK;
  const health = heals ? 'active' : vitals.health;
  return verdict(vitals, { health, streak, lastSuccessAt }, `${HEALING_STREAK} deliveries in a row succeeded`);
}

// One poisonous event must not stop a healthy webhook: critical only if nothing at all got through since the dead
// delivery was first tried.
function afterDeadLetter(vitals: Vitals, firstTryAt: number, words: string): Verdict {
  const alive = vitals.lastSuccessAt !== null && vitals.lastSuccessAt >= firstTryAt;
  const sending = vitals.health === 'active' || vitals.health === 'warning';
  const health = !sending ? vitals.health : alive ? 'warning' : 'critical';
  const reason = alive
    ? `a delivery used all its tries: ${words}`
    : `a delivery used all its tries and nothing has succeeded since its first one: ${words}`;
  return verdict(vitals, { ...vitals, health, streak: 0 }, reason);
}

function verdict(before: Vitals, after: Vitals, reason: string): Verdict {
  return { vitals: after, changed: before.health !== after.health, reason };
}
