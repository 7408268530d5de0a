// What is there at the first start: the catalog's first entries, the admin key beside the data, a workspace.
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DEFAULT_WORKSPACE, hashKey, makeKey } from './api/auth.ts';
import type { Log } from './log/index.ts';
import { OPERATIONAL_SERVICE, OPERATIONAL_TYPES } from './model/operational-types.ts';
import { StoreRefusal, type Settings, type WorkspaceLimits } from './store/contract.ts';

/** The service of the source document's two event types. */
const SERVICE = { service: 'hpe-greenlake-platform', description: 'HPE GreenLake platform: audit log, subscriptions.' };

/** The audit-log event's data, as the source document shows it (R73). */
const AUDIT_LOG_DATA = {
  id: 'uJoQ5JMB_HAPiq2sSllt',
  user: { username: 'john.doe@hpedev.io' },
  workspace: { id: '3009de2825f211ec8a84fedebcb4a754', workspace_name: null, workspace_type: null },
  application: { id: '00000000-0000-0000-0000-000000000000' },
  category: 'user_management',
  description: 'User john.doe@hpedev.io logged out',
  created_at: 1734698093161,
  updated_at: 1734698093161,
  additional_info: { ip_address: '194.9.99.5', account_name: 'HPEDEV -GLCP- Hackshack', ip_address_str: '1.1.1.1' },
  has_details: false,
};

const AUDIT_LOG_SCHEMA = {
  type: 'object',
  required: ['id', 'category', 'description', 'created_at'],
  properties: {
    id: { type: 'string' },
    user: { type: 'object', properties: { username: { type: 'string' } } },
    workspace: { type: 'object', properties: { id: { type: 'string' } } },
    application: { type: 'object', properties: { id: { type: 'string' } } },
    category: { type: 'string' },
    description: { type: 'string' },
    created_at: { type: 'integer', description: 'epoch ms' },
    updated_at: { type: 'integer', description: 'epoch ms' },
    additional_info: { type: 'object' },
    has_details: { type: 'boolean' },
  },
};

const EXPIRING_DATA = {
  id: '6b1f7c0e-3d7e-4c3f-9a39-0f6f1f0d2b11',
  key: 'ABCDEF123456',
  tier: 'STANDARD',
  quantity: 10,
  expires_at: 1767225600000,
};

const EXPIRING_SCHEMA = {
  type: 'object',
  required: ['id', 'expires_at'],
  properties: {
    id: { type: 'string' },
    key: { type: 'string' },
    tier: { type: 'string' },
    quantity: { type: 'integer' },
    expires_at: { type: 'integer', description: 'epoch ms' },
  },
};

/** The catalog's first entries (R117). */
const FIRST_TYPES = [
  {
    type: 'com.hpe.greenlake.audit-log.v1.logs.created',
    description: 'An entry was written to the audit log.',
    schema: AUDIT_LOG_SCHEMA,
    example: AUDIT_LOG_DATA,
  },
  {
    type: 'com.hpe.greenlake.subscriptions.v1.expiring-subscriptions',
    description: 'A subscription is about to expire.',
    schema: EXPIRING_SCHEMA,
    example: EXPIRING_DATA,
  },
] as const;

/** What the first start needs to know. */
export interface FirstStart {
  dataFolder: string;
  /** Of the first workspace. */
  limits: WorkspaceLimits;
  log: Log;
  /** Epoch ms. */
  now: number;
}

/**
 * Makes what is missing, and answers the admin key. What people have changed or deleted since the first start stays as
 * they left it. The workspace comes last: a start that was cut short before it is a first start still, and everything
 * until then may be done twice.
 */
export async function prepareStore(settings: Settings, { dataFolder, limits, log, now }: FirstStart): Promise<string> {
  const isFirst = (await settings.workspaces()).length === 0;
  if (isFirst) await putFirstTypes(settings, now);
  const file = join(dataFolder, 'admin-key');
  const key = readKey(file);
  const isKnown = key !== null && (await settings.findKey(hashKey(key))) !== null;
  // The file's key is taken over by a store that is new. One that was deleted since must stay deleted: it may have leaked.
  const isOurs = isKnown || (isFirst && key !== null);
  if (key !== null && !isOurs)
    log.warn({ file }, 'the store does not know the admin key of this file (deleted?): a new one takes its place');
  const adminKey = isOurs ? key : writeKey(file);
  if (!isKnown) await registerKey(settings, adminKey, now);
  if (isFirst) await createFirstWorkspace(settings, limits, now);
  return adminKey;
}

// Of two nodes that start at once on an empty database one makes it, and the other finds it made.
async function createFirstWorkspace(settings: Settings, limits: WorkspaceLimits, now: number): Promise<void> {
  try {
    await settings.createWorkspace(DEFAULT_WORKSPACE, limits, now);
  } catch (error) {
    if (!(error instanceof StoreRefusal && error.code === 'name-taken')) throw error;
  }
}

async function putFirstTypes(settings: Settings, now: number): Promise<void> {
  await settings.putService(SERVICE.service, SERVICE.description, now);
  for (const { type, description, schema, example } of FIRST_TYPES) {
    const texts = { schema: JSON.stringify(schema), example: JSON.stringify(example) };
    const rest = { workspace: 0, service: SERVICE.service, schemaCheck: 'warn' as const, deprecation: null };
    await settings.putType({ type, description, ...texts, ...rest }, now);
  }
  await settings.putService(OPERATIONAL_SERVICE.service, OPERATIONAL_SERVICE.description, now);
  for (const { type, description, schema, example } of OPERATIONAL_TYPES) {
    const texts = { schema: JSON.stringify(schema), example: JSON.stringify(example) };
    const rest = { workspace: 0, service: OPERATIONAL_SERVICE.service, schemaCheck: 'off' as const, deprecation: null };
    await settings.putType({ type, description, ...texts, ...rest }, now);
  }
}

async function registerKey(settings: Settings, adminKey: string, now: number): Promise<void> {
  const scopes = ['publish', 'read', 'manage', 'pull'] as const;
  const key = `key_${randomBytes(8).toString('hex')}`;
  const rest = { name: 'admin', scopes, workspaces: null, service: null, createdAt: now };
  await settings.createKey({ key, ...rest }, hashKey(adminKey));
}

function readKey(file: string): string | null {
  try {
    return readFileSync(file, 'utf8').trim() || null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Error(`cannot read the admin key ${file}: ${(error as Error).message}`, { cause: error });
  }
}

// Whoever may read this folder may read the store itself, so a lost file is simply made anew, with a new key.
function writeKey(file: string): string {
  const key = makeKey(randomBytes(32));
  try {
    // Made anew, for a file that is there keeps its mode.
    rmSync(file, { force: true });
    const handle = openSync(file, 'wx', 0o600);
    writeSync(handle, `${key}\n`);
    fsyncSync(handle);
    closeSync(handle);
  } catch (error) {
    throw new Error(`cannot write the admin key ${file}: ${(error as Error).message}`, { cause: error });
  }
  return key;
}
