// Joins the API to the engine, which know nothing of one another: what the API asks, in the engine's words.
import type { EnginePort, SettledAttempt } from './api/parts.ts';
import type { AttemptEnd, Delivering } from './engine/index.ts';
import type { Log } from './log/index.ts';
import { describeOutcome, type Outcome } from './model/outcome.ts';
import { refuse, type Refused } from './model/problem.ts';
import { isSuccess } from './model/retry.ts';
import { isSendable, quoted, shownState, wayOut } from './model/webhook.ts';
import type { Settings, TargetKey } from './store/contract.ts';

/** The port, and where the engine reports its attempts to. */
export interface JoinedPort {
  port: EnginePort;
  onAttempt(end: AttemptEnd): void;
}

/** Joins them. The engine is asked for late: it is made after the listener it reports to. */
export function joinEngine(settings: Settings, log: Log, engine: () => Delivering): JoinedPort {
  const watchers = new Set<(settled: SettledAttempt) => void>();
  return {
    onAttempt: (end) => {
      // The live stream tells of webhooks.
      if (watchers.size === 0 || end.to !== 'webhook') return;
      const settled = settledOf(end);
      for (const watch of watchers) watch(settled);
    },
    port: {
      test: async (target) => {
        const result = await engine().test(target);
        const webhook = await settings.webhook(target.workspace, target.target);
        if (!webhook) throw refuse('not-found', 'There is no such webhook.');
        if (!result) throw refuse('wrong-state', 'It need not prove itself any more: there is nothing to test.');
        const { note, outcome } = result;
        return { webhook, outcome: outcomeOf(outcome, note.error), note };
      },
      challenge: (target) => engine().challenge(target),
      judgeHost: async (hostname) => {
        const refused = await engine().judgeHost(hostname);
        if (refused === null) return null;
        log.info({ hostname, address: refused.address }, 'a webhook to an address that is not allowed was refused');
        return refused.message;
      },
      testReport: async (target, as) => {
        const result = await engine().testReport(target, as);
        if (!result) throw refuse('not-found', 'There is no such post-processing.');
        const { outcome, isSuccess: isTaken } = result;
        return outcomeOf(outcome, isTaken ? null : describeOutcome(outcome));
      },
      unpark: (target) => engine().unpark(target),
      retry: async (key) => {
        const result = await engine().retry(key);
        if (result.kind === 'gone') return null;
        if (result.kind === 'held') {
          throw await heldRefusal(settings, key);
        }
        if (result.kind !== 'tried') throw refuse('wrong-state', NOT_TRIED[result.kind]);
        const { outcome } = result;
        return outcomeOf(outcome, isSuccess(outcome) ? null : describeOutcome(outcome));
      },
      watch: (listener) => {
        watchers.add(listener);
        return () => void watchers.delete(listener);
      },
    },
  };
}

const NOT_TRIED = {
  busy: 'The delivery is being tried at this moment.',
  'in-turn': 'It waits for its turn: an earlier delivery of its key is still open.',
  elsewhere: 'Another node of this installation sends to its webhook: ask that one.',
} as const;

function outcomeOf(
  { durationMs, status }: Outcome,
  error: string | null,
): Awaited<ReturnType<EnginePort['test']>>['outcome'] {
  return { ok: error === null, status, durationMs: Math.round(durationMs), error };
}

async function heldRefusal(settings: Settings, { workspace, target }: TargetKey): Promise<Refused> {
  const webhook = await settings.webhook(workspace, target);
  if (!webhook) return refuse('wrong-state', 'The webhook is gone: nothing is sent to it.');
  if (webhook.mode === 'pull') return refuse('wrong-state', 'It is fetched by its subscriber, not sent.');
  if (webhook.mode === 'listen' && isSendable(webhook.intent, webhook.health)) {
    return refuse('wrong-state', `Nobody listens for it: bellwire listen --webhook ${quoted(webhook.name)}`);
  }
  const state = shownState(webhook.intent, webhook.health);
  const advice = wayOut(state, webhook.name);
  const words = `The webhook is ${state}: nothing is sent to it until it is active again`;
  return refuse('wrong-state', advice === null ? `${words}.` : `${words}; ${advice}`);
}

function settledOf({ delivery, attempt: made, state }: AttemptEnd): SettledAttempt {
  const { workspace, event, target, copy } = delivery;
  const { attempt, manual, startedAt, durationMs, status, error } = made;
  const shown = state === 'open' ? 'scheduled' : state;
  return { workspace, event, target, copy, attempt, manual, state: shown, startedAt, durationMs, status, error };
}
