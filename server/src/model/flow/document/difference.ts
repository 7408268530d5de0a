// What changed between two texts, line by line, as people know it from their version control. Pure and bounded.

/** A line of a difference: kept, taken away, added, or a gap of lines that did not change. */
export type DifferenceLine = { mark: ' ' | '-' | '+'; text: string } | { mark: '@'; text: string };

/** Unchanged lines shown around a change. */
const CONTEXT = 3;
/** Texts of more lines (beyond what they begin and end with alike) are shown as one taken away and one added. */
const MAX_LINES = 2_000;

/** The difference between two texts; empty when they are the same. */
export function differenceOf(before: string, after: string): DifferenceLine[] {
  if (before === after) return [];
  return withContext(compare(linesOf(before), linesOf(after)));
}

function linesOf(text: string): string[] {
  return text === '' ? [] : text.replace(/\n$/, '').split('\n');
}

type Line = Exclude<DifferenceLine, { mark: '@' }>;

function compare(before: readonly string[], after: readonly string[]): Line[] {
  let start = 0;
  while (start < before.length && start < after.length && before[start] === after[start]) start++;
  let end = 0;
  const shorter = Math.min(before.length, after.length) - start;
  while (end < shorter && before.at(-1 - end) === after.at(-1 - end)) end++;
  const same = (text: string): Line => ({ mark: ' ', text });
  return [
    ...before.slice(0, start).map(same),
    ...middle(before.slice(start, before.length - end), after.slice(start, after.length - end)),
    ...before.slice(before.length - end).map(same),
  ];
}

/** The longest common subsequence, by the table that everybody knows. */
function middle(before: readonly string[], after: readonly string[]): Line[] {
  const taken = (text: string): Line => ({ mark: '-', text });
  const added = (text: string): Line => ({ mark: '+', text });
  if (before.length > MAX_LINES || after.length > MAX_LINES) return [...before.map(taken), ...after.map(added)];
  const width = after.length + 1;
  const lengths = new Uint16Array((before.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] as number;
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] = before[i] === after[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const lines: Line[] = [];
  let i = 0;
  let j = 0;
  while (i < before.length || j < after.length) {
    if (i < before.length && j < after.length && before[i] === after[j]) {
      lines.push({ mark: ' ', text: before[i++] as string });
      j++;
    } else if (j >= after.length || (i < before.length && at(i + 1, j) >= at(i, j + 1))) {
      lines.push(taken(before[i++] as string));
    } else lines.push(added(after[j++] as string));
  }
  return lines;
}

/** Leaves out what is further from any change than the context; a gap says where the text goes on. */
function withContext(lines: readonly Line[]): DifferenceLine[] {
  const isNear = lines.map(() => false);
  for (const [index, { mark }] of lines.entries()) {
    if (mark === ' ') continue;
    isNear.fill(true, Math.max(0, index - CONTEXT), Math.min(lines.length, index + CONTEXT + 1));
  }
  const shown: DifferenceLine[] = [];
  let number = 0;
  for (const [index, line] of lines.entries()) {
    if (line.mark !== '-') number++;
    if (isNear[index] !== true) continue;
    if (isNear[index - 1] !== true && index > 0) shown.push({ mark: '@', text: `line ${Math.max(number, 1)}` });
    shown.push(line);
  }
  return shown;
}
