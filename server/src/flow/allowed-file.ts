// Files that documents name: only those in folders that the operator allows, judged where their links lead to, too.
import { lstat, realpath } from 'node:fs/promises';
import { basename, dirname, join, resolve, sep } from 'node:path';

/** Folders that may be reached, and the setting that says so. */
export interface AllowedFolders {
  /** Absolute. */
  folders: readonly string[];
  /** Folders in them that are nobody's all the same: where Bellwire keeps its own. Absolute. */
  except?: readonly string[];
  /** The name of the setting, for words. */
  setting: string;
}

/** The file is in no folder that the operator allows; the message says so. */
export class FileNotAllowed extends Error {
  override name = 'FileNotAllowed';
}

/**
 * The real path of a file that need not be there; the folder it is in has to be. Rejects with {@link FileNotAllowed}, or
 * with what the file system says. Open it without following a link (O_NOFOLLOW): it may be another one by then.
 */
export async function allowedFile(path: string, { folders, except = [], setting }: AllowedFolders): Promise<string> {
  if (folders.length === 0)
    throw new FileNotAllowed(`files may not be used: the operator allows no folder (${setting})`);
  const refusal = new FileNotAllowed(`the file ${path} is in no folder that the operator allows (${setting})`);
  const folder = folders.find((one) => isWithin(one, resolve(one, path)));
  if (folder === undefined || path.includes('\0')) throw refusal;
  const file = await whereItIs(resolve(folder, path), refusal);
  if (!isWithin(await realpath(folder), file)) throw refusal;
  for (const one of except) if (isWithin(await realpath(one).catch(() => one), file)) throw refusal;
  return file;
}

async function whereItIs(file: string, refusal: FileNotAllowed): Promise<string> {
  try {
    return await realpath(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
  // A link that leads nowhere would be followed by whoever makes the file.
  if (await isLink(file)) throw refusal;
  return join(await realpath(dirname(file)), basename(file));
}

async function isLink(file: string): Promise<boolean> {
  try {
    return (await lstat(file)).isSymbolicLink();
  } catch {
    return false;
  }
}

function isWithin(folder: string, file: string): boolean {
  return file.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
