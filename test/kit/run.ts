// The program behind `npm test`: finds the test files, brings PostgreSQL, runs them, and says `N passed, N failed`.
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { relative, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { sharedPostgresVariable, startPostgres, withoutPostgres } from './postgres.ts';
import { report } from './report.ts';

const root = resolve(import.meta.dirname, '..', '..');
const everything = ['receiver/**/*.test.ts', 'server/**/*.test.ts', 'test/**/*.test.ts', 'examples/**/*.test.ts'];

process.exitCode = await main(process.argv.slice(2));

async function main(args: string[]): Promise<number> {
  const verbose = args.includes('--verbose');
  const files = findTests(args.filter((arg) => arg !== '--verbose'));
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
    const stream = run({
      files,
      cwd: root,
      // A process per file costs 0.1 s of CPU each; sharing one would let a test that kills or leaks decide for others.
      isolation: 'process',
      concurrency: availableParallelism(),
      timeout: 60_000,
      forceExit: true,
      signal: abort.signal,
    });
    if (verbose) stream.compose(spec).pipe(process.stdout);
    const { passed, failed, skipped } = await report(stream, { quiet: verbose, root });
    console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
    return failed > 0 || passed === 0 ? 1 : 0;
  } finally {
    await postgres?.stop();
  }
}

/** Test files below the given files, folders or patterns; all of the project's when none is given. */
function findTests(wanted: string[]): string[] {
  const patterns =
    wanted.length === 0 ? everything : wanted.map((path) => (isFolder(path) ? `${path}/**/*.test.ts` : path));
  const found = globSync(patterns, { cwd: root, exclude: (path) => path.split('/').includes('node_modules') });
  return [...new Set(found)]
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => resolve(root, path))
    .sort();
}

function isFolder(path: string): boolean {
  return statSync(resolve(root, relative(root, resolve(path))), { throwIfNoEntry: false })?.isDirectory() ?? false;
}
