// The floors of the house: every line that breaks one is named, with the reason.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as floors from './kit/floors.ts';
import { codeOnly, readSources, repository, source } from './kit/sources.ts';

const sources = readSources(repository, ['receiver', 'server', 'test', 'bench', 'examples']);
const product = sources.filter(({ path }) => /^(receiver|server)\/src\//.test(path));

function none(broken: string[]): void {
  if (broken.length > 0) assert.fail(`\n${broken.join('\n')}\n`);
}

test('the house: there are files to look at', () => {
  assert.ok(product.length > 20, `only ${product.length} files found`);
});

test('the house: every room imports only what is below it', () => none(floors.brokenFloors(product)));

test('the house: the model is pure', () => none(floors.impureModel(product)));

test('the house: only the CLI touches signals, exit codes and arguments', () => none(floors.touchesProcess(product)));

test('the house: nothing is named utils, common, types, interfaces or helpers', () => {
  none(floors.namelessRooms(sources.map(({ path }) => path)));
});

test('the house: no circle of imports', () => none(floors.importCircles(sources)));

test('the house: line 1 of a file says what it is for, and a long one says why it is long', () => {
  none(floors.unexplainedFiles(sources));
});

test('the house: the median file has at most 150 lines', () => {
  assert.ok(floors.medianLength(product) <= 150, `the median is ${floors.medianLength(product)} lines`);
});

// What a rule that sees nothing would hide.

test('the house: the rules see what they forbid', () => {
  const broken = (path: string, text: string): string[] => {
    const files = [source(path, `// Head.\n${text}`)];
    return [...floors.brokenFloors(files), ...floors.impureModel(files), ...floors.touchesProcess(files)];
  };
  const forbidden: [string, string][] = [
    ['server/src/model/a.ts', "import { readFileSync } from 'node:fs';"],
    ['server/src/model/a.ts', "import { randomUUID } from 'node:crypto';"],
    ['server/src/model/a.ts', "import { accept } from '../store/contract.ts';"],
    ['server/src/model/a.ts', 'const now = Date.now();'],
    ['server/src/model/a.ts', 'const now = new Date();'],
    ['server/src/model/a.ts', 'const dice = Math.random();'],
    ['receiver/src/a.ts', "import { createHmac } from 'node:crypto';"],
    ['receiver/src/adapters/a.ts', "import express from 'express';"],
    ['server/src/store/a.ts', "import type {\n  Engine,\n} from '../engine/engine.ts';"],
    ['server/src/engine/a.ts', "import { routes } from '../api/routes.ts';"],
    ['server/src/engine/a.ts', "import { openSqlite } from '../store/sqlite.ts';"],
    ['server/src/engine/a.ts', "const later = await import('../platform.ts');"],
    ['server/src/engine/a.ts', "import { sign } from '../../../receiver/src/index.ts';"],
    ['server/src/api/a.ts', "process.on('SIGTERM', stop);"],
    ['server/src/api/a.ts', 'process.exit(1);'],
    ['server/src/api/a.ts', "export { b } from './b';"],
    ['server/src/client/index.ts', "import { WebhookIn } from '../api/webhooks.ts';"],
    ['server/src/somewhere/else.ts', 'export {};'],
  ];
  for (const [path, text] of forbidden) assert.equal(broken(path, text).length, 1, `${path}: ${text}`);
  const allowed: [string, string][] = [
    ['server/src/model/a.ts', "import { createHash } from 'node:crypto';"],
    ['server/src/model/a.ts', '// Date.now() is not for us\nconst say = "Date.now()"; const at = new Date(0);'],
    ['receiver/src/adapters/a.ts', "import { createHmac } from 'node:crypto';"],
    [
      'server/src/engine/a.ts',
      "import type { Store } from '../store/contract.ts';\nimport { sign } from '@bellwire/receiver';",
    ],
    ['server/src/client/index.ts', "import type { WebhookIn } from '../api/webhooks.ts';"],
    ['server/src/platform.ts', "import { openSqlite } from './store/sqlite.ts';"],
  ];
  for (const [path, text] of allowed) none(broken(path, text));
  const a = source('server/src/model/a.ts', "import { b } from './b.ts';");
  const b = source('server/src/model/b.ts', "import type { A } from './a.ts';");
  assert.deepEqual(floors.importCircles([a, b]), [
    'server/src/model/a.ts → server/src/model/b.ts → server/src/model/a.ts',
  ]);
  assert.equal(
    floors.namelessRooms(['server/src/api/utils.ts', 'server/src/common/x.ts', 'server/src/api/events.ts']).length,
    2,
  );
  assert.equal(floors.unexplainedFiles([source('server/src/a.ts', 'export {};')]).length, 1);
  assert.equal(floors.unexplainedFiles([source('server/src/a.ts', `// Does.\n${'\n'.repeat(600)}`)]).length, 1);
  assert.equal(codeOnly("a(/'/, 'x') // 'y'\nb").trimEnd(), 'a(   ,    )       \nb');
});
