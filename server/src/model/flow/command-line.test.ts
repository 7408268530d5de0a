// How a command line is split.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CommandLineFault, splitCommandLine } from './command-line.ts';

const SPLIT: [text: string, words: string[]][] = [
  ['./reindex.sh ${ params.table }', ['./reindex.sh', '${ params.table }']],
  ['echo  a\tb\n c ', ['echo', 'a', 'b', 'c']],
  [`grep 'a b' "c \\" d" e\\ f`, ['grep', 'a b', 'c " d', 'e f']],
  [`x --name="\${ a + "}" }" ''`, ['x', '--name=${ a + "}" }', '']],
  ["x ${ f({ a: '}' }) }y", ['x', "${ f({ a: '}' }) }y"]],
  ['', []],
];

for (const [text, words] of SPLIT) {
  test(`a command line is split into its words, no shell is asked: ${JSON.stringify(text)}`, () => {
    assert.deepEqual(splitCommandLine(text), words);
  });
}

for (const [text, at] of [
  [`echo 'a`, 5],
  ['echo ${ a', 5],
  ['echo a\\', 6],
] as const) {
  test(`a command line that is not closed is refused where it begins: ${JSON.stringify(text)}`, () => {
    assert.throws(
      () => splitCommandLine(text),
      (error) => error instanceof CommandLineFault && error.at === at,
    );
  });
}

test('any text is split or refused, and never takes long', () => {
  fc.assert(
    fc.property(
      fc.string({ maxLength: 200, unit: fc.constantFrom('$', '{', '}', "'", '"', '\\', ' ', 'a') }),
      (text) => {
        try {
          splitCommandLine(text);
        } catch (error) {
          assert(error instanceof CommandLineFault);
        }
      },
    ),
  );
});
