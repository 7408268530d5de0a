// Moving whole stores, as the settings name them: backup, restore, copy. Composition, as platform.ts is for running one.
import { existsSync } from 'node:fs';
import type { Config, StoreSetting } from './config/index.ts';
import { KeyringError, openKeyring, type Keyring } from './store/keyring.ts';
import { copyStore, MoveRefusal, restoreBackup, takeBackup } from './store/moving/index.ts';
import type { Moved, MoveWish } from './store/moving/index.ts';

export { checkBackup, GROUPS, MoveRefusal } from './store/moving/index.ts';
export type { Moved, MoveWish } from './store/moving/index.ts';

/** Takes a backup of the store of these settings, whether a platform runs on it or not. Throws {@link MoveRefusal}. */
export function backUp(
  { store }: Pick<Config, 'store'>,
  wish: MoveWish & { file: string; replaces: boolean },
): Promise<Moved> {
  return takeBackup(addressOf(store), wish);
}

/** Makes a backup the store of these settings, with their keys. Throws {@link MoveRefusal}. */
export function bringBack(
  { store, secrets }: Pick<Config, 'store' | 'secrets'>,
  { file, ...wish }: MoveWish & { file: string },
): Promise<Moved> {
  return restoreBackup(file, { to: addressOf(store), keyring: (keys) => keysHere(secrets, keys), ...wish });
}

/** Copies one store into an empty place for another. Throws {@link MoveRefusal}. */
export function copyOver(
  { from, to }: { from: StoreSetting; to: StoreSetting },
  wish: MoveWish & { whileRunning: boolean },
): Promise<Moved> {
  return copyStore(addressOf(from), { to: addressOf(to), ...wish });
}

function addressOf(store: StoreSetting): string {
  return store.kind === 'sqlite' ? store.file : store.url;
}

// A start makes a key where there is none; here that would be a store whose secrets nobody can open.
function keysHere(secrets: Config['secrets'], keys: readonly string[]): Keyring {
  if ('file' in secrets && keys.length > 0 && !existsSync(secrets.file)) {
    throw new MoveRefusal(
      `the secrets in this backup need ${keys.length === 1 ? 'key' : 'keys'} ${keys.join(', ')}: put your copy of the keys at ${secrets.file} first`,
    );
  }
  try {
    return openKeyring(secrets);
  } catch (error) {
    throw error instanceof KeyringError ? new MoveRefusal(error.message) : error;
  }
}
