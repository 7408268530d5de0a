// Files in which sheets are kept: which may be, and why one cannot be used, as the failure of a step.
import { ActionFailed } from '../action.ts';
import { allowedFile, FileNotAllowed, type AllowedFolders } from '../allowed-file.ts';

/** Largest file that is read into memory. */
export const MOST_FILE_BYTES = 32 * 1024 * 1024;

/** What the file system says, and whether it may pass. */
const WORDS: Readonly<Record<string, readonly [words: string, mayPass: boolean]>> = {
  EACCES: ['is locked, or may not be written', true],
  EPERM: ['is locked, or may not be written', true],
  EBUSY: ['is locked by another program', true],
  ETXTBSY: ['is locked by another program', true],
  ENOSPC: ['cannot be written: the disk is full', true],
  EDQUOT: ['cannot be written: the disk’s quota is used up', true],
  EMFILE: ['cannot be opened: too many files are open', true],
  ENFILE: ['cannot be opened: too many files are open', true],
  EIO: ['cannot be used: the disk reports an error', true],
  ENOENT: ['is gone, or its folder is', true],
  EROFS: ['cannot be written: the disk is read-only', false],
  EISDIR: ['is a folder', false],
  ENOTDIR: ['has a part of its path that is no folder', false],
  ELOOP: ['is a symbolic link', false],
  ENAMETOOLONG: ['has a name that is too long', false],
  EFBIG: ['is too large for the disk', false],
};

/** Whatever came of using the file, as a failure in words. */
export function fileFault(path: string, error: unknown): ActionFailed {
  if (error instanceof ActionFailed) return error;
  if (error instanceof FileNotAllowed) return new ActionFailed(error.message, { retryable: false });
  const { code = '', message } = error as NodeJS.ErrnoException;
  const known = Object.hasOwn(WORDS, code) ? WORDS[code]! : null;
  if (known !== null) return new ActionFailed(`the file ${path} ${known[0]}`, { retryable: known[1] });
  return new ActionFailed(`the file ${path} cannot be used: ${message}`, { retryable: code !== '' });
}

/** Why a file of this size is not read; null where it is. */
export function tooLarge(path: string, bytes: number): ActionFailed | null {
  if (bytes <= MOST_FILE_BYTES) return null;
  const words = `the file ${path} is full: it has more than ${MOST_FILE_BYTES / 2 ** 20} MiB; begin a new one`;
  return new ActionFailed(words, { retryable: false });
}

/** The real path of a sheet's file, by what a document calls it; `name` is what names of such files look like. */
export async function sheetFile(
  path: string,
  { files, name }: { files: AllowedFolders; name: RegExp },
): Promise<string> {
  if (name.test(path)) return allowedFile(path, files);
  const words = `${JSON.stringify(path)} has no name of such a file: it ends in none of those that are expected`;
  throw new ActionFailed(words, { retryable: false });
}
