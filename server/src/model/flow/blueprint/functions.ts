// Functions of Make and what they are called here; those whose arguments differ are put together anew.
import { pathOf, quoted, type Piece, type Surroundings } from './piece.ts';

/** Names that differ and mean the same, arguments and all. */
const RENAMED: Readonly<Record<string, string>> = {
  ifempty: 'ifEmpty',
  tostring: 'toText',
  encodeurl: 'urlEncode',
  decodeurl: 'urlDecode',
  escapehtml: 'escapeHtml',
  deduplicate: 'distinct',
  add: 'concat',
  merge: 'concat',
  startcase: 'titleCase',
  striphtml: 'stripHtml',
};

/** Names that are the same here; Make does not tell their case. */
const SAME = new Map(
  [
    ...[
      'if',
      'switch',
      'pick',
      'omit',
      'base64',
      'capitalize',
      'contains',
      'indexOf',
      'length',
      'lower',
      'upper',
      'trim',
    ],
    ...['substring', 'split', 'join', 'abs', 'average', 'ceil', 'floor', 'max', 'min', 'round', 'sum', 'parseNumber'],
    ...['addDays', 'addHours', 'addMinutes', 'addMonths', 'addSeconds', 'addYears', 'dateDifference', 'formatDate'],
    ...['parseDate', 'first', 'last', 'flatten', 'keys', 'reverse', 'slice', 'median', 'trunc'],
  ].map((name) => [name.toLowerCase(), name]),
);

/** A formula that is a time, and nothing around it says how to write it. */
export const DATES =
  /^(?:now|(?:addDays|addHours|addMinutes|addMonths|addSeconds|addYears|parseDate)\((?:[^()]|\([^()]*\))*\))$/;

type Given = Piece | null | undefined;
type Inputs = readonly (Piece | null)[];
type Translate = (inputs: Inputs, around: Surroundings) => string | null;

const HASHES = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'];

const OWN: Readonly<Record<string, Translate>> = {
  ...Object.fromEntries(HASHES.map((name) => [name, hash(name)])),
  get: ([value, path]) => (value && path ? member(value.code, path) : null),
  map: (inputs) => mapped(inputs),
  sort: ([list, order, key]) => {
    if (!list) return null;
    const direction = String(order?.literal ?? 'asc').startsWith('desc') ? "'desc'" : "'asc'";
    return key ? `sort(${list.code}, ${eachOf(key)}, ${direction})` : `sort(${list.code}, , ${direction})`;
  },
  remove: ([list, ...gone]) => {
    if (!list) return null;
    return `difference(${list.code}, [${gone.map((piece) => codeOf(piece, 'null')).join(', ')}])`;
  },
  distinct: ([list, key]) => (list ? `distinct(${[list.code, ...(key ? [eachOf(key)] : [])].join(', ')})` : null),
  // Make writes 1.234,5 where nothing is said, ours 1,234.5.
  formatnumber: ([number, decimals, point, group]) => {
    if (!number) return null;
    const others = [codeOf(decimals, '0'), codeOf(point, "','"), codeOf(group, "'.'")];
    return `formatNumber(${[number.code, ...others].join(', ')})`;
  },
  replace: ([text, search, other]) => replaced(text, search, other),
  tobinary: ([text, encoding]) => {
    if (!text) return null;
    const known = { hex: 'fromHex', base64: 'fromBase64' }[String(encoding?.literal ?? '')];
    return known === undefined ? (encoding ? null : text.code) : `${known}(${text.code})`;
  },
};

/** A call of Make's function `name` in our language; null where there is none like it. */
export function translateCall(name: string, inputs: Inputs, around: Surroundings): string | null {
  const key = name.toLowerCase();
  const own = Object.hasOwn(OWN, key) ? OWN[key] : undefined;
  if (own !== undefined) return own(inputs, around);
  const ours = (Object.hasOwn(RENAMED, key) ? RENAMED[key] : undefined) ?? SAME.get(key);
  return ours === undefined ? null : `${ours}(${argumentsOf(inputs)})`;
}

/** What is left empty stays empty: `sha256(text, , key)`. */
function argumentsOf(inputs: Inputs): string {
  const codes = inputs.map((piece) => piece?.code ?? '');
  while (codes.at(-1) === '') codes.pop();
  return codes.join(', ');
}

function codeOf(piece: Piece | null | undefined, otherwise: string): string {
  return piece?.code ?? otherwise;
}

/** A key that stands in a blueprint is a secret; it does not belong into a document (R85). */
function hash(name: string): Translate {
  return ([text, encoding, key, keyEncoding], around) => {
    if (!text) return null;
    const secret = typeof key?.literal === 'string' && key.literal !== '' ? around.key(key.literal, name) : null;
    const given = secret === null ? (key ?? null) : { code: secret };
    return `${name}(${argumentsOf([text, encoding ?? null, given, keyEncoding ?? null])})`;
  };
}

/** `get(value; "a.2.b")`: a path in a text, its numbers counted from 1. */
function member(code: string, path: Piece): string | null {
  if (typeof path.literal === 'number') return `${code}[${path.literal - 1}]`;
  return typeof path.literal === 'string' && path.literal !== '' ? pathOf(code, stepsOf(path.literal)) : null;
}

function stepsOf(path: string): (string | number)[] {
  return path.split('.').map((step) => (/^[1-9]\d*$/.test(step) ? Number(step) - 1 : step));
}

/** What is taken of each entry: the name of a field, or a path in it. */
function eachOf(key: Piece): string {
  if (typeof key.literal !== 'string') return `x -> x[${key.code}]`;
  return key.literal.includes('.') ? `x -> ${pathOf('x', stepsOf(key.literal))}` : quoted(key.literal);
}

/** `map(list; key; field; values)`: a field of each entry, of those whose other field has one of these values. */
function mapped([list, key, field, values]: Inputs): string | null {
  if (!list || !key) return null;
  if (!field) return `map(${list.code}, ${eachOf(key)})`;
  if (typeof field.literal !== 'string' || !values) return null;
  const of = pathOf('x', stepsOf(field.literal));
  const wanted = typeof values.literal === 'string' ? values.literal.split(/\s*,\s*/).map(quoted) : [values.code];
  const holds = wanted.map((value) => `toText(${of}) == ${value}`).join(' || ');
  return `map(filter(${list.code}, x -> ${holds}), ${eachOf(key)})`;
}

/** A search written /…/ is a pattern. */
function replaced(text: Given, search: Given, other: Given): string | null {
  if (!text || !search) return null;
  const pattern = /^\/(.+)\/([gimsu]*)$/s.exec(String(search.literal ?? ''));
  const by = codeOf(other, "''");
  if (pattern === null) return `replace(${text.code}, ${search.code}, ${by})`;
  const [, body = '', flags = ''] = pattern;
  const inner = flags.replaceAll(/[gu]/g, '');
  return `replacePattern(${text.code}, ${quoted(inner === '' ? body : `(?${inner})${body}`)}, ${by})`;
}
