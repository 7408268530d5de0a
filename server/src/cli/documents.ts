// Files of documents, as commands take them: files, folders of them, stdin.
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import type { DocumentFile } from '../model/flow/document/index.ts';
import { usage } from './failure.ts';
import { readBytes, reasonOf } from './input.ts';
import type { Terminal } from './terminal.ts';

/** Files in a folder that are read; others may lie beside them. */
const DOCUMENTS = /\.ya?ml$/i;
/** More is a folder that was not meant. */
const MOST_FILES = 500;

/**
 * The files that are meant, folders with all that is below them, in the order of their names. What begins with a dot and
 * `node_modules` is passed over; `-` is stdin.
 */
export async function readDocuments(
  paths: readonly string[],
  terminal: Terminal,
  signal: AbortSignal,
): Promise<DocumentFile[]> {
  const names: string[] = [];
  for (const path of paths) names.push(...(path === '-' ? ['-'] : await filesOf(path, terminal)));
  if (names.length > MOST_FILES)
    throw usage(`these are ${names.length} files; at most ${MOST_FILES} are taken at once`);
  const files: DocumentFile[] = [];
  for (const name of new Set(names)) {
    const bytes = await readBytes(name, terminal, signal);
    files.push({ name: name === '-' ? 'stdin' : name, text: textOf(name, bytes) });
  }
  return files;
}

function textOf(name: string, bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw usage(`${name} is not UTF-8`);
  }
}

async function filesOf(path: string, { folder }: Terminal): Promise<string[]> {
  const full = resolve(folder, path);
  const found = await stat(full).catch((error: unknown) => {
    throw usage(`cannot read ${path}: ${reasonOf(error)}`);
  });
  if (!found.isDirectory()) return [path];
  const entries = await readdir(full, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile() && DOCUMENTS.test(entry.name))
    .map((entry) => relative(full, join(entry.parentPath, entry.name)))
    .filter((name) => !name.split(/[/\\]/).some((part) => part.startsWith('.') || part === 'node_modules'))
    .sort();
  if (files.length === 0) throw usage(`there is no .yaml file in ${path}`);
  return files.map((name) => join(path, name));
}
