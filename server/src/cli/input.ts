// What commands are fed with: files and stdin, as bytes or as JSON or YAML documents.
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { usage } from './failure.ts';
import type { Terminal } from './terminal.ts';

/** The bytes of a file; `-` is stdin. */
export async function readBytes(file: string, { stdin, folder }: Terminal, signal: AbortSignal): Promise<Buffer> {
  if (file === '-') return buffer(addAbortSignal(signal, stdin));
  try {
    return await readFile(resolve(folder, file), { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw usage(`cannot read ${file}: ${reasonOf(error)}`);
  }
}

/** Why a file cannot be read or written, in words. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'ENOENT') return 'there is no such file';
  if (code === 'EACCES') return 'not allowed';
  if (code === 'EISDIR') return 'it is a folder';
  if (code === 'EEXIST' || code === 'ENOTDIR') return 'it is a file';
  return message;
}

/** The document of a file, JSON or YAML; `-` is stdin. */
export async function readInput(file: string, terminal: Terminal, signal: AbortSignal): Promise<unknown> {
  const text = (await readBytes(file, terminal, signal)).toString();
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: false });
  const fault = document.errors[0];
  if (fault === undefined) return document.toJS({ maxAliasCount: 100 }) as unknown;
  const line = text.slice(0, fault.pos[0]).split('\n').length;
  throw usage(`${file}, line ${line}: ${fault.message.split('\n')[0]}`);
}

/** Everything on stdin as text, without the line break that ends it. */
export async function readSecret({ stdin }: Terminal, signal: AbortSignal): Promise<string> {
  const bytes = await buffer(addAbortSignal(signal, stdin));
  return bytes.toString().replace(/\r?\n$/, '');
}
