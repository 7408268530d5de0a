// The challenger: makes webhooks prove themselves, and records what came of it (R61–R70, R110–R113).
//
// One run of attempts per webhook at a time: the right answer to any of them ends it well; when all are used up the
// webhook is critical. A Test begins a run, or, while one waits for its next attempt, makes that attempt now. A webhook
// that is changed while a run waits has what is new of it asked at once; a change of anything else waits its time.
import { createHmac } from 'node:crypto';
import {
  composeChallenge,
  composeOptionsHeaders,
  judgeChallengeAnswer,
  judgeOptionsAnswer,
  type ChallengeNote,
  type HandshakeVerdict,
} from '../model/challenge.ts';
import { STRUCTURED_CONTENT_TYPE } from '../model/cloud-events/index.ts';
import type { Clock } from '../model/clock.ts';
import { formatId } from '../model/ids.ts';
import { isOurFault, type Outcome } from '../model/outcome.ts';
import { traceHeaders } from '../model/trace-context.ts';
import { judge, type Evidence } from '../model/webhook.ts';
import {
  StoreRefusal,
  type Settings,
  type TargetKey,
  type Webhook,
  type WebhookPatch,
  type WebhookSecrets,
} from '../store/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import { serverOf } from './attempt-span.ts';
import type { WebhookChanged } from './health.ts';
import { ChallengePlaces } from './challenge-places.ts';
import type { AuthorizedRequest, Sender } from './oauth/index.ts';
import type { Relay } from './relay.ts';
import { credentialsOf, secretsSent, targetOf, wayTo } from './route.ts';

/** What the challenger stands on. Spans in ms. */
export interface ChallengerParts {
  settings: Settings;
  sender: Sender;
  relay: Pick<Relay, 'send'>;
  clock: Clock;
  /** Fresh random UUIDs. */
  uuid: () => string;
  source: string;
  attempts: number;
  intervalMs: number;
  timeoutMs: number;
  success: 'exactly-200' | '2xx';
  userAgent: string;
  /** Null, or absent, while nothing is traced. */
  tracer?: Tracer | null;
  /** The name by which the OPTIONS handshake asks for consent. */
  origin: string;
  /** Attempts under way in all. */
  concurrency: number;
  onError(error: unknown): void;
  /** Is told what each attempt came to. */
  onResult?: ((told: ChallengeTold) => void) | undefined;
  /** Is told of webhooks whose state changed by it. */
  onChange?: ((changed: WebhookChanged) => void) | undefined;
}

/** What one attempt at a challenge came to. */
export interface ChallengeResult {
  verdict: HandshakeVerdict;
  outcome: Outcome;
  attempt: number;
  attempts: number;
  /** As it is kept with the webhook. */
  note: ChallengeNote;
}

/** The same, told to those who watch. */
export interface ChallengeTold extends ChallengeResult {
  token: string;
  workspace: number;
  webhook: number;
}

/** An attempt that was made, and when the next one is. */
interface Made {
  result: ChallengeResult;
  challenged: Challenged;
  /** Attempts that what was challenged has used up. */
  used: number;
  then: 'later' | 'at once' | 'never';
}

interface Run {
  /** A single attempt at a webhook that is critical: it is not asked again before long. */
  isRecheck: boolean;
  /** A Test asks for the next attempt: it is made now, whatever the intent. */
  isAsked: boolean;
  /** Somebody changed the webhook: is it still what is waited for? */
  isChanged: boolean;
  /** Does it wait for its next attempt? */
  isPausing: boolean;
  /** Settles with the result of the attempt now under way, or of the next one. */
  next: Promise<ChallengeResult | null>;
  /** Ends the wait, to see what has come. */
  wake(): void;
  ended: Promise<void>;
}

/** Challenges. */
export class Challenger {
  readonly #parts: ChallengerParts;
  readonly #places: ChallengePlaces;
  readonly #runs = new Map<string, Run>();
  #stopped = false;

  constructor(parts: ChallengerParts) {
    this.#parts = parts;
    this.#places = new ChallengePlaces(parts.concurrency);
  }

  /** Begins a run. One that is under way goes on at once if URL, secret or kind of verification are others by now. */
  begin(key: TargetKey): void {
    const run = this.#runOf(key);
    run.isRecheck = false;
    run.isChanged = true;
    run.wake();
  }

  /** Asks a critical webhook once whether it is well again, unless a run is under way. */
  recheck(key: TargetKey): void {
    if (!this.#runs.has(nameOf(key))) this.#runOf(key).isRecheck = true;
  }

  /**
   * A challenge now; resolves with its first result, null when there is nothing to challenge (any more). The run goes on
   * behind it. Rejects when the store does not answer.
   */
  async test(key: TargetKey): Promise<ChallengeResult | null> {
    const isNew = !this.#runs.has(nameOf(key));
    const run = this.#runOf(key);
    if (isNew || run.isPausing) run.isAsked = true;
    run.wake();
    return run.next;
  }

  /** Begins nothing more; resolves when the attempts under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const run of this.#runs.values()) run.wake();
    await Promise.all([...this.#runs.values()].map(({ ended }) => ended));
  }

  #runOf(key: TargetKey): Run {
    const name = nameOf(key);
    const known = this.#runs.get(name);
    if (known) return known;
    const run: Run = {
      isRecheck: false,
      isAsked: false,
      isChanged: false,
      isPausing: false,
      next: Promise.resolve(null),
      wake: () => undefined,
      ended: Promise.resolve(),
    };
    this.#runs.set(name, run);
    run.ended = this.#run(key, run)
      .catch((error: unknown) => this.#parts.onError(error))
      .finally(() => this.#runs.delete(name));
    return run;
  }

  async #run(key: TargetKey, run: Run): Promise<void> {
    let made: Made | null = null;
    do {
      const next = Promise.withResolvers<ChallengeResult | null>();
      run.next = next.promise;
      run.next.catch(() => undefined);
      try {
        if (made?.then === 'later') await this.#pause(key, run, made);
        made = await this.#inPlace(key, run, made);
      } catch (error) {
        next.reject(error);
        throw error;
      }
      next.resolve(made && made.result);
    } while (made && made.then !== 'never');
  }

  async #pause(key: TargetKey, run: Run, { challenged }: Made): Promise<void> {
    const { clock, intervalMs, settings } = this.#parts;
    const dueAt = clock.monotonic() + intervalMs;
    run.isPausing = true;
    while (!run.isAsked && !this.#stopped && clock.monotonic() < dueAt) {
      if (run.isChanged) {
        run.isChanged = false;
        const now = await settings.target(key);
        if (!now || !isSame(now, challenged)) break;
        continue;
      }
      await new Promise<void>((resolve) => {
        const timer = clock.after(dueAt - clock.monotonic(), resolve);
        run.wake = () => {
          timer.cancel();
          resolve();
        };
      });
    }
    run.isPausing = false;
  }

  async #inPlace(key: TargetKey, run: Run, before: Made | null): Promise<Made | null> {
    const leave = await this.#places.take(key.workspace);
    try {
      return this.#stopped ? null : await this.#attempt(key, run, before);
    } finally {
      leave();
    }
  }

  // A webhook that was changed since the last attempt has all its attempts again.
  async #attempt(key: TargetKey, run: Run, before: Made | null): Promise<Made | null> {
    const { settings } = this.#parts;
    const { isAsked, isRecheck } = run;
    Object.assign(run, { isAsked: false, isChanged: false });
    const target = await settings.target(key);
    if (!target || !isToBeAsked(target.webhook, { isAsked, isRecheck })) return null;
    const { mode } = target.webhook;
    const isHeard = wayTo(target.webhook, this.#parts.clock.now()) === 'listener';
    const isRelayed = mode === 'listen' || (isAsked && isHeard);
    const attempts = isRecheck || isRelayed ? 1 : this.#parts.attempts;
    const attempt = !isRelayed && before && isSame(before.challenged, target) ? before.used + 1 : 1;
    const { outcome, verdict } = await this.#challenge(target, isRelayed);
    const isOurs = isOurFault(outcome) && !isRelayed;
    const goesOn = isOurs || (!verdict.ok && attempt < attempts);
    const note = this.#noteOf(verdict, { attempt, attempts, nextInMs: goesOn ? this.#parts.intervalMs : null });
    const made = { result: { verdict, outcome, attempt, attempts, note }, challenged: target };
    const { token, workspace, webhook } = target.webhook;
    this.#parts.onResult?.({ ...made.result, token, workspace, webhook });
    // Who stands in for an endpoint proves nothing about it, and who listens is asked when it says so.
    const isProof = !isRelayed || (target.webhook.mode === 'listen' && !isOurFault(outcome));
    if (!isProof) return { ...made, used: attempt, then: 'never' };
    if (isOurs) return { ...made, used: attempt - 1, then: 'later' };
    if (goesOn) {
      // What people see while the run goes on. A webhook that was changed meanwhile has other news.
      await settings.noteChallenge({ ...key, revision: target.webhook.revision, note });
      return { ...made, used: attempt, then: 'later' };
    }
    const recorded = await this.#record(key, target, made.result);
    return { ...made, used: attempt, then: recorded ? 'never' : 'at once' };
  }

  async #challenge(challenged: Challenged, isRelayed: boolean): Promise<{ outcome: Outcome; verdict: Proof }> {
    const { webhook, secrets } = challenged;
    if (webhook.verification === 'options') return this.#askConsent(challenged, isRelayed);
    const { clock, uuid, source, success: status, userAgent } = this.#parts;
    const challengeRequest = uuid();
    const body = composeChallenge({
      id: uuid(),
      challengeRequest,
      source,
      workspace: formatId('ws', webhook.token),
      at: clock.now(),
    });
    // What opens the endpoint's doors is not for whoever stands in for it.
    const extra = isRelayed && webhook.mode === 'push' ? [] : extraHeaders(webhook, secrets);
    const headers = ['content-type', STRUCTURED_CONTENT_TYPE, 'user-agent', userAgent, ...extra];
    const request = { method: 'POST', headers, body: Buffer.from(body) };
    const outcome = await this.#send(challenged, request, isRelayed);
    const judgeWith = (...under: string[]): HandshakeVerdict =>
      judgeChallengeAnswer(outcome, { challengeRequest, secrets: under, status, hmacSha256Hex });
    const { secret } = secrets;
    const former = formerSecret({ webhook, secrets }, clock.now());
    const verdict = judgeWith(secret, ...(former === null ? [] : [former]));
    if (!verdict.ok) return { outcome, verdict };
    return { outcome, verdict: { ...verdict, proved: judgeWith(secret).ok ? 'secret' : 'secondarySecret' } };
  }

  async #askConsent(challenged: Challenged, isRelayed: boolean): Promise<{ outcome: Outcome; verdict: Proof }> {
    const { origin, userAgent } = this.#parts;
    const headers = [...composeOptionsHeaders({ origin }), 'user-agent', userAgent];
    const outcome = await this.#send(challenged, { method: 'OPTIONS', headers, body: null }, isRelayed);
    return { outcome, verdict: judgeOptionsAnswer(outcome, { origin }) };
  }

  async #send(challenged: Challenged, what: Challenge, isRelayed: boolean): Promise<Outcome> {
    const { tracer } = this.#parts;
    if (!tracer) return this.#sendBy(challenged, what, isRelayed);
    const { token, webhook } = challenged.webhook;
    const span = tracer.begin('challenge', { kind: 'client', parent: null });
    const server = isRelayed ? {} : serverOf(targetOf(challenged));
    span.set({ 'http.request.method': what.method, 'bellwire.webhook.id': formatId('wh', token, webhook), ...server });
    const headers = [...what.headers, ...Object.entries(traceHeaders(span.trace)).flat()];
    const outcome = await this.#sendBy(challenged, { ...what, headers }, isRelayed);
    const isAnswer = outcome.kind === 'response';
    span.set({ 'http.response.status_code': outcome.status, 'error.type': isAnswer ? undefined : outcome.code });
    span.end(isAnswer ? null : outcome.message);
    return outcome;
  }

  // A person may be waiting for it, and a challenge has few attempts.
  #sendBy(challenged: Challenged, what: Challenge, isRelayed: boolean): Promise<Outcome> {
    const { sender, relay, timeoutMs: deadlineMs } = this.#parts;
    if (!isRelayed) return sender.send({ ...addressOf(challenged), ...what, deadlineMs });
    const { workspace, webhook: target } = challenged.webhook;
    return relay.send({ key: { workspace, target }, masker: secretsSent(challenged), ...what, deadlineMs });
  }

  #noteOf(verdict: Proof, of: { attempt: number; attempts: number; nextInMs: number | null }): ChallengeNote {
    const { attempt, attempts, nextInMs } = of;
    const at = this.#parts.clock.now();
    return {
      at,
      error: verdict.ok ? null : verdict.reason,
      attempt,
      attempts,
      nextAt: nextInMs === null ? null : at + nextInMs,
      secret: verdict.proved === undefined ? null : verdict.proved === 'secret' ? 'present' : 'former',
    };
  }

  #tellChange({ token, workspace, webhook, intent }: Webhook, health: Webhook['health'], reason: string | null): void {
    this.#parts.onChange?.({ token, workspace, webhook, intent, health, reason });
  }

  // What was proved holds for the URL and secrets that were challenged: of a webhook changed meanwhile this says
  // nothing, and false asks for another attempt.
  async #record(key: TargetKey, challenged: Challenged, result: ChallengeResult): Promise<boolean> {
    const { settings, clock } = this.#parts;
    const proof = result.verdict as Proof;
    const evidence: Evidence = proof.ok
      ? { kind: 'challenge-passed' }
      : { kind: 'challenge-failed', words: proof.reason };
    for (;;) {
      const now = await settings.target(key);
      if (!now) return true;
      if (!isSame(now, challenged)) return false;
      const { health, streak, lastSuccessAt, revision } = now.webhook;
      const { vitals, changed, reason } = judge({ health, streak, lastSuccessAt }, evidence);
      const patch: WebhookPatch = { ...vitals, challenge: result.note };
      if (proof.ok) Object.assign(patch, { provedAt: clock.now() }, whatWasProved(proof, now.secrets));
      // Critical before and still so, but perhaps for another reason: the newest one is shown.
      const words = changed || !proof.ok ? reason : null;
      try {
        await settings.updateWebhook({ ...key, revision, patch, reason: words, now: clock.now() });
        if (changed) this.#tellChange(now.webhook, vitals.health, words);
        return true;
      } catch (error) {
        if (!(error instanceof StoreRefusal) || error.code !== 'changed-meanwhile') throw error;
      }
    }
  }
}

/** What the two kinds of challenges say. */
type Challenge = Pick<AuthorizedRequest, 'method' | 'headers' | 'body'>;

interface Challenged {
  webhook: Webhook;
  secrets: WebhookSecrets;
}

type Proof = HandshakeVerdict & { proved?: WebhookSecrets['proved'] };

function whatWasProved({ allowedRate, proved }: Proof & { ok: true }, secrets: WebhookSecrets): WebhookPatch {
  const patch: WebhookPatch = {};
  if (allowedRate !== undefined) patch.allowedRate = allowedRate;
  if (proved !== undefined && proved !== secrets.proved) patch.secrets = { ...secrets, proved };
  return patch;
}

function nameOf({ workspace, target }: TargetKey): string {
  return `${workspace}/${target}`;
}

// What need not prove itself is left in peace, and so is what people took out of service, or what nobody need listen for,
// unless they press Test.
function isToBeAsked(
  { mode, verification, intent, health }: Webhook,
  { isAsked, isRecheck }: { isAsked: boolean; isRecheck: boolean },
): boolean {
  if (verification === 'none') return false;
  if (isAsked) return true;
  return mode !== 'listen' && intent !== 'disabled' && (!isRecheck || health === 'critical');
}

/** The secret from before a rotation, while it is still honoured. */
function formerSecret({ webhook, secrets }: Challenged, now: number): string | null {
  const { secondaryUntil } = webhook;
  return secondaryUntil !== null && secondaryUntil > now ? secrets.secondarySecret : null;
}

function addressOf(challenged: Challenged): Pick<AuthorizedRequest, 'target' | 'credentials' | 'masker' | 'eager'> {
  return {
    target: targetOf(challenged),
    credentials: credentialsOf(challenged),
    masker: secretsSent(challenged),
    eager: true,
  };
}

function isSame(now: Challenged, challenged: Challenged): boolean {
  return (
    credentialsOf(now)?.name === credentialsOf(challenged)?.name &&
    targetOf(now).pool === targetOf(challenged).pool &&
    now.webhook.url === challenged.webhook.url &&
    now.webhook.verification === challenged.webhook.verification &&
    now.secrets.secret === challenged.secrets.secret &&
    now.secrets.secondarySecret === challenged.secrets.secondarySecret
  );
}

function extraHeaders({ headers }: Webhook, { authorization }: WebhookSecrets): string[] {
  const own = Object.entries(headers).flat();
  return authorization === null ? own : [...own, 'authorization', authorization];
}

function hmacSha256Hex(key: string, message: string): string {
  return createHmac('sha256', key).update(message).digest('hex');
}
