// API keys: who may do what, where. The key itself is shown once; only its hash is kept.
import { Type, type Static } from 'typebox';
import { Instant, orNull, PageQuery, pageOf } from './wire.ts';

const Scopes = Type.Array(Type.Enum(['publish', 'read', 'manage']), { minItems: 1, maxItems: 3, uniqueItems: true });
const KeyId = Type.String({ pattern: '^key_[0-9a-z_]+$', maxLength: 80, examples: ['key_k3v9x2m4q7_1'] });

/** What a key is made of. */
export const KeyIn = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    scopes: Scopes,
    workspaces: Type.Optional(
      orNull(
        Type.Array(Type.String({ minLength: 1, maxLength: 64 }), {
          minItems: 1,
          maxItems: 1000,
          uniqueItems: true,
          description:
            'Ids or names of the workspaces it may act for; left out: the one this request acts on; null: all of them, for ever (the installation’s key only).',
        }),
      ),
    ),
    service: Type.Optional(
      orNull(
        Type.String({
          minLength: 1,
          maxLength: 64,
          description: 'Binds the key to a service: it publishes that one’s types only, and manages nothing but them.',
        }),
      ),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ name: 'audit-log publisher', scopes: ['publish'], workspaces: ['acme'], service: 'audit-log' }],
  },
);
export type KeyIn = Static<typeof KeyIn>;

const KEY = {
  id: KeyId,
  name: Type.String(),
  scopes: Scopes,
  workspaces: orNull(Type.Array(Type.String(), { description: 'Ids; null is all.' })),
  service: orNull(Type.String()),
  createdAt: Instant,
};
const EXAMPLE = {
  id: 'key_k3v9x2m4q7_1',
  name: 'audit-log publisher',
  scopes: ['publish'],
  workspaces: ['ws_k3v9x2m4q7'],
  service: 'audit-log',
  createdAt: '2026-11-22T09:30:00.000Z',
};

/** A key as it is shown: never the key itself. */
export const KeyOut = Type.Object(KEY, { examples: [EXAMPLE] });
export type KeyOut = Static<typeof KeyOut>;

export const KeysOut = pageOf(KeyOut);
export type KeysOut = Static<typeof KeysOut>;

/** A new key, with the key itself: shown this once. A repeat by `Idempotency-Key` answers without it. */
export const KeyCreatedOut = Type.Object(
  { ...KEY, key: Type.Optional(Type.String({ description: 'The key itself, shown this once.' })) },
  { examples: [{ ...EXAMPLE, key: 'bw_3mJr7AoUXx2Wqd5yLvN9tTzKc8RbEfGh' }] },
);
export type KeyCreatedOut = Static<typeof KeyCreatedOut>;

export const KeysQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const KeyParams = Type.Object({ key: KeyId });
