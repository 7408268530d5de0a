// API keys: who may do what, where. The key itself is shown once; only its hash is kept.
import { Type, type Static } from 'typebox';
import { formatId, makeToken } from '../model/ids.ts';
import { refuse } from '../model/problem.ts';
import type { ApiKey, Workspace } from '../store/contract.ts';
import { hashKey, makeKey } from './auth.ts';
import { created, done, isAdmin, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { checkService } from './services.ts';
import { absent, Instant, instant, orNull, pageOf, PageQuery } from './wire.ts';

const Scopes = Type.Array(Type.Enum(['publish', 'read', 'manage', 'pull']), {
  minItems: 1,
  maxItems: 4,
  uniqueItems: true,
});
const KeyId = Type.String({ pattern: '^key_[0-9a-z_]+$', maxLength: 80, examples: ['key_k3v9x2m4q7'] });

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
  id: 'key_k3v9x2m4q7',
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

export const createKey = operation<KeyIn, KeyCreatedOut>()({
  summary: 'Make an API key; it is shown this once',
  description: 'A key makes keys of no more than its own scopes, workspaces and service.',
  success: { 201: 'It was made. The key itself is in this answer and nowhere else.' },
  errors: ['unknown-workspace', 'unknown-service', 'missing-scope', 'admin-only'],
  async handle({ body, key: owner, workspace, now }, tools) {
    const missing = body.scopes.find((scope) => !owner.scopes.includes(scope));
    if (missing !== undefined)
      throw refuse('missing-scope', `The key "${owner.name}" cannot give ${missing}: it has it not.`);
    const service = body.service ?? null;
    // A service speaks for the installation: who binds a key to one lets it publish that one's types.
    if (service !== null && !isAdmin(owner))
      throw refuse('admin-only', 'Only a key of the whole installation binds keys to a service.');
    if (service !== null) await checkService(service, tools);
    const plain = makeKey(tools.random.bytes(32));
    const key: ApiKey = {
      key: `key_${makeToken(tools.random.bytes(10))}`,
      name: body.name,
      scopes: body.scopes,
      workspaces: await granted(body.workspaces, { owner, workspace }, tools),
      service,
      createdAt: now,
    };
    await tools.store.settings.createKey(key, hashKey(plain));
    const shown = await show(key, tools);
    return created<KeyCreatedOut>({ ...shown, key: plain }, shown);
  },
});

export const listKeys = operation<null, KeysOut>()({
  summary: 'List the keys this key may manage, the oldest first: never the keys themselves',
  query: KeysQuery,
  reach: 'installation',
  async handle({ query, key: owner }, tools) {
    const own = (await tools.store.settings.keys()).filter((key) => isWithin(key, owner));
    const keyOf = ({ createdAt, key }: ApiKey): string => `${instant(createdAt)} ${key}`;
    const { items, next } = pageThrough({ list: 'keys', items: own, keyOf }, query);
    const tokens = await tokensOf(tools);
    return ok({ items: items.map((key) => showWith(tokens, key)), next });
  },
});

export const deleteKey = operation<null, null>()({
  summary: 'Delete a key: it is refused from now on, by other nodes within seconds',
  params: KeyParams,
  success: { 204: 'It is gone.' },
  reach: 'installation',
  async handle({ params, key: owner }, { store, auth }) {
    const found = (await store.settings.keys()).find(({ key }) => key === params.key);
    if (found === undefined || !isWithin(found, owner)) throw absent('key', params.key);
    await store.settings.deleteKey(params.key);
    auth.forget();
    return done();
  },
});

/** The workspaces a new key is for, each one its maker may act for; null is all, for the installation's key only. */
async function granted(
  named: KeyIn['workspaces'],
  { owner, workspace }: { owner: ApiKey; workspace: Workspace },
  { auth }: Tools,
): Promise<number[] | null> {
  if (named === undefined) return [workspace.workspace];
  if (named !== null) {
    const all = new Set<number>();
    for (const name of named) all.add((await auth.locate(owner, name)).workspace);
    return [...all];
  }
  if (!isAdmin(owner))
    throw refuse('admin-only', 'Only a key of the whole installation makes keys for all workspaces.');
  return null;
}

/** Does a key reach no further than this one? */
function isWithin(key: ApiKey, owner: ApiKey): boolean {
  const { workspaces } = owner;
  if (workspaces === null) return true;
  return key.workspaces !== null && key.workspaces.every((workspace) => workspaces.includes(workspace));
}

async function tokensOf({ store }: Tools): Promise<Map<number, string>> {
  return new Map((await store.settings.workspaces()).map(({ workspace, token }) => [workspace, token]));
}

async function show(key: ApiKey, tools: Tools): Promise<KeyOut> {
  return showWith(await tokensOf(tools), key);
}

/** Workspaces that were deleted since are left out. */
function showWith(tokens: ReadonlyMap<number, string>, key: ApiKey): KeyOut {
  const { key: id, name, scopes, workspaces, service, createdAt } = key;
  const ids = workspaces?.flatMap((workspace) => {
    const token = tokens.get(workspace);
    return token === undefined ? [] : [formatId('ws', token)];
  });
  return { id, name, scopes: [...scopes], workspaces: ids ?? null, service, createdAt: instant(createdAt) };
}
