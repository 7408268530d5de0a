// Every guide of docs/guides, every block of it: typed, written or compared as test/guides/page.ts says.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';
import { testDatabase, withoutPostgres } from './kit/postgres.ts';
import { repository } from './kit/sources.ts';
import { findGo, findPython, type Means } from './guides/needs.ts';
import { playGuide } from './guides/play.ts';

const pages = globSync('docs/guides/*.md', { cwd: repository }).sort();

/** What a page needs that not every machine has; asked when its turn comes. */
const needs: Record<string, (t: TestContext) => Means | Promise<Means>> = {
  'docs/guides/first-event-fastapi.md': () => findPython(['fastapi', 'uvicorn']),
  'docs/guides/first-event-go.md': findGo,
  'docs/guides/from-one-machine-to-a-fleet.md': async (t) =>
    withoutPostgres ? { missing: withoutPostgres } : { env: { DATABASE: await testDatabase(t) } },
};

describe('R54 the guides: every command and every block of', { concurrency: 3, timeout: 600_000 }, () => {
  for (const page of pages) {
    test(page, { timeout: 400_000 }, async (t) => {
      const means: Means = (await needs[page]?.(t)) ?? {};
      if ('missing' in means) return t.skip(means.missing);
      const text = readFileSync(join(repository, page), 'utf8');
      for (const reason of await playGuide({ page, text, ...means })) t.diagnostic(`not run: ${reason}`);
    });
  }
});

test('the guides: each stands in their list', () => {
  const list = readFileSync(join(repository, 'docs/guides/README.md'), 'utf8');
  const missing = pages.map((page) => page.replace('docs/guides/', '')).filter((name) => !list.includes(`](${name})`));
  assert.deepEqual(missing, ['README.md']);
});

test('the guides: each link leads to a page that is there, and to a heading of it', () => {
  const broken = pages.flatMap((page) => {
    const text = readFileSync(join(repository, page), 'utf8').replaceAll(/^```[^]*?^```$/gm, '');
    return Array.from(text.matchAll(/\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)/g)).flatMap(([, path = '', heading]) => {
      const target = path === '' ? page : join(dirname(page), path);
      const isThere = existsSync(join(repository, target)) && (heading === undefined || headings(target).has(heading));
      return isThere ? [] : [`${page}: ${target}${heading === undefined ? '' : `#${heading}`}`];
    });
  });
  assert.deepEqual(broken, []);
});

/** The headings of a page as links name them. */
function headings(page: string): Set<string> {
  const found = readFileSync(join(repository, page), 'utf8').matchAll(/^#+ (.+)$/gm);
  const names = Array.from(found, ([, title = '']) => title.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, ''));
  return new Set(names.map((name) => name.trim().replaceAll(' ', '-')));
}
