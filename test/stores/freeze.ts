// `npm run freeze`: grows an installation on both engines and writes it down as the store of the present release.
//
// The frozen store of a release is what every later release must open (test/frozen-stores.test.ts): it is made once, by
// that release, and never again. `-- --again` remakes it while the release is not out.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { startPostgres } from '../kit/postgres.ts';
import { countRows, pack, runOn } from './dump.ts';
import { engines, STORES, type EngineFacts, type Facts } from './frozen.ts';
import { grow } from './grow.ts';
import { settled } from './settled.ts';
import type { Place } from './installation.ts';

/** Releases are many, and every clone holds them all. */
const MOST_BYTES = 300_000;

const root = join(import.meta.dirname, '..', '..');

process.exitCode = await main(new Set(process.argv.slice(2)));

async function main(args: ReadonlySet<string>): Promise<number> {
  const { version } = JSON.parse(readFileSync(join(root, 'server', 'package.json'), 'utf8')) as { version: string };
  const folder = join(STORES, version);
  if (existsSync(folder) && !args.has('--again')) {
    console.error(`the store of ${version} is frozen already: a release is frozen once (--again, while it is not out)`);
    return 1;
  }
  mkdirSync(folder, { recursive: true });
  const facts: Facts = { release: version, engines: {} };
  const postgres = await startPostgres();
  try {
    for (const engine of engines) {
      const data = mkdtempSync(join(tmpdir(), 'bellwire-freeze-'));
      const place = { folder: data, store: engine === 'sqlite' ? 'sqlite' : await postgres.createDatabase() };
      facts.engines[engine] = await freeze(place, join(folder, `${engine}.gz`));
      rmSync(data, { recursive: true });
    }
  } finally {
    await postgres.stop();
  }
  writeFileSync(join(folder, 'facts.json'), `${JSON.stringify(facts, null, 2)}\n`);
  console.log(`${relative(root, folder)}: commit it with the release, and never change it again`);
  return 0;
}

async function freeze(place: Place, file: string): Promise<EngineFacts> {
  await grow(place);
  const frozenAt = Date.now();
  const adminKey = readFileSync(join(place.folder, 'admin-key'), 'utf8').trim();
  const tables = await countRows(place);
  const migrations = await runOn<{ name: string; checksum: string }>(
    place,
    'SELECT name, checksum FROM migrations ORDER BY number',
  );
  await pack(place, file);
  const { size } = statSync(file);
  console.log(`${relative(root, file)}: ${Object.keys(tables).length} tables, ${size} bytes`);
  const empty = Object.keys(tables).filter((table) => tables[table] === 0);
  if (empty.length > 0) throw new Error(`nothing was grown in ${empty.join(', ')}: say in test/stores/grow.ts how`);
  if (size > MOST_BYTES)
    throw new Error(`${file} has ${size} bytes; a frozen store is to have less than ${MOST_BYTES}`);
  return { frozenAt, adminKey, migrations, tables, ...(await settled(place, frozenAt)) };
}
