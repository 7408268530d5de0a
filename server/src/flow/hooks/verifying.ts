// Who may call a hook: the presets of the receiver library, with the values of the secrets that a scenario names.
import { SecretError, createSyncPresetVerifier, type PresetOptions, type PresetRequest } from '@bellwire/receiver';
import type { PresetVerdict } from '@bellwire/receiver';
import { nodeCrypto } from '@bellwire/receiver/node-crypto';
import type { Hook, HookChallenge } from '../../model/flow/definition.ts';
import type { HookRequest } from '../../model/hook/exchange.ts';
import { secretsOfHook } from '../../model/flow/secret-names.ts';

/** Judges a request; null where anybody may call. */
export type Verifier = ((request: HookRequest) => PresetVerdict) | null;

/** A verifier, or why there can be none, as a sentence without a secret: then nobody may call. */
export type MadeVerifier = { ok: true; verify: Verifier } | { ok: false; reason: string };

/** Makes the verifier of a hook. `secrets` are those that are set. */
export function makeVerifier(hook: Hook, secrets: Readonly<Record<string, string>>, now: () => number): MadeVerifier {
  const isSet = (name: string): boolean => Object.hasOwn(secrets, name);
  // Of several secrets one is enough: while they are changed, the new one is not set yet, or the old one no more.
  const spare = hook.verify?.secrets.some(isSet) ? hook.verify.secrets : [];
  const missing = secretsOfHook(hook).filter((name) => !isSet(name) && !spare.includes(name));
  if (missing.length > 0) return { ok: false, reason: `The secret ${missing.join(', ')} is not set.` };
  if (hook.verify === null && hook.challenges.length === 0) return { ok: true, verify: null };
  try {
    const judge = createSyncPresetVerifier(optionsOf(hook, secrets, now), nodeCrypto);
    return { ok: true, verify: (request) => judge(asRead(request)) };
  } catch (error) {
    // The library says what is wrong with a secret or a setting, and never what the secret is.
    if (error instanceof SecretError || error instanceof TypeError) {
      return { ok: false, reason: `The verification cannot be used: ${error.message}.` };
    }
    throw error;
  }
}

function optionsOf(
  { verify, challenges }: Hook,
  secrets: Readonly<Record<string, string>>,
  now: () => number,
): PresetOptions {
  const common = { now, challenges: challenges.map(({ name }) => name), verifyToken: tokensOf(challenges, secrets) };
  // The library answers challenges for whoever verifies. Where nobody does, everything is observed, and no doubt kept.
  const { preset, settings, observe } = verify ?? { preset: 'token', settings: {}, observe: true };
  const secret = verify === null ? ['-'] : verify.secrets.flatMap((name) => secrets[name] ?? []);
  return { ...settings, ...common, preset, secret, observe } as unknown as PresetOptions;
}

function tokensOf(challenges: readonly HookChallenge[], secrets: Readonly<Record<string, string>>): string[] {
  const names = challenges.flatMap(({ settings }) => (settings['secret'] ?? []) as string | string[]);
  return names.map((name) => secrets[name] as string);
}

// Repeated headers are appended, not joined by hand: the library refuses those of which there must be one.
function asRead({ method, query, headers: lines, body }: HookRequest): PresetRequest {
  const headers = new Headers();
  for (let at = 0; at + 1 < lines.length; at += 2) headers.append(lines[at] as string, lines[at + 1] as string);
  return { method, headers, query: new URLSearchParams(query), body };
}
