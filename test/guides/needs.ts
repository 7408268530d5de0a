// What some guides need beside Node: is it on this machine, and what makes a second play of them quick.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a guide may be played with, or the reason in words why it cannot be. */
export type Means = { programs?: Record<string, string>; env?: NodeJS.ProcessEnv } | { missing: string };

/** Go, which compiles offline here: the client needs nothing but its standard library. */
export function findGo(): Means {
  const [, version] = /go1\.(\d+)/.exec(said('go', 'version')) ?? [];
  if (!(Number(version) >= 21)) return { missing: 'there is no go of 1.21 or newer on this machine' };
  return { env: { GOPROXY: 'off', GOTOOLCHAIN: 'local', GOWORK: 'off', GOFLAGS: '-buildvcs=false' } };
}

/**
 * Python with the packages from PyPI that the guides install. The first play on a machine fetches them into a virtual
 * environment; every play gets a copy of it where its page makes one, so its `pip install` finds them there, offline.
 */
export function findPython(packages: readonly string[]): Means {
  const version = /Python (3\.(\d+)\.\d+)/.exec(said('python3', '--version'));
  if (!version || Number(version[2]) < 9) return { missing: 'there is no python3 of 3.9 or newer on this machine' };
  const kept = join(tmpdir(), `bellwire-test-python-${version[1]}-${process.getuid?.() ?? 0}`);
  const failure = existsSync(kept) ? undefined : makeEnvironment(kept, [...packages, 'setuptools>=77']);
  if (failure !== undefined) return { missing: failure };
  const python = said('python3', '-c', 'import sys; print(sys.executable)').trim();
  const lines = [
    '#!/bin/sh',
    `if [ "$1 $2" = "-m venv" ]; then cp -Rl '${kept}' "$3" 2>/dev/null || exec cp -R '${kept}/.' "$3"; exit; fi`,
    `exec '${python}' "$@"`,
  ];
  const offline = { PIP_NO_INDEX: '1', PIP_NO_BUILD_ISOLATION: '0', PIP_DISABLE_PIP_VERSION_CHECK: '1' };
  return { programs: { python3: `${lines.join('\n')}\n` }, env: offline };
}

/** Makes it whole or not at all; why not, in words. */
function makeEnvironment(folder: string, packages: readonly string[]): string | undefined {
  const made = mkdtempSync(`${folder}-`);
  try {
    if (!works('python3', '-m', 'venv', made)) return 'this python3 makes no virtual environments (python3-venv)';
    if (!works(join(made, 'bin/python'), '-m', 'pip', 'install', '--quiet', ...packages)) {
      return `${packages.join(', ')} cannot be had from PyPI here`;
    }
    renameSync(made, folder);
    return undefined;
  } catch (error) {
    // Another play has made it meanwhile.
    if (existsSync(folder)) return undefined;
    throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

function said(command: string, ...args: string[]): string {
  return spawnSync(command, args, { encoding: 'utf8' }).stdout ?? '';
}

function works(command: string, ...args: string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore', timeout: 240_000 }).status === 0;
}
