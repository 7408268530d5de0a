// Runtimes that are not the project's own: an older Node, Deno and Bun, from their packages, installed once per clone.
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { npm } from './packages.ts';
import { repository } from './sources.ts';

/** The programs, by path. */
export interface Runtimes {
  /** The oldest that the command line runs on. */
  node24: string;
  deno: string;
  bun: string;
}

const HERE = join(repository, 'test', 'runtimes');
const FILES = ['package.json', 'package-lock.json', '.npmrc'];

/** Installs what the lock file says, unless it is there; or the reason in words why there is none. */
export async function findRuntimes(): Promise<Runtimes | string> {
  const { header } = process.report.getReport() as unknown as { header: { glibcVersionRuntime?: string } };
  const isTheirs = process.platform === 'linux' && process.arch === 'x64' && header.glibcVersionRuntime !== undefined;
  if (!isTheirs)
    return `the packages of other runtimes are those of linux-x64 with glibc, this is ${process.platform}-${process.arch}`;
  const lock = createHash('sha256')
    .update(readFileSync(join(HERE, 'package-lock.json')))
    .digest('hex');
  const home = join(repository, 'node_modules', '.cache', `runtimes-${lock.slice(0, 12)}`);
  if (!existsSync(home) && !(await fill(home))) return 'the npm registry cannot be reached';
  const modules = join(home, 'node_modules');
  return {
    node24: join(modules, 'node-24/bin/node'),
    deno: join(modules, '@deno/linux-x64-glibc/deno'),
    bun: join(modules, '@oven/bun-linux-x64-baseline/bin/bun'),
  };
}

/** Installs beside, then renames: a folder that is there is whole. */
async function fill(home: string): Promise<boolean> {
  const beside = `${home}.${process.pid}`;
  mkdirSync(beside, { recursive: true });
  try {
    for (const file of FILES) cpSync(join(HERE, file), join(beside, file));
    if (!(await npm(['ci', '--ignore-scripts', '--prefer-offline', '--fetch-retries=1'], beside))) return false;
    renameSync(beside, home);
    return true;
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}
