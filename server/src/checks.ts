// Checking a whole store, as the settings name it. Composition, as platform.ts is for running one.
import { existsSync } from 'node:fs';
import type { Config } from './config/index.ts';
import { openKeyring, KeyringError, type Keyring } from './store/keyring.ts';
import { openLooking, type Looking, type StoreGround } from './store/checks/index.ts';
import { readSchema, SCHEMA_VERSION } from './store/migrate.ts';
import { postgresDialect } from './store/postgres.ts';
import { sqliteDialect } from './store/sqlite.ts';

export { CONTENT_CHECKS, ENGINE_CHECKS, findingsOf, NoStoreYet } from './store/checks/index.ts';
export type { Check, Finding, Looking, Seen, Severity, StoreGround } from './store/checks/index.ts';

/** Opens the store of these settings to be looked at. Throws in words where there is none ({@link NoStoreYet}), or none that answers. */
export function lookAtStore({ store }: Pick<Config, 'store'>): Promise<Looking> {
  return store.kind === 'sqlite' ? openLooking(store.file) : openLooking(store.url, store);
}

/** Are its rows those that this program knows? */
export async function isPresent(store: Looking): Promise<boolean> {
  const dialect = store.engine === 'sqlite' ? sqliteDialect : postgresDialect;
  const { number, complaint } = await readSchema({ dialect, read: store.ask });
  return complaint === null && number === SCHEMA_VERSION;
}

/** What opens sealed values by the keys of these settings, or why there are no keys, in words. Makes none. */
export function openerOf({ secrets }: Pick<Config, 'secrets'>): NonNullable<StoreGround['opens']> | string {
  if ('file' in secrets && !existsSync(secrets.file)) return `there is no key file ${secrets.file}`;
  let keyring: Keyring;
  try {
    keyring = openKeyring(secrets);
  } catch (error) {
    return (error as Error).message;
  }
  return (sealed, context) => {
    try {
      keyring.open(sealed, context);
      return null;
    } catch (error) {
      if (error instanceof KeyringError) return error.message;
      throw error;
    }
  };
}
