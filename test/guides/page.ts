// A guide as the tests read it: its fenced blocks, and what each of them asks for.
//
// Every block of every guide is played from top to bottom, and the words behind its language say how. GitHub and all
// other viewers show only the block, so a reader sees none of them:
//
//   ```sh                       typed into the guide's own terminal: one shell for the whole page, so variables and the
//                               folder stay. It begins in a clone of Bellwire. Every command must succeed
//   ```sh exit=1                … but the last one ends with this exit code
//   ```sh again                 … and may be typed again until it prints what the output block below it says
//   ```sh terminal=handler      typed into another terminal, of this name, in the folder where the first one is. It goes
//                               on running; an output block must follow, which says what it prints when it is ready.
//                               What ran in that terminal before is ended by Ctrl-C
//   ```text output              what the block above printed, as a whole; below a terminal's block what it prints first
//   ```text output of=handler   what that terminal prints next, since the last time the guide looked; the test waits
//   ```text press=ctrl-c of=handler   the same, after Ctrl-C in that terminal: all it prints until it has ended
//   ```js file=handler.mjs      written into this file, in the folder where the first terminal is. The
//                               paragraph above must name it
//   ```sh not-run="needs …"     not played, for this reason, which the test prints
//
// Any language will do where `sh` or `text` is not asked for. A block without such a word fails the test, as does a word
// that is not listed here. How output is compared stands in compare.ts; what is in reach of the terminals in ground.ts.

/** One fenced block of a guide. */
export interface Block {
  /** The line of its opening fence, from 1. */
  line: number;
  text: string;
  deed: Deed;
}

/** What a block asks for. */
export type Deed =
  | { kind: 'type'; exit: number; again: boolean }
  | { kind: 'start'; terminal: string }
  | { kind: 'compare'; terminal: string | undefined; press: boolean }
  | { kind: 'write'; file: string }
  | { kind: 'skip'; reason: string };

/** A block that cannot be played, or was played with another end than the guide says. */
export class GuideError extends Error {
  constructor(place: { page: string; line: number }, message: string) {
    super(`${place.page}:${place.line}: ${message}`);
  }
}

/** Blocks as the readers of Markdown know them, too, which nothing here would play: indented, quoted, begun in a list, of HTML. */
const HIDDEN_BLOCK = /^(?: {4,}|\t)\S|```|~~~|<(?:pre|code)\b/;

/** The blocks of a page in their order. Throws a GuideError for one that the runner would not know how to play. */
export function readBlocks(page: string, text: string): Block[] {
  const blocks: Block[] = [];
  const lines = text.split('\n');
  for (let at = 0; at < lines.length; at++) {
    const [, indent = '', fence, info = ''] = /^( *)(```+|~~~+)(.*)$/.exec(lines[at]!) ?? [];
    const line = at + 1;
    if (fence === undefined) {
      if (HIDDEN_BLOCK.test(lines[at]!))
        throw new GuideError({ page, line }, 'a block is fenced, at the edge of its paragraph');
      continue;
    }
    const above =
      lines
        .slice(0, at)
        .join('\n')
        .trimEnd()
        .split(/\n\s*\n/)
        .at(-1) ?? '';
    const end = lines.findIndex((one, index) => index > at && one.trim() === fence);
    if (end < 0) throw new GuideError({ page, line }, 'the block has no end');
    const body = lines.slice(at + 1, end).map((one) => (one.startsWith(indent) ? one.slice(indent.length) : one));
    blocks.push({ line, text: `${body.join('\n')}\n`, deed: deedOf(info, { place: { page, line }, above }) });
    at = end;
  }
  checkOrder(page, blocks);
  return blocks;
}

const WORD = /([a-z-]+)(?:=(?:"([^"]*)"|(\S+)))?/g;

function deedOf(info: string, { place, above }: { place: { page: string; line: number }; above: string }): Deed {
  const [language = '', ...rest] = info.trim().split(/ +/);
  const words = new Map(
    Array.from(rest.join(' ').matchAll(WORD), ([, word = '', quoted, bare]) => [word, quoted ?? bare ?? '']),
  );
  const fail = (message: string): never => {
    throw new GuideError(place, `\`${info.trim()}\`: ${message}`);
  };
  const only = (...known: string[]): void => {
    for (const word of words.keys()) if (!known.includes(word)) fail(`the runner does not know "${word}" here`);
  };
  const valueOf = (word: string): string => words.get(word) || fail(`${word}= says nothing`);
  if (words.has('not-run')) {
    only('not-run');
    return { kind: 'skip', reason: valueOf('not-run') };
  }
  if (words.has('file')) {
    only('file');
    const file = valueOf('file');
    return above.includes(file) ? { kind: 'write', file } : fail(`the paragraph above does not name ${file}`);
  }
  if (language === 'sh' && words.has('terminal')) {
    only('terminal');
    return { kind: 'start', terminal: valueOf('terminal') };
  }
  if (language === 'sh') {
    only('exit', 'again');
    return { kind: 'type', exit: Number(words.get('exit') ?? 0), again: words.has('again') };
  }
  if (language === 'text' && words.has('press')) {
    only('press', 'of');
    return valueOf('press') === 'ctrl-c'
      ? { kind: 'compare', terminal: valueOf('of'), press: true }
      : fail('only ctrl-c can be pressed');
  }
  if (words.has('output')) {
    only('output', 'of');
    return { kind: 'compare', terminal: words.has('of') ? valueOf('of') : undefined, press: false };
  }
  return fail('nothing says how to play this block (test/guides/page.ts)');
}

/** A terminal says what it prints when it is ready; what nobody has started prints nothing. */
function checkOrder(page: string, blocks: readonly Block[]): void {
  const terminals = new Set<string>();
  for (const [index, { deed, line }] of blocks.entries()) {
    const next = blocks[index + 1]?.deed;
    const follows = next?.kind === 'compare' && !next.press && (next.terminal ?? '') === '';
    const before = blocks[index - 1]?.deed.kind;
    const fail = (message: string): never => {
      throw new GuideError({ page, line }, message);
    };
    if (deed.kind === 'start') terminals.add(deed.terminal);
    if (deed.kind === 'start' && !follows) fail('an output block must follow: what it prints when it is ready');
    if (deed.kind === 'type' && deed.again && !follows) fail('an output block must follow what is typed again');
    if (deed.kind !== 'compare') continue;
    if (deed.terminal === undefined && before !== 'type' && before !== 'start') fail('nothing above it prints');
    if (deed.terminal !== undefined && !terminals.has(deed.terminal)) fail(`nothing runs in ${deed.terminal} yet`);
  }
}
