// Group commit by itself: what shares a commit, in what order it is answered, who pays for a guilty one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GroupCommit } from '../src/store/group-commit.ts';

interface Item {
  name: string;
  weight?: number;
  guilty?: boolean;
}

/** A group commit that notes its groups; a group with a guilty item fails. */
function noted(most = 100): { groups: string[]; commits: GroupCommit<Item, string>; blames: { row: boolean } } {
  const groups: string[] = [];
  const blames = { row: true };
  const commits = new GroupCommit<Item, string>({
    commit: async (group) => {
      groups.push(group.map(({ name }) => name).join(''));
      await new Promise<void>((done) => setImmediate(done));
      const guilty = group.filter((item) => item.guilty).map(({ name }) => name);
      if (guilty.length > 0) throw new Error(guilty.join());
      return group.map(({ name }) => name.toUpperCase());
    },
    weigh: ({ weight = 1 }) => weight,
    most,
    blamesItem: () => blames.row,
  });
  return { groups, commits, blames };
}

const items = (names: string, of: Partial<Item> = {}): Item[] => names.split('').map((name) => ({ name, ...of }));

test('R53 what comes in one turn shares a commit; what comes during it shares the next', async () => {
  const { groups, commits } = noted();
  const first = items('abc').map((item) => commits.submit(item));
  while (groups.length === 0) await new Promise<void>((done) => setImmediate(done));
  const second = items('de').map((item) => commits.submit(item));
  assert.deepEqual(await Promise.all([...first, ...second]), ['A', 'B', 'C', 'D', 'E']);
  assert.deepEqual(groups, ['abc', 'de']);
});

test('a group is closed before it would weigh too much; one that is too heavy goes alone', async () => {
  const { groups, commits } = noted(5);
  const weights = { a: 2, b: 3, c: 1, d: 9, e: 5, f: 1, g: 0, h: 4 };
  const submitted = Object.entries(weights).map(([name, weight]) => commits.submit({ name, weight }));
  await Promise.all(submitted);
  assert.deepEqual(groups, ['ab', 'c', 'd', 'e', 'fgh']);
});

test('R53 the guilty ones are found by halving and fail alone, the others are answered in order', async () => {
  const { groups, commits } = noted();
  const all = items('abcdefgh').map((item) => ({ ...item, guilty: 'cf'.includes(item.name) }));
  const settled = await Promise.allSettled(all.map((item) => commits.submit(item)));
  assert.deepEqual(
    settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message)),
    ['A', 'B', 'c', 'D', 'E', 'f', 'G', 'H'],
  );
  assert.deepEqual(groups, ['abcdefgh', 'abcd', 'ab', 'cd', 'c', 'd', 'efgh', 'ef', 'e', 'f', 'gh']);
});

test('an error that is nobody’s fault fails the group at once, and the next one works', async () => {
  const { groups, commits, blames } = noted();
  blames.row = false;
  const settled = await Promise.allSettled(items('ab', { guilty: true }).map((item) => commits.submit(item)));
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['rejected', 'rejected'],
  );
  assert.equal(await commits.submit({ name: 'c' }), 'C');
  assert.deepEqual(groups, ['ab', 'c']);
});
