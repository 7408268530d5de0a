// The presets: how each kind of sender signs, and what it asks before it sends.
import { greenlakeChallenge, slackChallenge, zoomChallenge } from './challenges.ts';
import type { Challenge } from './challenges.ts';
import type { Rule } from './claim.ts';
import { basicRule, tokenRule } from './credentials.ts';
import type { TokenSettings } from './credentials.ts';
import { hmacRule } from './hmac.ts';
import type { HmacSettings } from './hmac.ts';
import { standardWebhooksRule } from './standard-webhooks.ts';
import { stripeRule } from './stripe.ts';

/** One kind of sender. */
export interface Sender {
  readonly rule: Rule;
  readonly challenge?: Challenge;
  /** Whether its challenge is answered to anybody. Otherwise it is signed as all its requests are, and verified first. */
  readonly asksUnsigned?: boolean;
}

/** HPE GreenLake's rule, with its prefix or without. */
export const greenlakeRule = hmacRule({ header: 'HPE-Webhook-Signature', prefix: 'sha256=' }, true);

const senders = {
  greenlake: {
    rule: greenlakeRule,
    challenge: greenlakeChallenge,
    asksUnsigned: true,
  },
  'standard-webhooks': { rule: standardWebhooksRule },
  github: { rule: hmacRule({ header: 'X-Hub-Signature-256', prefix: 'sha256=' }) },
  stripe: { rule: stripeRule },
  slack: {
    rule: hmacRule({
      header: 'X-Slack-Signature',
      prefix: 'v0=',
      timestamp: { header: 'X-Slack-Request-Timestamp', content: 'v0:{timestamp}:{body}' },
    }),
    challenge: slackChallenge,
  },
  shopify: { rule: hmacRule({ header: 'X-Shopify-Hmac-SHA256', encoding: 'base64' }) },
  zoom: {
    rule: hmacRule({
      header: 'x-zm-signature',
      prefix: 'v0=',
      timestamp: { header: 'x-zm-request-timestamp', content: 'v0:{timestamp}:{body}' },
    }),
    challenge: zoomChallenge,
  },
  'cloud-automator': { rule: tokenRule() },
  basic: { rule: basicRule },
} as const satisfies Record<string, Sender>;

/** The presets that take no settings of their own. */
export type PlainPreset = keyof typeof senders;

/** How requests are verified: a preset by its name, with its settings where it has any. */
export type Preset =
  | { readonly preset: PlainPreset }
  | ({ readonly preset: 'token' } & TokenSettings)
  | ({ readonly preset: 'hmac' } & HmacSettings);

/** The name of a preset. */
export type PresetName = Preset['preset'];

/** The names of all presets. */
export const presetNames: readonly PresetName[] = [...(Object.keys(senders) as PlainPreset[]), 'token', 'hmac'];

/**
 * The sender a preset stands for.
 * @throws {TypeError} where there is no such preset, or a setting is not what it must be
 */
export function senderOf(preset: Preset): Sender {
  if (preset.preset === 'token') return { rule: tokenRule(preset) };
  if (preset.preset === 'hmac') return { rule: hmacRule(preset) };
  if (!Object.hasOwn(senders, preset.preset)) {
    throw new TypeError(`preset must be one of ${presetNames.join(', ')}, not ${preset.preset}`);
  }
  return senders[preset.preset];
}
