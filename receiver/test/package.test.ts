// What `npm pack` would publish: built from a copy, and used by a program that knows nothing of this repository.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const receiver = join(import.meta.dirname, '..');
const repository = join(receiver, '..');

test('the packed library is plain JavaScript with types, reached by every one of its exports', () => {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-receiver-'));
  try {
    // As in the repository: the compiler's settings one floor up, the packages where Node and TypeScript look for them.
    const copy = join(folder, 'receiver');
    mkdirSync(copy);
    for (const file of ['src', 'package.json', 'pack.mjs', 'tsconfig.build.json']) {
      cpSync(join(receiver, file), join(copy, file), { recursive: true });
    }
    cpSync(join(repository, 'tsconfig.json'), join(folder, 'tsconfig.json'));
    symlinkSync(join(repository, 'node_modules'), join(folder, 'node_modules'));
    const node = (cwd: string, ...args: string[]) => execFileSync(process.execPath, args, { cwd, encoding: 'utf8' });
    const tsc = join(repository, 'node_modules', 'typescript', 'bin', 'tsc');
    node(copy, tsc, '-p', 'tsconfig.build.json');
    node(copy, 'pack.mjs', 'prepare');

    const user = join(folder, 'user');
    const installed = join(user, 'node_modules', '@bellwire', 'receiver');
    cpSync(join(copy, 'dist'), join(installed, 'dist'), { recursive: true });
    cpSync(join(copy, 'package.json'), join(installed, 'package.json'));
    const { exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { exports: object };
    const names = Object.keys(exports).map((entry) => `@bellwire/receiver${entry.slice(1)}`);
    const imports = names.map((name, at) => `import * as entry${at} from '${name}';`).join('\n');
    writeFileSync(
      join(user, 'use.mjs'),
      `${imports}\nconsole.log(await entry0.verificationOf('s3cr3tKey', '550e8400-e29b-41d4-a716-446655440000'));\n`,
    );
    assert.equal(node(user, 'use.mjs').trim(), '6de14a7ada9be456e74dcdb0ee5f0091c51fbfe1a7de6d1be05a87e66c706709');

    // The declarations must be found, too: a wrong use of them does not compile.
    symlinkSync(join(repository, 'node_modules', '@types'), join(user, 'node_modules', '@types'));
    symlinkSync(join(repository, 'node_modules', 'undici-types'), join(user, 'node_modules', 'undici-types'));
    writeFileSync(
      join(user, 'use.mts'),
      `${imports}\nentry0.createReceiver({ secret: 'a', on: { t: (event: entry0.CloudEvent<{ a: 1 }>) => event.data?.a } });\n// @ts-expect-error\nentry0.createReceiver({ secret: 7 });\n`,
    );
    const compilerOptions = { noEmit: true, strict: true, module: 'nodenext', target: 'es2022', types: ['node'] };
    writeFileSync(join(user, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['use.mts'] }));
    node(user, tsc, '-p', '.');

    node(copy, 'pack.mjs', 'restore');
    assert.equal(
      readFileSync(join(copy, 'package.json'), 'utf8'),
      readFileSync(join(receiver, 'package.json'), 'utf8'),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
