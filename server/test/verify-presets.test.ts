// What documents may say of presets and challenges is what the receiver library knows: neither more nor less.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { challengeNames, createPresetVerifier, presetNames, type PresetOptions } from '@bellwire/receiver';
import type { Json } from '../src/model/flow/definition.ts';
import { readFlows } from '../src/model/flow/document/index.ts';
import { HOOK_CHALLENGES, VERIFY_PRESETS } from '../src/model/flow/document/verify.ts';

/** Secrets of the forms that presets need. */
const SECRETS = ['user:password', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'];

/** Would the library take it? */
function isTaken(options: Json): boolean {
  return SECRETS.some((secret) => {
    try {
      createPresetVerifier({ ...(options as object), secret } as unknown as PresetOptions);
      return true;
    } catch {
      return false;
    }
  });
}

function isRead(verify: Json): boolean {
  const text = JSON.stringify({ scenario: 'x', on: { hook: { verify, secret: 'S' } } });
  return readFlows([{ name: 'a.yaml', text }]).ok;
}

test('the presets and challenges of documents are those of the receiver', () => {
  assert.deepEqual(Object.keys(VERIFY_PRESETS).sort(), [...presetNames].sort());
  assert.deepEqual(Object.keys(HOOK_CHALLENGES).sort(), [...challengeNames].sort());
  for (const name of challengeNames) {
    const bare = isTaken({ preset: 'github', challenges: [name] });
    assert.equal(bare, HOOK_CHALLENGES[name]?.knowsToken === false, name);
  }
});

test('a document takes the settings that the receiver takes', () => {
  const hmac = { preset: 'hmac', header: 'X-Sig' };
  const all: Json[] = [
    ...Object.keys(VERIFY_PRESETS).map((preset) => ({ preset })),
    { preset: 'token', header: 'X-Token', prefix: 'Bearer ' },
    { preset: 'token', header: 'X Token' },
    hmac,
    { ...hmac, algorithm: 'sha1' },
    { ...hmac, algorithm: 'md5' },
    { ...hmac, encoding: 'base64', prefix: 'v1=' },
    { ...hmac, encoding: 'base32' },
    { ...hmac, timestamp: { header: 'X-Time' } },
    { ...hmac, timestamp: { header: 'X-Time', unit: 'milliseconds', content: 'v0:{timestamp}:{body}' } },
    { ...hmac, timestamp: { header: 'X-Time', content: '{body}{timestamp}' } },
    { ...hmac, timestamp: { header: 'X-Time', unit: 'hours' } },
    { ...hmac, timestamp: {} },
  ];
  for (const verify of all) assert.equal(isRead(verify), isTaken(verify), JSON.stringify(verify));
});
