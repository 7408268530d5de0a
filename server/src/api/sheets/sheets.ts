// Sheets: what they are, and where they are kept.
import { Type, type Static } from 'typebox';
import { didYouMean } from '../../model/near-names.ts';
import { refuse } from '../../model/problem.ts';
import type { StoredSheet } from '../../store/contract.ts';
import { documentIn, readDocuments } from '../flows/push.ts';
import { Name } from '../groups.ts';
import { documentBody } from '../document-body.ts';
import { done, ok, operation, type Call, type Tools } from '../kernel.ts';
import { pageThrough } from '../paging.ts';
import { Instant, instant, orNull, pageOf, PageQuery } from '../wire.ts';

/** A sheet as it is shown. */
export const SheetOut = Type.Object(
  {
    name: Name,
    description: Type.String(),
    columns: Type.Array(Type.String(), {
      description: 'Titles, that of A first; empty where columns go by their letters.',
    }),
    keyColumn: orNull(Type.String({ description: 'The column that tells rows apart, by title or letters.' })),
    place: Type.Object(
      { kind: Type.Enum(['built-in', 'csv', 'xlsx', 'sql', 'google']) },
      {
        description: 'Where it is kept. Secrets stand in it by their names.',
        additionalProperties: true,
      },
    ),
    rows: orNull(Type.Integer({ description: 'How many it has; null where it is kept elsewhere.' })),
    createdAt: Instant,
    updatedAt: Instant,
  },
  {
    examples: [
      {
        name: 'AuditLog',
        description: '',
        columns: ['time', 'user', 'action'],
        keyColumn: null,
        place: { kind: 'built-in' },
        rows: 3,
        createdAt: '2026-11-22T09:30:00.000Z',
        updatedAt: '2026-11-22T09:30:00.000Z',
      },
    ],
  },
);
export type SheetOut = Static<typeof SheetOut>;

export const SheetsOut = pageOf(SheetOut);
export type SheetsOut = Static<typeof SheetsOut>;

export const SheetsQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const SheetParams = Type.Object({ sheet: Type.String({ minLength: 1, maxLength: 255 }) });

export const listSheets = operation<null, SheetsOut>()({
  summary: 'List the sheets',
  query: SheetsQuery,
  async handle({ query, workspace }, { store }) {
    const all = await store.sheets.list(workspace.workspace);
    const { items, next } = pageThrough(
      { list: `sheets ${workspace.token}`, items: all, keyOf: ({ name }) => name },
      query,
    );
    return ok({ items: items.map(show), next });
  },
});

export const getSheet = operation<null, SheetOut>()({
  summary: 'Show a sheet',
  params: SheetParams,
  async handle({ params, workspace }, { store }) {
    return ok(show(await sheetNamed(params.sheet, workspace, store)));
  },
});

const DOCUMENT = { sheet: 'AuditLog', columns: ['time', 'user', 'action'], key: 'time' };

export const putSheet = operation<null, SheetOut>()({
  summary: 'Make or replace a sheet by its document',
  description: 'The name in the path is that of the document. Rows stay, under the letters of their columns.',
  params: SheetParams,
  consumes: documentBody(DOCUMENT),
  success: { 201: 'It was made.', 200: 'It was replaced, or was so already.' },
  errors: ['invalid-document', 'body-required', 'invalid-utf8'],
  async handle({ params, bytes, workspace, now }, { store }) {
    const { documents, sheets } = readDocuments([{ name: 'body', text: documentIn(bytes) }]);
    const [only] = sheets;
    if (only === undefined || documents.length + sheets.length > 1 || only.sheet.name !== params.sheet) {
      throw refuse('invalid-document', `The body must be one document that begins with "sheet: ${params.sheet}".`);
    }
    const { sheet, change } = await store.sheets.put(workspace.workspace, only.sheet, now);
    return { status: change === 'created' ? 201 : 200, body: show(sheet) };
  },
});

export const deleteSheet = operation<null, null>()({
  summary: 'Delete a sheet with the rows that are kept here',
  params: SheetParams,
  success: { 204: 'It is gone; what it was kept in elsewhere stays.' },
  async handle({ params, workspace }, { store }) {
    await store.sheets.remove(workspace.workspace, params.sheet);
    return done();
  },
});

/** The sheet of this name. Refuses `not-found`, with names that are near. */
export async function sheetNamed(
  name: string,
  { workspace }: Call['workspace'],
  { sheets }: Tools['store'],
): Promise<StoredSheet> {
  const found = await sheets.one(workspace, name);
  if (found) return found;
  const names = (await sheets.list(workspace)).map((one) => one.name);
  throw refuse('not-found', `There is no sheet ${JSON.stringify(name)} here${didYouMean(name, names) || '.'}`);
}

/** The same where its rows are kept here. Refuses `wrong-state` where they are not. */
export async function builtInNamed(...asked: Parameters<typeof sheetNamed>): Promise<StoredSheet> {
  const sheet = await sheetNamed(...asked);
  if (sheet.place.kind === 'built-in') return sheet;
  const words = `The rows of the sheet ${sheet.name} are kept elsewhere (${sheet.place.kind}): read and change them there.`;
  throw refuse('wrong-state', words);
}

function show({ name, description, columns, keyColumn, place, rows, createdAt, updatedAt }: StoredSheet): SheetOut {
  return {
    name,
    description,
    columns: [...columns],
    keyColumn,
    place,
    rows: place.kind === 'built-in' ? rows : null,
    createdAt: instant(createdAt),
    updatedAt: instant(updatedAt),
  };
}
