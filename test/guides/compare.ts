// Is what was printed what the guide shows? By its words, with room for what is another one each time.
//
// `…` in the guide stands for anything within its line, a line of `…` alone for any number of lines. Runs of spaces are one
// space, and colours do not count. What is new each time is compared by its form: ids, generated secrets and keys, UUIDs,
// instants, times of day, ages, and spans that were measured. An id of the page is the same thing wherever the page names
// it, so a reader is shown `deliveries show dlv_1a452e19nw_3_1`, and the runner types the id that stood there when it looked.

/** Ids and secrets of the page, and what they are in this play. */
export type Names = ReadonlyMap<string, string>;

export interface Fit {
  /** How many lines of what was printed the expected ones cover. */
  lines: number;
  /** What `known` was, and what was learned. */
  names: Names;
}

/** Does the printed text fit, as a whole or by its beginning? Undefined where it does not. */
export function fit(
  expected: string,
  printed: string,
  { whole, known = new Map() }: { whole: boolean; known?: Names },
): Fit | undefined {
  const named: string[] = [];
  const lines = bare(expected).trimEnd().split('\n');
  let pattern = '';
  for (const [index, line] of lines.entries()) {
    const isLast = index === lines.length - 1;
    if (line.trim() === '…') pattern += isLast ? '[^]*' : '(?:[^\\n]*\\n)*?';
    else pattern += `${patternOf(line.trimEnd(), { named, known })} *${isLast ? '' : '\\n'}`;
  }
  const found = new RegExp(`^${pattern}${whole ? '\\s*$' : '\\n'}`).exec(bare(printed));
  if (!found) return undefined;
  const names = new Map(known);
  for (const [index, name] of named.entries()) names.set(name, found[index + 1]!);
  return { lines: found[0].split('\n').length - (whole ? 0 : 1), names };
}

/** A text of the page in which ids that are known are those of this play. */
export function inNames(text: string, known: Names): string {
  return text.replaceAll(FORMS, (form, ...groups) => (isNamed(groups) ? (known.get(form) ?? form) : form));
}

const NAMED = [
  '\\b(?:whsec_|whsk_|whpk_|bw_)[A-Za-z0-9+/_-]{16,}=*',
  '\\b(?:wh|evt|dlv|bat|sub|op|run|req|key|ers|pp|grp|ws)_[0-9a-z]+(?:_[0-9a-z]+)*\\b',
  '(?<=/hooks/)[A-Za-z0-9_-]{32}(?![A-Za-z0-9_-])',
  // The numbers of runs.
  '(?<=\\b(?:run|log|abort|replay|continue) |_id": )\\d+\\b',
];

const NAMELESS = [
  '\\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\\b',
  '\\b\\d{4}-\\d\\d-\\d\\d[T ]\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:\\d\\d)?',
  '\\b\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?\\b',
  '\\b\\d+(?:\\.\\d+)? ?ms\\b|\\b\\d+\\.\\d+ ?s\\b',
  '\\b\\d+ (?:s|min|h|d) ago\\b',
  '\\bin \\d+ (?:s|min|h|d)\\b|\\bnow\\b',
  '\\b[0-9a-f]{32,}\\b',
];

/** The first group is what has a name, the others are of no name, one form each. */
const FORMS = new RegExp([NAMED.join('|'), ...NAMELESS].map((form) => `(${form})`).join('|'), 'g');

const isNamed = ([first]: unknown[]): boolean => typeof first === 'string';

function patternOf(line: string, { named, known }: { named: string[]; known: Names }): string {
  let pattern = '';
  let at = 0;
  for (const found of line.matchAll(FORMS)) {
    const [text, ...groups] = found;
    pattern += quoted(line.slice(at, found.index));
    at = found.index + text.length;
    const before = named.indexOf(text);
    if (!isNamed(groups)) pattern += `(?:${NAMELESS[groups.findIndex((group) => group !== undefined) - 1]})`;
    else if (known.has(text)) pattern += quoted(known.get(text)!);
    else if (before >= 0) pattern += `\\${before + 1}(?!\\d)`;
    else pattern += `(${NAMED.join('|')})`;
    if (isNamed(groups) && !known.has(text) && before < 0) named.push(text);
  }
  return pattern + quoted(line.slice(at));
}

function quoted(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&').replaceAll('…', '[^\\n]*?');
}

/** Without colours, and with single spaces. */
function bare(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the colours of a terminal are control characters
  return text.replaceAll(/\u001b\[[0-9;]*[A-Za-z]|\r/g, '').replaceAll(/ +/g, ' ');
}
