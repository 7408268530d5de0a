// docs/flows.md and examples/flows: every document on them is read, every test they carry is played.
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { playTest } from '../src/model/flow/document/dry-run.ts';
import { faultLine, namedSamples, readFlows, type DocumentFile } from '../src/model/flow/document/index.ts';

const root = join(import.meta.dirname, '../..');
const NOW = Date.UTC(2026, 10, 22, 9, 30);

/** Reads a file and plays its tests; the number of tests. */
function playAll(file: DocumentFile): number {
  const samples = namedSamples([file]).map(({ key }) => [key, readFileSync(join(root, key), 'utf8')] as const);
  const read = readFlows([file], new Map(samples));
  if (!read.ok) assert.fail(read.faults.map(faultLine).join('\n'));
  assert.ok(read.documents.length + read.sheets.length > 0, `${file.name} holds no document`);
  let count = 0;
  for (const { flow, tests } of read.documents) {
    for (const one of tests) {
      assert.deepEqual(playTest(flow, one, NOW), [], `${file.name}, ${flow.name}: ${one.name}`);
      count++;
    }
  }
  return count;
}

test('docs/flows.md: every document is one, and does what its tests say', () => {
  const page = readFileSync(join(root, 'docs/flows.md'), 'utf8');
  const blocks = Array.from(page.matchAll(/^```yaml\n([^]*?)^```$/gm), ([, block = '']) => block);
  assert.ok(blocks.length >= 7);
  const played = blocks.reduce((sum, text, at) => sum + playAll({ name: `docs/flows.md, block ${at + 1}`, text }), 0);
  assert.equal(played, 6);
});

test('the other pages of docs/: every document on them is one', () => {
  for (const name of globSync('docs/*.md', { cwd: root })) {
    const page = readFileSync(join(root, name), 'utf8');
    const blocks = Array.from(page.matchAll(/^```yaml\n([^]*?)^```$/gm), ([, block = '']) => block);
    for (const text of blocks) if (/^(?:job|policySet|scenario|sheet): /m.test(text)) playAll({ name, text });
  }
});

test('examples/flows: every document is one, and does what its tests say', () => {
  const files = globSync('examples/flows/**/*.yaml', { cwd: root });
  assert.ok(files.length > 0);
  for (const name of files) playAll({ name, text: readFileSync(join(root, name), 'utf8') });
});
