// Filters of Make as conditions: rows of alternatives, each of conditions that all have to hold.
import { expressionOf } from './formula.ts';
import { quoted, type Piece, type Surroundings } from './piece.ts';

/** A condition as a blueprint holds it: what is looked at, by which operator, and against what. */
export interface Condition {
  a: string;
  o: string;
  b: string;
}

type Judge = (a: string, b: Piece) => string;

const compare = (operator: string, wrap: (code: string) => string): Judge => {
  return (a, b) => `${wrap(a)} ${operator} ${typeof b.literal === 'number' ? b.code : wrap(b.code)}`;
};
const call =
  (name: string): Judge =>
  (a, b) =>
    `${name}(${a}, ${b.code})`;
const number = (code: string): string => `toNumber(${code})`;
const size =
  (operator: string): Judge =>
  (a, b) =>
    `length(${a}) ${operator} ${numeric(b)}`;
const version =
  (operator: string): Judge =>
  (a, b) =>
    `semverCompare(${a}, ${b.code}) ${operator} 0`;
const clock = (code: string): string => (code.startsWith("'") ? code : `formatDate(${code}, 'HH:mm')`);

/** Blueprints of several years write the orders of values in several ways. */
const ORDERS: Readonly<Record<string, string>> = {
  equal: '==',
  greater: '>',
  less: '<',
  later: '>',
  earlier: '<',
  after: '>',
  before: '<',
  greaterorequal: '>=',
  lessorequal: '<=',
  laterorequal: '>=',
  earlierorequal: '<=',
};

const TEXTS: Readonly<Record<string, { plain: Judge; anyCase: Judge }>> = {
  equal: { plain: (a, b) => `toText(${a}) == ${textOf(b)}`, anyCase: call('equalsIgnoreCase') },
  contain: { plain: call('contains'), anyCase: call('containsIgnoreCase') },
  startwith: { plain: call('startsWith'), anyCase: call('startsWithIgnoreCase') },
  endwith: { plain: call('endsWith'), anyCase: call('endsWithIgnoreCase') },
  pattern: { plain: call('matches'), anyCase: call('matchesIgnoreCase') },
};
const SPELLINGS: Readonly<Record<string, string>> = {
  contains: 'contain',
  startswith: 'startwith',
  endswith: 'endwith',
  matchpattern: 'pattern',
  matchespattern: 'pattern',
};

/** The condition of a filter; null (told) where it has none that can be carried over. */
export function conditionOf(rows: readonly (readonly Condition[])[], around: Surroundings): string | null {
  const alternatives = rows
    .filter((row) => row.length > 0)
    .map((row) => row.map((condition) => oneCondition(condition, around)));
  if (alternatives.length === 0) return null;
  const several = alternatives.length > 1;
  return alternatives
    .map((all) => (several && all.length > 1 ? `(${all.join(' && ')})` : all.join(' && ')))
    .join(' || ');
}

/** What stands for a formula that could not be carried over. */
const NOTHING = /(?<![\w.])null\b/;

function oneCondition({ a, o, b }: Condition, around: Surroundings): string {
  let isLost = false;
  const lost: Surroundings['lost'] = (what, hand) => {
    isLost = true;
    around.lost(what, hand);
  };
  const left = expressionOf(a, { ...around, lost }).code;
  const right = expressionOf(b, { ...around, lost });
  // A branch must not be taken because nobody could read its filter.
  if (isLost && NOTHING.test(`${left} ${right.code}`)) return 'false';
  const [kind = '', name = '', modifier = ''] = o.toLowerCase().split(':');
  if (kind === 'exist') return `exists(${left})`;
  if (kind === 'notexist') return `!exists(${left})`;
  const isNot = name.startsWith('not');
  const judge = judgeOf(kind, isNot ? name.slice(3) : name, modifier === 'ci');
  if (judge === null) {
    around.lost(`the filter's operator "${o}"`, 'write the condition anew: it is false now');
    return 'false';
  }
  const judged = judge(left, right);
  if (!isNot) return judged;
  return /^\w+\(.*\)$/s.test(judged) && !/ (?:==|[<>]=?) /.test(judged) ? `!${judged}` : `not ${judged}`;
}

function judgeOf(kind: string, name: string, isAnyCase: boolean): Judge | null {
  const known = SPELLINGS[name] ?? name;
  const order = Object.hasOwn(ORDERS, known) ? (ORDERS[known] as string) : null;
  if (kind === 'text') {
    const judges = Object.hasOwn(TEXTS, known) ? TEXTS[known] : undefined;
    return judges === undefined ? null : isAnyCase ? judges.anyCase : judges.plain;
  }
  if (kind === 'array' && known === 'contain') return call(isAnyCase ? 'containsIgnoreCase' : 'contains');
  if (order === null) return null;
  if (kind === 'number' || kind === 'numeric') return (a, b) => `${number(a)} ${order} ${numeric(b)}`;
  if (kind === 'date') return compare(order, (code) => `parseDate(${code})`);
  if (kind === 'time') return compare(order, clock);
  if (kind === 'array') return size(order);
  if (kind === 'semver') return version(order);
  if (kind === 'boolean' && order === '==') return (a, b) => `${truth(a)} == ${truthOf(b)}`;
  return null;
}

function textOf(piece: Piece): string {
  return piece.literal === undefined ? `toText(${piece.code})` : quoted(String(piece.literal));
}

function numeric(piece: Piece): string {
  const text = String(piece.literal ?? '').trim();
  return /^-?\d+(?:\.\d+)?$/.test(text) ? text : number(piece.code);
}

const truth = (code: string): string => `toBoolean(${code})`;

function truthOf(piece: Piece): string {
  const word = String(piece.literal ?? piece.code).toLowerCase();
  return word === 'true' || word === 'false' ? word : truth(piece.code);
}
