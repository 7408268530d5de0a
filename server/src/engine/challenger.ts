// The challenger: makes webhooks prove themselves, and records what came of it (R61–R70, R110–R113).
//
// One run of attempts per webhook at a time: the right answer to any of them ends it well; when all are used up the
// webhook is critical. A Test begins a run, or, while one waits for its next attempt, makes that attempt now.
import { createHmac } from 'node:crypto';
import {
  composeChallenge,
  composeOptionsHeaders,
  judgeChallengeAnswer,
  judgeOptionsAnswer,
  type HandshakeVerdict,
} from '../model/challenge.ts';
import { STRUCTURED_CONTENT_TYPE } from '../model/cloud-events/index.ts';
import type { Clock } from '../model/clock.ts';
import { formatId } from '../model/ids.ts';
import { isOurFault, type Outcome } from '../model/outcome.ts';
import { judge, type Evidence } from '../model/webhook.ts';
import {
  StoreRefusal,
  type Settings,
  type TargetKey,
  type Webhook,
  type WebhookPatch,
  type WebhookSecrets,
} from '../store/contract.ts';
import { parseTarget, type Transport } from './transport/index.ts';

/** What the challenger stands on. Spans in ms. */
export interface ChallengerParts {
  settings: Settings;
  transport: Transport;
  clock: Clock;
  /** Fresh random UUIDs. */
  uuid: () => string;
  source: string;
  attempts: number;
  intervalMs: number;
  timeoutMs: number;
  success: 'exactly-200' | '2xx';
  userAgent: string;
  /** The name by which the OPTIONS handshake asks for consent. */
  origin: string;
  onError(error: unknown): void;
}

/** What one attempt at a challenge came to. */
export interface ChallengeResult {
  verdict: HandshakeVerdict;
  outcome: Outcome;
  attempt: number;
  attempts: number;
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
  /** Settles with the result of the attempt now under way, or of the next one. */
  next: Promise<ChallengeResult | null>;
  /** Ends the wait before the next attempt. */
  hurry(): void;
  ended: Promise<void>;
}

/** Challenges. */
export class Challenger {
  readonly #parts: ChallengerParts;
  readonly #runs = new Map<string, Run>();
  #stopped = false;

  constructor(parts: ChallengerParts) {
    this.#parts = parts;
  }

  /** Begins a run; one that is under way goes on at once. */
  begin(key: TargetKey): void {
    this.#runOf(key).hurry();
  }

  /**
   * A challenge now; resolves with its first result, null when the webhook is gone. The run goes on behind it. Rejects
   * when the store does not answer.
   */
  async test(key: TargetKey): Promise<ChallengeResult | null> {
    const run = this.#runOf(key);
    run.hurry();
    return run.next;
  }

  /** Begins nothing more; resolves when the attempts under way have ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const run of this.#runs.values()) run.hurry();
    await Promise.all([...this.#runs.values()].map(({ ended }) => ended));
  }

  #runOf(key: TargetKey): Run {
    const name = `${key.workspace}/${key.target}`;
    const known = this.#runs.get(name);
    if (known) return known;
    const run: Run = { next: Promise.resolve(null), hurry: () => undefined, ended: Promise.resolve() };
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
      if (made?.then === 'later' && !this.#stopped) await this.#pause(run);
      try {
        made = this.#stopped ? null : await this.#attempt(key, made);
      } catch (error) {
        next.reject(error);
        throw error;
      }
      next.resolve(made && made.result);
    } while (made && made.then !== 'never');
  }

  #pause(run: Run): Promise<void> {
    return new Promise<void>((resolve) => {
      const timer = this.#parts.clock.after(this.#parts.intervalMs, resolve);
      run.hurry = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  // A webhook that was changed since the last attempt has all its attempts again.
  async #attempt(key: TargetKey, before: Made | null): Promise<Made | null> {
    const { settings, attempts } = this.#parts;
    const target = await settings.target(key);
    if (!target) return null;
    const attempt = before && isSame(before.challenged, target) ? before.used + 1 : 1;
    const { outcome, verdict } = await this.#challenge(target);
    const made = { result: { verdict, outcome, attempt, attempts }, challenged: target };
    if (isOurFault(outcome)) return { ...made, used: attempt - 1, then: 'later' };
    if (!verdict.ok && attempt < attempts) return { ...made, used: attempt, then: 'later' };
    const recorded = await this.#record(key, target, verdict);
    return { ...made, used: attempt, then: recorded ? 'never' : 'at once' };
  }

  async #challenge({ webhook, secrets }: Challenged): Promise<{ outcome: Outcome; verdict: Proof }> {
    if (webhook.verification === 'options') return this.#askConsent(webhook);
    const { transport, clock, uuid, source, timeoutMs, success: status, userAgent } = this.#parts;
    const challengeRequest = uuid();
    const body = composeChallenge({
      id: uuid(),
      challengeRequest,
      source,
      workspace: formatId('ws', webhook.token),
      at: clock.now(),
    });
    const outcome = await transport.send({
      target: parseTarget(webhook.url),
      method: 'POST',
      headers: ['content-type', STRUCTURED_CONTENT_TYPE, 'user-agent', userAgent, ...extraHeaders(webhook, secrets)],
      body: Buffer.from(body),
      deadlineMs: timeoutMs,
    });
    const judgeWith = (...under: string[]): HandshakeVerdict =>
      judgeChallengeAnswer(outcome, { challengeRequest, secrets: under, status, hmacSha256Hex });
    const { secret, secondarySecret } = secrets;
    const verdict = judgeWith(secret, ...(secondarySecret === null ? [] : [secondarySecret]));
    if (!verdict.ok) return { outcome, verdict };
    return { outcome, verdict: { ...verdict, proved: judgeWith(secret).ok ? 'secret' : 'secondarySecret' } };
  }

  async #askConsent(webhook: Webhook): Promise<{ outcome: Outcome; verdict: Proof }> {
    const { transport, timeoutMs, origin, userAgent } = this.#parts;
    const outcome = await transport.send({
      target: parseTarget(webhook.url),
      method: 'OPTIONS',
      headers: [...composeOptionsHeaders({ origin }), 'user-agent', userAgent],
      body: null,
      deadlineMs: timeoutMs,
    });
    return { outcome, verdict: judgeOptionsAnswer(outcome, { origin }) };
  }

  // What was proved holds for the URL and secrets that were challenged: of a webhook changed meanwhile this says
  // nothing, and false asks for another attempt.
  async #record(key: TargetKey, challenged: Challenged, proof: Proof): Promise<boolean> {
    const { settings, clock } = this.#parts;
    const evidence: Evidence = proof.ok
      ? { kind: 'challenge-passed' }
      : { kind: 'challenge-failed', words: proof.reason };
    for (;;) {
      const now = await settings.target(key);
      if (!now) return true;
      if (!isSame(now, challenged)) return false;
      const { health, streak, lastSuccessAt, revision } = now.webhook;
      const { vitals, changed, reason } = judge({ health, streak, lastSuccessAt }, evidence);
      const patch: WebhookPatch = { ...vitals };
      if (proof.ok) Object.assign(patch, whatWasProved(proof, now.secrets));
      try {
        await settings.updateWebhook({ ...key, revision, patch, reason: changed ? reason : null, now: clock.now() });
        return true;
      } catch (error) {
        if (!(error instanceof StoreRefusal) || error.code !== 'changed-meanwhile') throw error;
      }
    }
  }
}

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

function isSame(now: Challenged, challenged: Challenged): boolean {
  return (
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
