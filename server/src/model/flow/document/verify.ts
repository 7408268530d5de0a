// Who may call a hook, as a document says it: `verify: greenlake`, or a map with the settings of `token` and `hmac`.
//
// The presets themselves stand in the receiver library, which the model does not import: what documents may say of them is
// kept here, and a test holds it against the library (test/verify-presets.test.ts).
import type { HookChallenge, Json, Verify } from '../definition.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import { booleanOf, choiceOf, fieldsOf, isGiven, itemsOf, textOf, type Fields, type TextRule } from './fields.ts';
import { NAME } from './params.ts';
import type { Value } from './source.ts';

/** The presets, with the settings that each takes. */
export const VERIFY_PRESETS: Readonly<Record<string, readonly string[]>> = {
  greenlake: [],
  'standard-webhooks': [],
  github: [],
  stripe: [],
  slack: [],
  shopify: [],
  zoom: [],
  'cloud-automator': [],
  basic: [],
  token: ['header', 'prefix'],
  hmac: ['header', 'algorithm', 'prefix', 'encoding', 'timestamp'],
};

/** The challenges that are switched on by name: those that ask for a token want to know it, by the name of a secret. */
export const HOOK_CHALLENGES: Readonly<Record<string, { knowsToken: boolean; answersBySecret: boolean }>> = {
  meta: { knowsToken: true, answersBySecret: false },
  websub: { knowsToken: true, answersBySecret: false },
  x: { knowsToken: false, answersBySecret: true },
  dropbox: { knowsToken: false, answersBySecret: false },
  adobe: { knowsToken: false, answersBySecret: false },
  okta: { knowsToken: false, answersBySecret: false },
  'microsoft-graph': { knowsToken: false, answersBySecret: false },
  'event-grid': { knowsToken: false, answersBySecret: false },
};

/** Two are for rotation; more are a list that somebody forgot to shorten. */
const MAX_SECRETS = 5;

/** Reads `verify`, `secret` and `observe` of a hook; null without verification. */
export function readVerify(fields: Fields, faults: Faults): Verify | null {
  const written = fields.value('verify');
  const secret = fields.value('secret');
  const observe = fields.value('observe');
  if (!isGiven(written)) {
    for (const name of ['secret', 'observe']) {
      if (isGiven(fields.value(name))) faults.add(fields.nameAt(name), `${name} needs verify: what is verified by it?`);
    }
    return null;
  }
  const read = readPreset(written, faults);
  const secrets = readSecrets(secret, faults);
  if (!isGiven(secret)) {
    faults.add(fields.nameAt('verify'), 'verify needs secret: the name of a secret, never its value', ['secret']);
  }
  const isObserved = isGiven(observe) ? booleanOf(observe, 'observe', faults) : false;
  return read === null ? null : { ...read, secrets, observe: isObserved ?? false };
}

/** Names of secrets: one, or several while a secret is being changed. */
function readSecrets(value: Value | null, faults: Faults): string[] {
  const items = itemsOf(value);
  if (value !== null && items.length > MAX_SECRETS) faults.add(value, `at most ${MAX_SECRETS} secrets are tried`);
  if (value?.kind === 'list' && items.length === 0) faults.add(value, 'secret names none; it needs one');
  return items.flatMap((item) => textOf(item, 'the name of a secret', faults, NAME) ?? []);
}

type Preset = Pick<Verify, 'preset' | 'settings'>;

function readPreset(value: Value, faults: Faults): Preset | null {
  if (value.kind !== 'map') {
    const preset = presetOf(value, faults);
    if (preset !== 'hmac') return preset === null ? null : { preset, settings: {} };
    faults.add(value, 'the preset hmac needs header: verify: { preset: hmac, header: X-Signature }', ['header']);
    return null;
  }
  const named = value.entries.find(({ name }) => name === 'preset')?.value ?? null;
  if (!isGiven(named)) {
    faults.add(value, 'verify needs preset', Object.keys(VERIFY_PRESETS));
    return null;
  }
  const preset = presetOf(named, faults);
  if (preset === null) return null;
  const own = VERIFY_PRESETS[preset] as readonly string[];
  const fields = fieldsOf(value, `verify with the preset ${preset}`, ['preset', ...own], faults) as Fields;
  if (preset === 'hmac' && !isGiven(fields.value('header'))) {
    faults.add(fields.at, 'the preset hmac needs header: where the signature stands', ['header']);
  }
  return { preset, settings: readSettings(fields, own, faults) };
}

function presetOf(value: Value, faults: Faults): string | null {
  return choiceOf(value, 'preset', { words: Object.keys(VERIFY_PRESETS), faults });
}

/** A name of a header (RFC 9110, 5.6.2). */
const HEADER: TextRule = { pattern: /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, looks: 'must be the name of a header' };
const CONTENT: TextRule = {
  pattern: /^[^{}]*\{timestamp\}[^{}]*\{body\}$/,
  looks: 'must hold {timestamp} once and end with {body}',
};
const ALGORITHMS = ['sha1', 'sha256', 'sha512'] as const;
const ENCODINGS = ['hex', 'base64'] as const;
const UNITS = ['seconds', 'milliseconds'] as const;

function readSettings(fields: Fields, own: readonly string[], faults: Faults): Record<string, Json> {
  const settings: Record<string, Json> = {};
  for (const name of own) {
    const value = fields.value(name);
    const setting = isGiven(value) ? readSetting(name, value, faults) : null;
    if (setting !== null) settings[name] = setting;
  }
  return settings;
}

function readSetting(name: string, value: Value, faults: Faults): Json {
  if (name === 'header') return textOf(value, 'header', faults, HEADER);
  if (name === 'prefix') return textOf(value, 'prefix', faults);
  if (name === 'algorithm') return choiceOf(value, 'algorithm', { words: ALGORITHMS, faults });
  if (name === 'encoding') return choiceOf(value, 'encoding', { words: ENCODINGS, faults });
  return readTimestamp(value, faults);
}

/** `timestamp: X-Timestamp`, or a map of header, content and unit. */
function readTimestamp(value: Value, faults: Faults): Json {
  if (value.kind !== 'map') {
    const header = textOf(value, 'the header of the timestamp', faults, HEADER);
    return header === null ? null : { header };
  }
  const fields = fieldsOf(value, 'timestamp', ['header', 'content', 'unit'], faults) as Fields;
  const header = fields.value('header');
  const content = fields.value('content');
  const unit = fields.value('unit');
  if (!isGiven(header)) faults.add(fields.at, 'timestamp needs header', ['header']);
  const read = {
    header: isGiven(header) ? textOf(header, 'header', faults, HEADER) : null,
    content: isGiven(content) ? textOf(content, 'content', faults, CONTENT) : null,
    unit: isGiven(unit) ? choiceOf(unit, 'unit', { words: UNITS, faults }) : null,
  };
  return Object.fromEntries(Object.entries(read).filter(([, one]) => one !== null));
}

/** Reads the challenges that are answered beside the preset's own: names, or maps of a name and a secret. */
export function readChallenges(
  value: Value | null,
  { verify, faults }: { verify: Verify | null; faults: Faults },
): HookChallenge[] {
  const known = new Set<string>();
  return itemsOf(value).flatMap((item) => {
    const challenge = readChallenge(item, { verify, faults });
    if (challenge !== null && known.has(challenge.name)) {
      faults.add(item, `the challenge "${challenge.name}" is named twice`);
    }
    if (challenge !== null) known.add(challenge.name);
    return challenge ?? [];
  });
}

function readChallenge(
  value: Value,
  { verify, faults }: { verify: Verify | null; faults: Faults },
): HookChallenge | null {
  const words = Object.keys(HOOK_CHALLENGES);
  const fields = value.kind === 'map' ? fieldsOf(value, 'a challenge', ['name', 'secret'], faults) : null;
  const named = value.kind === 'map' ? (fields?.value('name') ?? null) : value;
  if (!isGiven(named)) {
    faults.add(value, 'a challenge needs name', words);
    return null;
  }
  const name = choiceOf(named, 'challenge', { words, faults });
  if (name === null) return null;
  const rule = HOOK_CHALLENGES[name] as { knowsToken: boolean; answersBySecret: boolean };
  const secret = fields?.value('secret') ?? null;
  const secrets = readSecrets(secret, faults);
  const at: Span = value;
  if (rule.knowsToken && secrets.length === 0 && !isGiven(secret)) {
    faults.add(
      at,
      `the challenge ${name} needs secret: { name: ${name}, secret: NAME }, the token that its sender has`,
    );
  }
  if (!rule.knowsToken && isGiven(secret))
    faults.add(secret, notOneOf(`field of the challenge ${name} called`, 'secret', ['name']));
  if (rule.answersBySecret && verify === null) {
    faults.add(at, `the challenge ${name} is answered with the secret of verify, and there is none`, ['verify']);
  }
  return {
    name,
    settings: secrets.length === 0 ? {} : { secret: secrets.length === 1 ? (secrets[0] as string) : secrets },
  };
}
