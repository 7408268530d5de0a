// Secrets at rest: AES-256-GCM under a list of keys, the first of which encrypts while all of them decrypt.
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from 'node:crypto';
import {
  closeSync,
  fchmodSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { platform, userInfo } from 'node:os';
import { dirname } from 'node:path';

/** What sealing and opening need; it holds the keys and never shows them. */
export interface Keyring {
  /**
   * Encrypts a secret for one place: `context` (for example `webhook/12/7/secret`) is bound to it, so a ciphertext
   * copied to another row does not open there. The result is text: `v1.<key id>.<base64url of iv, ciphertext, tag>`.
   */
  seal(secret: string, context: string): string;
  /** The secret again. Throws {@link KeyringError} when no key here opens it, or it was altered or moved. */
  open(sealed: string, context: string): string;
  /** Was it sealed with another key than the first? Then sealing it again finishes a rotation. */
  isStale(sealed: string): boolean;
  /** What all begins with that was sealed with the first key, so that a query finds the rest. */
  readonly freshPrefix: string;
  /** Is the key of this id here? */
  holds(id: string): boolean;
  /** A known value, sealed: kept in the store on its first start. */
  makeCanary(): string;
  /** Why these keys do not open the store that keeps this canary, in words; null when they do. */
  checkCanary(canary: string): string | null;
}

/** Keys come from a file (made when missing) or as base64 texts, for example from the environment. */
export type KeyringSource = { file: string } | { keys: readonly string[] };

/** The keys cannot be read, or do not open something. The message never contains key or secret. */
export class KeyringError extends Error {
  override name = 'KeyringError';
}

const FORMAT = 'v1';
const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;
const CANARY = 'bellwire';
const CANARY_CONTEXT = 'canary';

/**
 * Opens the keys. A file that does not exist is made with one fresh key and mode 0600; one that others may read is
 * refused. Throws {@link KeyringError}.
 */
export function openKeyring(source: KeyringSource): Keyring {
  const texts = 'file' in source ? readKeyFile(source.file) : [...source.keys];
  const from = 'file' in source ? source.file : 'the setting secrets.keys';
  if (texts.length === 0) throw new KeyringError(`${from} holds no key; a key is 32 random bytes in base64`);
  const keys = new Map<string, KeyObject>();
  for (const [index, text] of texts.entries()) {
    const bytes = decodeKey(text);
    if (bytes === null) throw new KeyringError(`key ${index + 1} in ${from} is not 32 bytes in base64`);
    keys.set(keyId(bytes), createSecretKey(bytes));
  }
  return keyring(keys);
}

/** A fresh key as the file and the setting take it: 32 random bytes in base64. */
export function makeKey(): string {
  return randomBytes(KEY_BYTES).toString('base64');
}

function keyring(keys: ReadonlyMap<string, KeyObject>): Keyring {
  const [firstId, firstKey] = keys.entries().next().value as [string, KeyObject];
  const ring: Keyring = {
    seal(secret, context) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv('aes-256-gcm', firstKey, iv, { authTagLength: TAG_BYTES });
      cipher.setAAD(associatedData(firstId, context));
      const box = Buffer.concat([iv, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()]);
      return `${FORMAT}.${firstId}.${box.toString('base64url')}`;
    },
    open(sealed, context) {
      const { id, box } = parse(sealed);
      const key = keys.get(id);
      if (!key) throw new KeyringError(`a secret is sealed with key ${id}; ${held(keys)}`);
      return unseal({ key, id, box, context });
    },
    isStale: (sealed) => parse(sealed).id !== firstId,
    freshPrefix: `${FORMAT}.${firstId}.`,
    holds: (id) => keys.has(id),
    makeCanary: () => ring.seal(CANARY, CANARY_CONTEXT),
    checkCanary(canary) {
      try {
        return ring.open(canary, CANARY_CONTEXT) === CANARY ? null : 'the store keeps an unknown canary';
      } catch (error) {
        if (!(error instanceof KeyringError)) throw error;
        return `the keys do not open this store: ${error.message}`;
      }
    },
  };
  return ring;
}

function unseal(sealed: { key: KeyObject; id: string; box: Buffer; context: string }): string {
  const { key, id, box, context } = sealed;
  const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAAD(associatedData(id, context));
  decipher.setAuthTag(box.subarray(-TAG_BYTES));
  try {
    return decipher.update(box.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') + decipher.final('utf8');
  } catch {
    throw new KeyringError(`a secret sealed with key ${id} was altered, or belongs to another place than ${context}`);
  }
}

function parse(sealed: string): { id: string; box: Buffer } {
  const [format, id, text, more] = sealed.split('.');
  const box = Buffer.from(text ?? '', 'base64url');
  if (format !== FORMAT || !id || more !== undefined || box.length < IV_BYTES + TAG_BYTES) {
    throw new KeyringError('a sealed secret is not in a form this version knows');
  }
  return { id, box };
}

function associatedData(id: string, context: string): Buffer {
  return Buffer.from(`bellwire/${FORMAT}/${id}/${context}`, 'utf8');
}

// The id follows from the key, so a key needs no name and the same key has the same id on every node.
function keyId(key: Buffer): string {
  return createHash('sha256').update('bellwire key id\0').update(key).digest('hex').slice(0, 8);
}

function held(keys: ReadonlyMap<string, KeyObject>): string {
  return `here ${keys.size === 1 ? 'is key' : 'are keys'} ${[...keys.keys()].join(', ')}`;
}

function decodeKey(text: string): Buffer | null {
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.length === KEY_BYTES ? bytes : null;
}

/* ── The key file: one key a line, `#` begins a comment ─────────────────────────────────────────────────────── */

const KEY_FILE_HEAD = `# Bellwire: keys of the secrets in the store. The first encrypts, all decrypt.
# Keep a copy apart from the backups: without it the secrets are lost.
`;

function readKeyFile(file: string): string[] {
  let text = readIfThere(file);
  if (text === null) {
    makeKeyFile(file);
    text = readIfThere(file) ?? '';
  }
  if (platform() !== 'win32' && isOpenToOthers(file)) {
    throw new KeyringError(`${file} can be read by others; allow only its owner: chmod 600 ${file}`);
  }
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

// A file that is somebody else's was handed to us by its group, as systemd (LoadCredential) and Kubernetes (Secret) do it.
function isOpenToOthers(file: string): boolean {
  const { mode, uid } = statSync(file);
  return (mode & (uid === userInfo().uid ? 0o077 : 0o037)) !== 0;
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new KeyringError(`${file} cannot be read: ${(error as Error).message}`);
  }
}

// Written whole under another name and then linked to its own: a crash leaves no half a key, and of two processes that
// start at once one wins and the other reads what the first one wrote.
function makeKeyFile(file: string): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const text = `${KEY_FILE_HEAD}${makeKey()}
`;
  try {
    writeSynced(draft, text);
    try {
      linkSync(draft, file);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      unlinkSync(draft);
    }
    syncFolder(dirname(file));
  } catch (error) {
    throw new KeyringError(`${file} cannot be made: ${(error as Error).message}`);
  }
}

function writeSynced(file: string, text: string): void {
  const fd = openSync(file, 'wx', 0o600);
  try {
    fchmodSync(fd, 0o600);
    writeSync(fd, text);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function syncFolder(folder: string): void {
  if (platform() === 'win32') return;
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
