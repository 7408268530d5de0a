// A thread that reads and writes XLSX files: one of 5,000 rows takes a third of a second of CPU, for which nobody waits.
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { parentPort } from 'node:worker_threads';
import { ActionFailed } from '../../action.ts';
import { fileFault, tooLarge } from '../file-fault.ts';
import type { Answer } from '../orders.ts';
import { replaceFile } from '../replace-file.ts';
import { XlsxBook } from './book.ts';
import type { Done, Job } from './thread.ts';

parentPort!.on('message', (job: Job) => void answer(job));

async function answer({ id, path, orders }: Job): Promise<void> {
  let done: Done[];
  try {
    done = await obeyAll(path, orders);
  } catch (error) {
    const fault = faultOf(fileFault(basename(path), error));
    done = orders.map(() => fault);
  }
  parentPort!.postMessage({ id, done });
}

async function obeyAll(path: string, orders: Job['orders']): Promise<Done[]> {
  await refuseOpened(path);
  const book = await XlsxBook.read(await contentOf(path));
  const done = orders.map((order): Done => {
    try {
      return { answer: book.obey(order) satisfies Answer };
    } catch (error) {
      if (error instanceof ActionFailed) return faultOf(error);
      throw error;
    }
  });
  const bytes = await book.bytes();
  if (bytes === null) return done;
  const fault = tooLarge(basename(path), bytes.length);
  if (fault !== null) throw fault;
  await replaceFile(path, bytes);
  return done;
}

function faultOf({ message, retryable }: ActionFailed): Done {
  return { fault: message, retryable };
}

async function contentOf(path: string): Promise<Uint8Array | null> {
  let handle;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw Object.assign(new Error('is a folder'), { code: 'EISDIR' });
    if (!stats.isFile()) throw new ActionFailed(`${basename(path)} is no file`, { retryable: false });
    const fault = tooLarge(basename(path), stats.size);
    if (fault !== null) throw fault;
    return stats.size === 0 ? null : await handle.readFile();
  } finally {
    await handle.close();
  }
}

// Who has it open would write over what is added meanwhile. Excel and LibreOffice leave such a file beside it.
async function refuseOpened(path: string): Promise<void> {
  for (const mark of [`~$${basename(path)}`, `.~lock.${basename(path)}#`]) {
    const isThere = await access(join(dirname(path), mark)).then(
      () => true,
      () => false,
    );
    if (isThere) throw new ActionFailed(`the file ${basename(path)} is locked: a program has it open (${mark})`);
  }
}
