// The address of a flow's HTTP trigger, and the token that opens it: made here, shown once, kept as a hash. The address of
// a hook, which needs no token beside it.
import { hash } from 'node:crypto';
import { Type, type Static } from 'typebox';
import type { Hook } from '../../model/flow/definition.ts';
import type { Trigger } from '../../store/flows/contract.ts';
import type { Tools } from '../kernel.ts';
import { orNull } from '../wire.ts';

/** Where the trigger is. `authorization` is there only in the answer that makes it. */
export const TriggerOut = Type.Object({
  path: Type.String({ description: 'To be joined to the address of the API.', examples: ['/trigger/f3k…'] }),
  authorization: Type.Optional(
    Type.String({
      description: 'What a request has to send as `Authorization`; shown once.',
      examples: ['CAAuth 8wq…'],
    }),
  ),
});
export type TriggerOut = Static<typeof TriggerOut>;

/** Where the hook of a scenario is, and whose requests it takes. */
export const HookOut = Type.Object({
  path: Type.String({ description: 'To be joined to the address of the API.', examples: ['/hooks/f3k…'] }),
  verify: orNull(Type.String({ description: 'The preset that requests are verified by; null: anybody may call it.' })),
  observe: Type.Boolean({ description: 'What would be refused is taken, and noted.' }),
  challenge: Type.Enum(['answer', 'pass'], { description: 'Who answers the challenge of the preset: hook or steps.' }),
  methods: Type.Array(Type.String()),
  shapes: Type.Array(Type.String(), { description: 'The structures that it knows.' }),
  onMisfit: Type.Enum(['note', 'refuse']),
  schedule: orNull(Type.Object({ at: Type.String(), timezone: Type.String() })),
});
export type HookOut = Static<typeof HookOut>;

/** 24 random bytes are 32 characters (wire facts, section 2). */
const BYTES = 24;

/** Makes an address and a token. */
export function makeTrigger(random: Tools['random']): { trigger: Trigger; token: string } {
  const text = () => Buffer.from(random.bytes(BYTES)).toString('base64url');
  const token = text();
  return { trigger: { path: text(), tokenHash: hash('sha256', token, 'hex') }, token };
}

/** Makes the address of a scenario's hook: all that a caller has to know (R78). */
export function makeHook(random: Tools['random']): { trigger: Trigger; token: null } {
  return { trigger: { path: Buffer.from(random.bytes(BYTES)).toString('base64url'), tokenHash: null }, token: null };
}

/** Shows where a trigger is, and the token where it was just made. */
export function showTrigger(path: string, token?: string): TriggerOut {
  return { path: `/trigger/${path}`, ...(token === undefined ? {} : { authorization: `CAAuth ${token}` }) };
}

/** Shows where a hook is. */
export function showHook(path: string, hook: Hook): HookOut {
  const { verify, challenge, methods, shapes, onMisfit, schedule } = hook;
  return {
    path: `/hooks/${path}`,
    verify: verify?.preset ?? null,
    observe: verify?.observe ?? false,
    challenge,
    methods: [...methods],
    shapes: shapes.map(({ name }) => name),
    onMisfit,
    schedule,
  };
}
