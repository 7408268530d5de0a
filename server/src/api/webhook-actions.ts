// What is done with a webhook: tested, paused, resumed, enabled, disabled, its secret turned over, its history read.
import { Type } from 'typebox';
import { refuse, type Refused } from '../model/problem.ts';
import { shownState, wayOut } from '../model/webhook.ts';
import type { Webhook } from '../store/contract.ts';
import { deliveriesPage, DeliveriesQuery, type DeliveriesOut } from './deliveries.ts';
import { ok, operation, type Tools } from './kernel.ts';
import { updateWebhook, type Change } from './webhook-change.ts';
import { rotateSecret, type Generated } from './webhook-secrets.ts';
import {
  findWebhook,
  showChallenge,
  showWebhook,
  WebhookParams,
  type RotateIn,
  type TestOut,
  type WebhookChangesOut,
  type WebhookOut,
  type WebhookSecretOut,
} from './webhooks.ts';
import { instant } from './wire.ts';

export const testWebhook = operation<null, TestOut>()({
  summary: 'Send a new challenge now (the Test button), in every state',
  description:
    'A right answer makes it active. After a wrong one the attempts go on by themselves, whatever the state; when none is answered rightly, it turns critical (R113).',
  params: WebhookParams,
  errors: ['wrong-state'],
  async handle({ params, workspace, now }, tools) {
    const { webhook: target, verification, mode, listener } = await findWebhook(params.webhook, workspace, tools);
    const isHeard = mode !== 'listen' || (listener !== null && listener.until > now);
    if (!isHeard) throw refuse('wrong-state', 'Nobody listens for it: there is nobody to ask.');
    if (verification === 'none') throw refuse('wrong-state', 'Its verification is "none": there is nothing to test.');
    const { webhook, outcome, note } = await tools.engine.test({ workspace: workspace.workspace, target });
    return ok({ state: shownState(webhook.intent, webhook.health), outcome, challenge: showChallenge(note) });
  },
});

/** What a person's wish makes of a webhook; null when it is so already. Refuses `wrong-state`. */
type Wish = (before: Webhook) => Change | null;

const pause: Wish = ({ intent, name }) => {
  if (intent === 'disabled') throw wrongState('It is disabled, there is nothing to pause', intent, name);
  return intent === 'paused' ? null : { patch: { intent: 'paused' }, reason: 'paused by hand', again: false };
};

const resume: Wish = ({ intent, name }) => {
  if (intent === 'disabled') throw wrongState('It is disabled, not paused', intent, name);
  return intent === 'enabled' ? null : { patch: { intent: 'enabled' }, reason: 'resumed by hand', again: false };
};

const disable: Wish = ({ intent }) =>
  intent === 'disabled' ? null : { patch: { intent: 'disabled' }, reason: 'disabled by hand', again: false };

// Enabled again, it has to prove itself again (wire facts, section 1).
const enable: Wish = ({ intent, verification, name }) => {
  if (intent === 'paused') throw wrongState('It is paused, not disabled', intent, name);
  if (intent === 'enabled') return null;
  const isTrusted = verification === 'none';
  const health = isTrusted ? 'active' : 'pending';
  return {
    patch: { intent: 'enabled', health, streak: 0, challenge: null },
    reason: 'enabled by hand',
    again: !isTrusted,
  };
};

function wrongState(words: string, state: 'paused' | 'disabled', name: string): Refused {
  return refuse('wrong-state', `${words}; ${wayOut(state, name)}`);
}

export const pauseWebhook = wish('Pause a webhook: its deliveries are held', pause);
export const resumeWebhook = wish('Resume a paused webhook; it does not heal it', resume);
export const disableWebhook = wish('Disable a webhook: its deliveries are held', disable);
export const enableWebhook = wish('Enable a disabled webhook; it is pending and challenged again', enable);

export const unparkWebhook = operation<null, WebhookOut>()({
  summary: 'Try again what is parked: each line that waits goes on',
  description: 'For `fifo` webhooks with `onFailure: park`. What fails again is parked again after its tries.',
  params: WebhookParams,
  success: { 200: 'What was parked is due.' },
  async handle({ params, workspace }, tools) {
    const webhook = await findWebhook(params.webhook, workspace, tools);
    await tools.engine.unpark({ workspace: workspace.workspace, target: webhook.webhook });
    return ok(showWebhook(webhook));
  },
});

function wish(summary: string, decide: Wish) {
  return operation<null, WebhookOut>()({
    summary,
    params: WebhookParams,
    success: { 200: 'It is so now, or was so already.' },
    errors: ['wrong-state', 'changed-meanwhile'],
    async handle({ params, workspace, now }, tools) {
      const { webhook, again } = await updateWebhook({ id: params.webhook, workspace, now }, tools.store, decide);
      if (again) challenge(webhook, tools);
      return ok(showWebhook(webhook));
    },
  });
}

/** How long a former secret is honoured when a rotation does not say (Standard Webhooks 1.0). */
const GRACE_MS = 24 * 3_600_000;

export const rotateWebhook = operation<RotateIn, WebhookSecretOut>()({
  summary: 'Turn the secret over; the former one is honoured for a while',
  description:
    'The state stays and a challenge follows. Until the endpoint proves the new secret, the HPE signature is made with the one it proved last; Standard Webhooks signatures are made with both.',
  params: WebhookParams,
  optionalBody: true,
  errors: ['invalid-secret', 'changed-meanwhile', 'wrong-state'],
  async handle({ body, params, workspace, now }, tools) {
    const graceMs = body.graceMs ?? GRACE_MS;
    let generated: Generated = {};
    const { webhook } = await updateWebhook({ id: params.webhook, workspace, now }, tools.store, (before, secrets) => {
      if (before.mode === 'pull') throw refuse('wrong-state', 'Its deliveries are fetched: it has no secret.');
      const turned = rotateSecret(
        { secrets, signing: before.signing, publicKey: before.publicKey },
        { given: body.secret, overlap: graceMs > 0 },
        tools.random.bytes,
      );
      generated = turned.generated;
      const secondaryUntil = graceMs > 0 ? now + graceMs : null;
      return { patch: { secrets: turned.secrets, secondaryUntil, challenge: null }, reason: null, again: true };
    });
    if (webhook.verification !== 'none') challenge(webhook, tools);
    const shown = showWebhook(webhook);
    return { status: 200, body: { ...shown, ...generated }, stored: shown };
  },
});

/** Changes that are listed; older ones are kept, but nobody pages through them. */
const CHANGES = 500;

export const listChanges = operation<null, WebhookChangesOut>()({
  summary: 'List the last changes of a webhook’s state with their reasons, the newest first',
  params: WebhookParams,
  async handle({ params, workspace }, tools) {
    const { webhook } = await findWebhook(params.webhook, workspace, tools);
    const changes = await tools.store.settings.webhookChanges(workspace.workspace, webhook, CHANGES);
    const items = changes.map(({ at, intent, health, reason }) => {
      return { at: instant(at), state: shownState(intent, health), intent, health, reason };
    });
    return ok({ items, next: null });
  },
});

const WebhookDeliveriesQuery = Type.Omit(DeliveriesQuery, ['webhook', 'event'], { additionalProperties: false });

export const listWebhookDeliveries = operation<null, DeliveriesOut>()({
  summary: 'List the deliveries of a webhook, those of the newest events first',
  params: WebhookParams,
  query: WebhookDeliveriesQuery,
  async handle({ params, query, workspace }, tools) {
    await findWebhook(params.webhook, workspace, tools);
    return ok(await deliveriesPage({ ...query, webhook: params.webhook }, workspace, tools));
  },
});

function challenge({ workspace, webhook }: Webhook, { engine }: Tools): void {
  engine.challenge({ workspace, target: webhook });
}
