// `bellwire sheet` against a running platform: what people read, what --json gives, and the files it writes.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { readXlsx } from 'hucre/xlsx';
import { bellwire, documents, startGround } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;

before(async () => {
  ground = await startGround();
  writeFileSync(
    join(ground.folder, 'audit.yaml'),
    'sheet: AuditLog\ndescription: Who did what\ncolumns: [time, user]\n',
  );
  const note = 'job: note\nsteps: [{ sheet.append: { to: AuditLog, row: { time: noon, user: =Ada, C: 3 } } }]\n';
  writeFileSync(join(ground.folder, 'note.yaml'), note);
});
after(() => ground.stop());

/** Runs a command that must succeed; what it wrote to stdout. */
async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await bellwire(args, { folder: ground.folder });
  assert.deepEqual([code, stderr], [0, ''], args.join(' '));
  return stdout;
}

test('R98 bellwire sheet: put, list, show, the rows a job wrote, export as CSV and XLSX, delete', async () => {
  assert.match(await ok('sheet', 'list'), /There is no sheet yet/);
  assert.match(await ok('sheet', 'put', 'AuditLog', 'audit.yaml'), /columns +time, user/);
  await ok('push', 'note.yaml');
  assert.equal((await bellwire(['job', 'run', 'note', '--follow'], { folder: ground.folder })).code, 0);
  const [listed] = documents<{ name: string; rows: number }>({ stdout: await ok('sheet', 'list', '--json') });
  assert.deepEqual([listed?.name, listed?.rows], ['AuditLog', 1]);
  assert.match(await ok('sheet', 'list'), /AuditLog +built-in +1 +time, user/);
  assert.match(await ok('sheet', 'show', 'AuditLog'), /description +Who did what/);
  assert.match(await ok('sheet', 'rows', 'AuditLog'), /ROW +time +user +C\n1 +noon +=Ada +3/);
  assert.equal(await ok('sheet', 'export', 'AuditLog', '-'), "time,user\r\nnoon,'=Ada,3\r\n");
  await ok('sheet', 'export', 'AuditLog', 'audit.csv');
  assert.equal(readFileSync(join(ground.folder, 'audit.csv'), 'utf8'), "time,user\r\nnoon,'=Ada,3\r\n");
  await ok('sheet', 'export', 'AuditLog', 'audit.xlsx');
  const { sheets } = await readXlsx(readFileSync(join(ground.folder, 'audit.xlsx')));
  assert.deepEqual([...sheets[0]!.rows[1]!], ['noon', '=Ada', 3]);
  const { code, stderr } = await bellwire(['sheet', 'export', 'AuditLog', 'audit.pdf'], { folder: ground.folder });
  assert.deepEqual([code, /is written to \.csv or \.xlsx/.test(stderr)], [2, true]);
  assert.match(await ok('sheet', 'delete', 'AuditLog'), /AuditLog is gone/);
});
