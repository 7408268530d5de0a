// `bellwire test` and `bellwire push` of programs: documents built in TypeScript, imported by the command line.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { bellwire, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;

before(async () => {
  ground = await startGround();
});
after(() => ground.stop());

function write(name: string, text: string): void {
  mkdirSync(join(ground.folder, name, '..'), { recursive: true });
  writeFileSync(join(ground.folder, name), text);
}

const run = (...args: string[]) => bellwire(args, { folder: ground.folder });

const NIGHTLY = `import { expr, job, jobNames } from 'bellwire/flows';
interface Params { limit: number }
const { params } = jobNames<Params>();
export default job({
  name: 'nightly',
  params: { limit: { type: 'integer', default: 10 } },
  steps: [{ name: 'large', if: expr\`\${params.limit} > 5\`, set: { large: true } }],
  tests: [{ expect: { ran: 'large' } }, { params: { limit: 1 }, expect: { skipped: 'large' } }],
});
`;

test('R76 R102 a program is tested and pushed like a document; a second push finds it the same', async () => {
  write('flows/nightly.ts', NIGHTLY);
  const tested = await run('test', 'flows/nightly.ts');
  assert.deepEqual(
    [tested.code, tested.stdout, tested.stderr],
    [0, '✔ job nightly  2 tests\n1 document, 2 tests\n', ''],
  );
  const pushed = await run('push', 'flows/nightly.ts');
  assert.deepEqual([pushed.code, pushed.stdout], [0, 'created  job nightly\n']);
  write(
    'same.yaml',
    'job: nightly\nparams: { limit: { type: integer, default: 10 } }\nsteps: [{ name: large, if: params.limit > 5, set: { large: true } }]\n',
  );
  const same = await run('push', 'same.yaml');
  assert.deepEqual([same.code, same.stdout], [0, 'same     job nightly\n']);
});

test('a list of documents, in JavaScript too; what lies in a folder is never run', async () => {
  write(
    'more/two.mjs',
    `import { job } from 'bellwire/flows';\nexport default ['a1', 'b1'].map((name) => job({ name, steps: ['noop'] }));\n`,
  );
  const two = await run('test', 'more/two.mjs');
  assert.deepEqual([two.code, two.stdout], [0, '✔ job a1  no test\n✔ job b1  no test\n2 documents, no test\n']);
  write('more/c.yaml', 'job: c1\nsteps: [noop]\n');
  write('more/bad.ts', `throw new Error('it was run');\n`);
  const folder = await run('test', 'more');
  assert.deepEqual([folder.code, folder.stdout], [0, '✔ job c1  no test\n1 document, no test\n']);
});

test('a program that fails, exports nothing of ours, or a document with a fault, is told in a sentence', async () => {
  const stderrOf = async (text: string): Promise<string> => {
    write('wrong.ts', text);
    const { code, stderr } = await run('test', 'wrong.ts');
    assert.notEqual(code, 0);
    return stderr;
  };
  assert.match(await stderrOf(`throw new Error('no luck');`), /cannot run wrong\.ts: no luck/);
  assert.match(await stderrOf('const = 1;'), /cannot run wrong\.ts: /);
  assert.match(await stderrOf('export const a = 1;'), /wrong\.ts must export by default what scenario\(\)/);
  assert.match(await stderrOf('export default [{}];'), /entry 0 of it is none/);
  assert.match(
    await stderrOf(
      `import { job } from 'bellwire/flows';\nexport default job({ name: 'x', steps: [{ set: { a: '\${ b }' } }] });`,
    ),
    /wrong\.ts \(as YAML\):4:10: nothing here is called "b"/,
  );
});

test('docs/scenarios.md: the program on it is one, and its documents are right', async () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/scenarios.md'), 'utf8');
  write('shown.ts', /^```ts\n([^]*?)^```$/m.exec(page)?.[1] ?? assert.fail('there is no program on the page'));
  const { code, stdout, stderr } = await run('test', 'shown.ts');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /scenario orders-to-sheet/);
});
