// The packages as npm would publish them: packed by the project's own tool, installed where nothing else is.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { sharedPostgresVariable } from './postgres.ts';
import { repository } from './sources.ts';

/** What of npm's settings is this machine's way to the registry. Another Node has another global file, so it is named. */
const WAY_TO_REGISTRY = /^npm_config_(registry|cache|cafile|proxy|https_proxy|noproxy|globalconfig)$/i;

/**
 * The environment of somebody who has nothing of this repository: no settings of npm's but the way to the registry, its
 * Node first on PATH.
 */
export function strangersEnvironment(node = process.execPath): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(
    ([name]) =>
      (!/^npm_/i.test(name) || WAY_TO_REGISTRY.test(name)) && name !== 'INIT_CWD' && name !== sharedPostgresVariable,
  );
  const path = (process.env['PATH'] ?? '').split(':').filter((folder) => !folder.includes('node_modules'));
  return { ...Object.fromEntries(own), PATH: [dirname(node), ...path].join(':') };
}

/** What a program said and how it ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end. */
export async function run(
  [command = '', ...args]: readonly string[],
  { folder, env = strangersEnvironment() }: { folder: string; env?: NodeJS.ProcessEnv },
): Promise<Ended> {
  const child = spawn(command, args, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number | null];
  return { code, stdout, stderr };
}

/** Runs a program to its end; what it said on standard output. Throws with all it said when it failed. */
export async function succeed(command: readonly string[], place: Parameters<typeof run>[1]): Promise<string> {
  const { code, stdout, stderr } = await run(command, place);
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
  return stdout;
}

/** A folder that is removed when the process ends. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-packages-'));
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Packs both packages, or the one named, into a folder of its own; resolves the folder. */
export async function pack(only?: 'receiver' | 'server'): Promise<string> {
  const folder = scratch();
  const tool = join(repository, 'tools', 'pack.mjs');
  await succeed([process.execPath, tool, folder, ...(only === undefined ? [] : [only])], {
    folder: repository,
    env: process.env,
  });
  return folder;
}

/** The tarballs of a folder. */
export function tarballs(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.tgz'))
    .map((name) => join(folder, name));
}

/** npm's words for a registry that does not answer, or not by a certificate that is trusted here. */
const UNREACHABLE =
  /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ENOTCACHED|E403|E5\d\d|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_GET_ISSUER_CERT_LOCALLY)\b/;

/** Runs npm in a folder; false where the registry cannot be reached. Throws with all it said when it failed otherwise. */
export async function npm(args: readonly string[], folder: string): Promise<boolean> {
  const { code, stdout, stderr } = await run(['npm', ...args], { folder });
  if (code === 0) return true;
  if (UNREACHABLE.test(stderr)) return false;
  throw new Error(`npm ${args.join(' ')} ended with ${code}\n${stdout}\n${stderr}`);
}

/**
 * Installs tarballs in a folder of their own, with what they depend on from the registry; resolves the folder, or null
 * where the registry cannot be reached.
 */
export async function install(files: readonly string[]): Promise<string | null> {
  const folder = scratch();
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }\n');
  const flags = ['--no-audit', '--no-fund', '--prefer-offline', '--fetch-retries=1'];
  return (await npm(['install', ...flags, ...files], folder)) ? folder : null;
}
