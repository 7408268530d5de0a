// `npm run check`: everything CI checks. Format, lint with types, types, unused code, the lock file, licences, known holes
// in what we depend on; then all tests. `-- --without-tests` leaves the tests out.
// The types of an export are documentation and may be unused; anything else exported has a user (knip.json).
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { findNpm, root } from './install.mjs';
import { faultsOfLicences, faultsOfLock } from './lock.mjs';
import { orSay, readyNode, run } from './up.mjs';

const args = new Set(process.argv.slice(2));

const AUDIT_WITHIN_MS = 20_000;

await orSay(async () => main(await readyNode()));

async function main(node) {
  const steps = {
    format: () => tool(node, 'oxfmt', ['--check']),
    lint: () => tool(node, 'oxlint', ['--deny-warnings']),
    types: () => tool(node, 'typescript/tsc', ['-p', 'tsconfig.json']),
    unused: () => tool(node, 'knip', ['--no-progress', '--no-config-hints']),
    'lock files': () => judge(faultsOfLock, 'package-lock.json', 'test/runtimes/package-lock.json'),
    licences: () => judge(faultsOfLicences, 'package-lock.json'),
    'known holes': audit,
  };
  const failed = [];
  for (const [name, step] of Object.entries(steps)) {
    const started = Date.now();
    const { ok, said } = await step();
    console.log(`${ok ? '✔' : '✖'} ${name} ${Date.now() - started} ms${ok && said ? ` (${said})` : ''}`);
    if (!ok) console.log(said.trimEnd().replaceAll(/^/gm, '    '));
    if (!ok) failed.push(name);
  }
  const tests = args.has('--without-tests') ? { code: 0 } : await run(node, [join(root, 'test/kit/run.ts')]);
  if (failed.length > 0) console.log(`failed: ${failed.join(', ')}`);
  return failed.length > 0 || tests.code !== 0 ? 1 : 0;
}

/** Runs a command of an installed package (`package` or `package/command`) with our Node, whatever Node is on PATH. */
function tool(node, name, toolArgs) {
  const [packageName, command = packageName] = name.split('/');
  const home = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
  return capture(node, [join(home, typeof bin === 'string' ? bin : bin[command]), ...toolArgs], { env });
}

function capture(command, commandArgs, { env = process.env, withinMs } = {}) {
  return new Promise((done) => {
    const child = spawn(command, commandArgs, {
      cwd: root,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: withinMs,
      killSignal: 'SIGKILL',
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
    child.once('error', (error) => done({ ok: false, said: error.message }));
    child.once('close', (code, signal) => done(code === 0 ? { ok: true, said: '' } : { ok: false, said, signal }));
  });
}

/** What one of the rules about lock files says of ours. */
async function judge(faultsOf, ...files) {
  const locks = files.map((file) => JSON.parse(readFileSync(join(root, file), 'utf8')));
  const said = locks.flatMap(({ packages }) => faultsOf(packages)).join('\n');
  return { ok: said === '', said };
}

/** Known holes of high severity in what users run. Without the registry's audit service it says so and passes. */
async function audit() {
  const [npm, ...npmArgs] = findNpm();
  const asked = ['audit', '--omit=dev', '--audit-level=high', '--fetch-retries=0', '--fetch-timeout=10000'];
  // Under `npm run --silent` it would not say what it failed of.
  asked.push('--loglevel=error');
  const result = await capture(npm, [...npmArgs, ...asked], { withinMs: AUDIT_WITHIN_MS });
  // The words of a report are its authors': a hole may well be about ECONNRESET.
  const isReport = /# npm audit report/.test(result.said);
  const isUnreachable =
    result.signal === 'SIGKILL' ||
    /audit endpoint returned an error|ENOTFOUND|EAI_AGAIN|ECONN|ETIMEDOUT|E40\d|E50\d/.test(result.said);
  return !result.ok && !isReport && isUnreachable
    ? { ok: true, said: 'skipped: the audit service of the registry cannot be reached' }
    : result;
}
