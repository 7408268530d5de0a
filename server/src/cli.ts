#!/usr/bin/env node
// `bellwire`: arguments, signals, exit code. The only file that touches the process; everything else is handed down.
import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** What the package beside us says: its version, and the oldest Node it runs on. */
function readManifest(): { version: string; engines: { node: string } } {
  return JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
}

/** Is this Node older than `>=24.15`? npm only warns, and what then fails says nothing of the reason. */
function isTooOld(wanted: string): boolean {
  const [major = 0, minor = 0] = wanted.replace('>=', '').split('.').map(Number);
  const [ownMajor = 0, ownMinor = 0] = process.versions.node.split('.').map(Number);
  return ownMajor < major || (ownMajor === major && ownMinor < minor);
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal to the whole process group comes twice: by itself, and handed on by npm or the launcher above us. */
const ECHO_MS = 250;

/** Aborts at the first signal; a second one means now. */
function endingBySignal(): AbortController {
  const ending = new AbortController();
  let endedAt = 0;
  for (const [signal, exit] of Object.entries(SIGNALS)) {
    process.on(signal, () => {
      if (!ending.signal.aborted) endedAt = performance.now();
      else if (performance.now() - endedAt > ECHO_MS) process.exit(exit);
      ending.abort(new DOMException(`ended by ${signal}`, 'AbortError'));
    });
  }
  return ending;
}

// A shell asks at each press of a key: what was compiled once is kept, in a folder of the user's own.
function keepCompiled(): void {
  try {
    enableCompileCache(join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bellwire'));
  } catch {
    // Without a home it is slower, and right all the same.
  }
}

async function main(argv: readonly string[]): Promise<number> {
  const { version, engines } = readManifest();
  // Before anything is loaded: the commonest question is answered at once.
  if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
    process.stdout.write(`${version}\n`);
    return 0;
  }
  if (isTooOld(engines.node)) {
    const floor = engines.node.replace('>=', '');
    process.stderr.write(`bellwire: needs Node ${floor} or newer, this is ${process.versions.node}; see nodejs.org.\n`);
    return 1;
  }
  const ending = endingBySignal();
  // `bellwire events tail | head -1`: whoever reads has seen enough.
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    ending.abort(new DOMException('nobody reads any more', 'AbortError'));
  });
  const { stdin, stdout, stderr, env } = process;
  if (argv[0] === '__complete') keepCompiled();
  const { runProgram } = await import('./cli/program.ts');
  return runProgram(argv, {
    terminal: { stdin, stdout, stderr, env, folder: process.cwd() },
    signal: ending.signal,
    version,
  });
}

process.exitCode = await main(process.argv.slice(2));
