// The program behind `npm test`: finds the test files, brings PostgreSQL, runs them, and says `N passed, N failed`.
//
// `--again` runs a file that failed once more, when nothing else runs: real servers, real processes and real time on a
// busy machine. What fails twice is broken; what failed once is said.
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { sharedPostgresVariable, startPostgres, withoutPostgres } from './postgres.ts';
import { report, type Counts, type Outcome } from './report.ts';

const root = resolve(import.meta.dirname, '..', '..');
const everything = ['receiver/**/*.test.ts', 'server/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'];

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const options = new Set(args.filter((arg) => arg.startsWith('--')));
  const files = findTests(args.filter((arg) => !options.has(arg)));
  if (files.length === 0) {
    console.error('no test file matches');
    return 1;
  }
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => abort.abort());
  const postgres = withoutPostgres ? undefined : await startPostgres();
  if (postgres) process.env[sharedPostgresVariable] = postgres.url;
  else console.log(`without PostgreSQL: ${withoutPostgres}`);
  try {
    const how = { isVerbose: options.has('--verbose'), signal: abort.signal };
    const first = await play(files, { ...how, atOnce: availableParallelism() });
    const { passed, failed, skipped } = options.has('--again') ? await playAgain(first, how) : first;
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failed > 0 || passed === 0 ? 1 : 0;
  } finally {
    await postgres?.stop();
  }
}

interface How {
  isVerbose: boolean;
  signal: AbortSignal;
}

async function play(files: string[], { isVerbose, signal, atOnce }: How & { atOnce: number }): Promise<Outcome> {
  const stream = run({
    files,
    cwd: root,
    // A process per file costs 0.1 s of CPU each; sharing one would let a test that kills or leaks decide for others.
    isolation: 'process',
    concurrency: atOnce,
    // A play of faults takes 40 s on two quiet cores.
    timeout: 180_000,
    forceExit: true,
    signal,
  });
  if (isVerbose) stream.compose(spec).pipe(process.stdout);
  return report(stream, { quiet: isVerbose, root });
}

/** The files that failed, one after the other; what passes now counts as passed. */
async function playAgain(first: Outcome, how: How): Promise<Counts> {
  if (first.failedFiles.length === 0 || how.signal.aborted) return first;
  console.log(`${first.failed} failed; their files once more, by themselves:`);
  const { failed } = await play(first.failedFiles, { ...how, atOnce: 1 });
  return { ...first, passed: first.passed + Math.max(0, first.failed - failed), failed };
}

/** Test files below the given files, folders or patterns; all of the project's when none is given. */
function findTests(wanted: string[]): string[] {
  const patterns =
    wanted.length === 0 ? everything : wanted.map((path) => (isFolder(path) ? `${path}/**/*.test.ts` : path));
  const found = globSync(patterns, { cwd: root, exclude: (path) => path.split('/').includes('node_modules') });
  return [...new Set(found)]
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => resolve(root, path))
    .sort((a, b) => placeOf(a) - placeOf(b) || (a < b ? -1 : 1));
}

/** The longest first (the faults take minutes): for what begins last one core waits alone. */
function placeOf(file: string): number {
  const path = relative(root, file);
  return path === 'test/faults.test.ts' ? 0 : path.startsWith('test/') ? 1 : 2;
}

function isFolder(path: string): boolean {
  return statSync(resolve(root, relative(root, resolve(path))), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
