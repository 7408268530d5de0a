// Files of documents, as commands take them: files, folders of them, stdin; and the samples beside them that they name.
import { readdir, readFile, realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import {
  faultLine,
  namedSamples,
  readFlows,
  type DocumentFile,
  type FlowDocument,
  type NamedSample,
  type ReadFlows,
  type Samples,
} from '../../model/flow/document/index.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { isProgram, runProgramOf } from './flow-programs.ts';
import { readBytes, reasonOf } from '../input.ts';
import type { Terminal } from '../terminal.ts';

/** Files in a folder that are read; others may lie beside them. */
const DOCUMENTS = /\.ya?ml$/i;
/** More is a folder that was not meant. */
const MOST_FILES = 500;

/**
 * The files that are meant, folders with all that is below them, in the order of their names. What begins with a dot and
 * `node_modules` is passed over; `-` is stdin. A .ts or .js file that is named is run, and gives the documents it exports.
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
    if (isProgram(name)) {
      files.push(await runProgramOf(name, terminal));
      continue;
    }
    const bytes = await readBytes(name, terminal, signal);
    files.push({ name: name === '-' ? 'stdin' : name, text: textOf(name, bytes) });
  }
  return files;
}

/**
 * The samples that documents name, as far as they are there: what is missing is told where it is named. A sample lies in
 * the folder of its document or below it, wherever links lead.
 */
export async function readSamples(files: readonly DocumentFile[], { folder }: Terminal): Promise<Samples> {
  const samples = new Map<string, string>();
  for (const named of namedSamples(files)) {
    const bytes = await readBeside(named, folder);
    if (bytes !== null) samples.set(named.key, textOf(named.key, bytes));
  }
  return samples;
}

/** The flows of files; fails with all faults, the exit code 1, where there is one. */
export function readable(files: readonly DocumentFile[], samples?: Samples): readonly FlowDocument[] {
  return readableAll(files, samples).documents;
}

/** The flows and the sheets of files; fails as `readable` does. */
export function readableAll(files: readonly DocumentFile[], samples?: Samples): Extract<ReadFlows, { ok: true }> {
  const read = readFlows(files, samples);
  if (read.ok) return read;
  const [first = '', ...more] = read.faults.map(faultLine);
  throw new Failure(first, EXIT.failed, 'invalid-document', more);
}

/** A sample of a document is no large file. */
const MOST_BYTES = 2 ** 20;

async function readBeside({ key, file, path }: NamedSample, folder: string): Promise<Buffer | null> {
  try {
    const home = await realpath(file === 'stdin' ? folder : dirname(resolve(folder, file)));
    const full = await realpath(join(home, path));
    if (!full.startsWith(home.endsWith(sep) ? home : home + sep)) {
      throw usage(`the sample ${key} leads out of the folder of its document`);
    }
    const { size } = await stat(full);
    if (size > MOST_BYTES) throw usage(`the sample ${key} has ${size.toLocaleString('en')} bytes; at most 1 MiB`);
    return await readFile(full);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    if (error instanceof Failure) throw error;
    throw usage(`cannot read the sample ${key}: ${reasonOf(error)}`);
  }
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
