// Sheets, as documents describe them: `sheet: AuditLog`, where it is, what its columns are called (R98).
import { columnOf, MOST_COLUMNS, type Sheet, type SheetPlace } from '../../sheet.ts';
import type { Faults } from './fault.ts';
import { choiceOf, describe, fieldsOf, isGiven, textOf, type Fields } from './fields.ts';
import { NAME } from './params.ts';
import type { Value } from './source.ts';

const SHEET_FIELDS = ['sheet', 'description', 'columns', 'key', 'in'];
/** What stands beside the kind of a place, by kind. */
const BESIDE = { csv: [], xlsx: ['tab'], sql: ['table'], google: ['tab', 'account', 'api'] } as const;
const KINDS = Object.keys(BESIDE) as (keyof typeof BESIDE)[];
const PLACES = ['built-in', ...KINDS];
const MAX_COLUMNS = 1_000;
/** The first sheet of a new file, in the program that most of them are opened with. */
const TAB = 'Sheet1';

/** Reads a document that begins with `sheet: name`; null (told) where it has a fault. */
export function readSheet(value: Value, faults: Faults): Sheet | null {
  const before = faults.list.length;
  const fields = fieldsOf(value, 'a sheet', SHEET_FIELDS, faults);
  if (fields === null) return null;
  const name = textOf(fields.value('sheet') as Value, 'the name of a sheet', faults);
  const description = fields.value('description');
  const columns = readColumns(fields.value('columns'), faults);
  const key = fields.value('key');
  const keyColumn = isGiven(key) ? textOf(key, 'key', faults) : null;
  if (keyColumn !== null && columnOf({ columns }, keyColumn) === null) {
    const titles = columns.length === 0 ? ', and the sheet names no columns' : `, nor one of ${columns.join(', ')}`;
    faults.add(key as Value, `key "${keyColumn}" is no column: not letters such as A${titles}`, columns);
  }
  const where = fields.value('in');
  const place = readPlace(where, faults);
  if (place !== null && place.kind !== 'built-in' && keyColumn === null) {
    const words = `a sheet in ${place.kind} needs key: the column by which a row is found before it is appended again`;
    faults.add(where as Value, words, ['key']);
  }
  if (name === null || faults.list.length > before || place === null) return null;
  const words = isGiven(description) ? textOf(description, 'description', faults, { max: 2_000 }) : null;
  return faults.list.length > before ? null : { name, description: words ?? '', columns, keyColumn, place };
}

function readColumns(value: Value | null, faults: Faults): string[] {
  if (!isGiven(value)) return [];
  if (value.kind !== 'list') {
    faults.add(value, `columns must be a list of titles, that of A first, not ${describe(value)}`);
    return [];
  }
  const most = Math.min(MAX_COLUMNS, MOST_COLUMNS);
  if (value.items.length > most) faults.add(value, `a sheet has at most ${most.toLocaleString('en')} columns`);
  const columns: string[] = [];
  for (const item of value.items) {
    const title = textOf(item, 'the title of a column', faults);
    if (title === null) continue;
    if (columns.includes(title)) faults.add(item, `the column "${title}" is there twice`);
    columns.push(title);
  }
  return columns;
}

/** `in: built-in`, or a map that says by its first word what kind of place it is. */
function readPlace(value: Value | null, faults: Faults): SheetPlace | null {
  if (!isGiven(value)) return { kind: 'built-in' };
  if (value.kind !== 'map') {
    const word = choiceOf(value, 'place of a sheet', { words: PLACES, faults });
    if (word !== null && word !== 'built-in') {
      faults.add(value, `${word} needs to know where: in: { ${word}: … }`, BESIDE[word as keyof typeof BESIDE]);
      return null;
    }
    return word === null ? null : { kind: 'built-in' };
  }
  const [kind, second] = KINDS.filter((one) => value.entries.some(({ name }) => name === one));
  if (kind === undefined || second !== undefined) {
    faults.add(value, `in must be built-in, or a map with one of ${KINDS.join(', ')}`, PLACES);
    return null;
  }
  const fields = fieldsOf(value, `in with ${kind}`, [kind, ...BESIDE[kind]], faults);
  return fields === null ? null : placeOf(kind, fields, faults);
}

const SECRET = { ...NAME, looks: 'must be the name of a secret, never its value' };

function placeOf(kind: keyof typeof BESIDE, fields: Fields, faults: Faults): SheetPlace | null {
  const before = faults.list.length;
  const text = (name: string, rule: Parameters<typeof textOf>[3] = { max: 1_024 }): string => {
    const value = fields.value(name);
    if (!isGiven(value)) faults.add(fields.at, `${kind} needs ${name}`, [name]);
    return (isGiven(value) ? textOf(value, name, faults, rule) : null) ?? '';
  };
  const tab = (): string => (isGiven(fields.value('tab')) ? text('tab', { max: 100 }) : TAB);
  const place = ((): SheetPlace => {
    if (kind === 'csv') return { kind, path: text('csv') };
    if (kind === 'xlsx') return { kind, path: text('xlsx'), tab: tab() };
    if (kind === 'sql') return { kind, connection: text('sql', SECRET), table: text('table') };
    const api = isGiven(fields.value('api')) ? text('api', { pattern: /^https?:\/\//i, looks: 'must be a URL' }) : null;
    return { kind, spreadsheet: text('google'), tab: tab(), account: text('account', SECRET), api };
  })();
  return faults.list.length > before ? null : place;
}

/** The names of secrets that a sheet's place needs. */
export function secretsOfSheet({ place }: Sheet): readonly string[] {
  if (place.kind === 'sql') return [place.connection];
  return place.kind === 'google' ? [place.account] : [];
}
