// Who asks, and for which workspace: keys by their hash, workspaces by id, name, or the key itself.
import { hash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../model/clock.ts';
import { parseId } from '../model/ids.ts';
import { refuse } from '../model/problem.ts';
import type { ApiKey, Store, Workspace } from '../store/contract.ts';

/** Every key begins so, to be found by people and by scanners of leaked secrets. */
export const KEY_PREFIX = 'bw_';

/** The workspace a key of the whole installation acts on when it names none. */
export const DEFAULT_WORKSPACE = 'default';

/** How long a node may still honour a key or show a workspace that was deleted through another node. */
const TTL_MS = 5_000;
const CACHED = 10_000;

/** Answers who and where. */
export interface Auth {
  /** The key of an `Authorization` header; at once when it is cached. Refuses `unauthenticated`. */
  identify(authorization: string | undefined): ApiKey | Promise<ApiKey>;
  /** The workspace a request acts on. Refuses `workspace-required` or `unknown-workspace`. */
  locate(key: ApiKey, named: string | undefined): Workspace | Promise<Workspace>;
  /** Forgets what is cached: a key or a workspace was changed here. */
  forget(): void;
}

/** The stored form of a key: SHA-256 in hex. Keys are 256 random bits, so a slow hash would add nothing. */
export function hashKey(key: string): string {
  return hash('sha256', key, 'hex');
}

/** A new key out of 32 random bytes. */
export function makeKey(random: Uint8Array): string {
  return KEY_PREFIX + Buffer.from(random).toString('base64url');
}

/** Makes the authenticator. */
export function createAuth({ settings }: Pick<Store, 'settings'>, clock: Clock): Auth {
  // By the whole header: what a caller sent last time need not be taken apart and hashed again.
  const options = { max: CACHED, ttl: TTL_MS, perf: { now: () => clock.monotonic() } };
  const keys = new LRUCache<string, ApiKey>(options);
  const workspaces = new LRUCache<string, Workspace>(options);
  let changes = 0;

  // The look-up needs no constant time: what is compared is a hash of what the caller sent, and nobody can steer
  // a SHA-256 towards another one byte by byte.
  function identify(authorization: string | undefined): ApiKey | Promise<ApiKey> {
    const known = authorization === undefined ? undefined : keys.get(authorization);
    return known ?? findKey(authorization);
  }

  // Keys that are not found are not cached: a stranger could fill the cache with them. Nor is one that was read while
  // something was deleted here: it may be the one.
  async function findKey(authorization: string | undefined): Promise<ApiKey> {
    const hashed = hashKey(bearerOf(authorization));
    const asked = changes;
    const key = await settings.findKey(hashed);
    if (key === null) throw unauthenticated('The API key is not known here.', 'invalid_token');
    if (asked === changes) keys.set(authorization as string, key);
    return key;
  }

  function locate(key: ApiKey, named: string | undefined): Workspace | Promise<Workspace> {
    const wanted = named ?? soleWorkspace(key) ?? DEFAULT_WORKSPACE;
    const cached = workspaces.get(cacheKey(wanted));
    return cached === undefined ? findWorkspace(key, wanted) : allowed(key, cached, wanted);
  }

  async function findWorkspace(key: ApiKey, wanted: string | number): Promise<Workspace> {
    const asked = changes;
    const workspace = await settings.workspace(selector(wanted));
    if (workspace !== null && asked === changes) workspaces.set(cacheKey(wanted), workspace);
    return allowed(key, workspace, wanted);
  }

  return {
    identify,
    locate,
    forget() {
      changes++;
      keys.clear();
      workspaces.clear();
    },
  };
}

// A workspace may be named `7`; number 7 is another one.
function cacheKey(wanted: string | number): string {
  return typeof wanted === 'number' ? `#${wanted}` : wanted;
}

/** Names a workspace by number, id or name, as the store is asked for it. */
export function selector(wanted: string | number): Parameters<Store['settings']['workspace']>[0] {
  if (typeof wanted === 'number') return { workspace: wanted };
  const id = parseId(wanted);
  return id?.kind === 'ws' ? { token: id.token } : { name: wanted };
}

// A workspace that exists but is not the key's is answered exactly like one that does not exist.
function allowed(key: ApiKey, workspace: Workspace | null, wanted: string | number): Workspace {
  if (workspace !== null && (key.workspaces === null || key.workspaces.includes(workspace.workspace))) return workspace;
  const which = typeof wanted === 'string' ? ` "${wanted}"` : '';
  throw refuse('unknown-workspace', `There is no workspace${which} this key may act for.`);
}

function soleWorkspace(key: ApiKey): number | undefined {
  if (key.workspaces === null) return undefined;
  if (key.workspaces.length === 1) return key.workspaces[0];
  throw refuse(
    'workspace-required',
    'This key acts for several workspaces: name one in the header Bellwire-Workspace or in ?workspace=.',
  );
}

function bearerOf(authorization: string | undefined): string {
  if (authorization === undefined) throw unauthenticated('The request has no Authorization header.');
  const match = /^Bearer +([A-Za-z0-9._~+/=-]{1,512})$/i.exec(authorization);
  if (match === null) throw unauthenticated('The Authorization header must be: Bearer <API key>.', 'invalid_request');
  return match[1] as string;
}

/** RFC 6750 section 3: the challenge, with an error code only when credentials were there. */
function unauthenticated(detail: string, error?: 'invalid_token' | 'invalid_request') {
  const challenge = `Bearer realm="bellwire"${error === undefined ? '' : `, error="${error}"`}`;
  return refuse('unauthenticated', detail, { 'www-authenticate': challenge });
}
