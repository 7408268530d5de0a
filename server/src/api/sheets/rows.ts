// Rows of sheets that are kept here: read, added and deleted by hand.
import { randomUUID } from 'node:crypto';
import { Type, type Static } from 'typebox';
import { cellsByLetter, cellsByTitle, ownKeyOf, type Cell, type Sheet } from '../../model/sheet.ts';
import { refuse } from '../../model/problem.ts';
import type { StoredRow } from '../../store/contract.ts';
import { done, ok, operation } from '../kernel.ts';
import { PAGE, readPosition, writeCursor } from '../paging.ts';
import { Instant, instant, orNull, pageOf, PageQuery } from '../wire.ts';
import { builtInNamed, SheetParams } from './sheets.ts';

const CellValue = orNull(Type.Union([Type.String({ maxLength: 32_767 }), Type.Number(), Type.Boolean()]));
const Cells = Type.Record(Type.String(), CellValue, {
  description: 'By the titles of columns, or by their letters.',
  maxProperties: 1_000,
});

/** A row to be added. */
export const RowIn = Type.Object(
  {
    cells: Cells,
    key: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 255,
        description: 'Of one key there is one row. What stands in the key column goes before it.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ cells: { time: '2026-11-22T09:30:00Z', user: 'Ada' } }] },
);
export type RowIn = Static<typeof RowIn>;

/** A row as it is shown. */
export const RowOut = Type.Object(
  { row: Type.Integer(), key: Type.String(), cells: Cells, at: Instant },
  {
    examples: [
      { row: 1, key: 'evt-1', cells: { time: '2026-11-22T09:30:00Z', user: 'Ada' }, at: '2026-11-22T09:30:00.000Z' },
    ],
  },
);
export type RowOut = Static<typeof RowOut>;

/** What became of a row. */
export const RowAddedOut = Type.Object(
  { row: Type.Integer(), added: Type.Boolean({ description: 'False: one of its key was there.' }) },
  { examples: [{ row: 1, added: true }] },
);
export type RowAddedOut = Static<typeof RowAddedOut>;

export const RowsOut = pageOf(RowOut);
export type RowsOut = Static<typeof RowsOut>;

export const RowsQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const RowParams = Type.Object({
  ...SheetParams.properties,
  row: Type.String({ pattern: '^[1-9]\\d{0,14}$' }),
});

export const listRows = operation<null, RowsOut>()({
  summary: 'List the rows of a sheet in their order',
  params: SheetParams,
  query: RowsQuery,
  errors: ['wrong-state'],
  async handle({ params, query, workspace }, { store }) {
    const sheet = await builtInNamed(params.sheet, workspace, store);
    const list = `rows ${workspace.token} ${sheet.sheet}`;
    const { rows, next } = await store.sheets.rows({
      workspace: workspace.workspace,
      sheet: sheet.sheet,
      cursor: String(readPosition(list, query.cursor) ?? 0),
      limit: query.limit ?? PAGE,
    });
    return ok({
      items: rows.map((row) => show(row, sheet)),
      next: next === null ? null : writeCursor(list, Number(next)),
    });
  },
});

export const addRow = operation<RowIn, RowAddedOut>()({
  summary: 'Add a row by hand',
  params: SheetParams,
  success: { 201: 'It was added.', 200: 'One of its key was there; it stays as it is.' },
  errors: ['wrong-state', 'sheet-full', 'invalid-value'],
  async handle({ params, body, workspace, now }, { store }) {
    const sheet = await builtInNamed(params.sheet, workspace, store);
    const read = cellsByLetter(sheet, body.cells as Record<string, Cell>);
    if (!read.ok) throw refuse('invalid-value', `The sheet ${sheet.name} ${read.fault}.`.replace(/\?\.$/, '?'));
    const added = await store.sheets.append({
      workspace: workspace.workspace,
      sheet: sheet.sheet,
      key: ownKeyOf(sheet, read.cells) ?? body.key ?? randomUUID(),
      cells: read.cells,
      run: null,
      now,
    });
    return { status: added.added ? 201 : 200, body: added };
  },
});

export const deleteRow = operation<null, null>()({
  summary: 'Delete a row; its key is free again',
  params: RowParams,
  success: { 204: 'It is gone.' },
  errors: ['wrong-state'],
  async handle({ params, workspace }, { store }) {
    const sheet = await builtInNamed(params.sheet, workspace, store);
    const gone = await store.sheets.deleteRows(workspace.workspace, sheet.sheet, [Number(params.row)]);
    if (gone === 0) throw refuse('not-found', `The sheet ${sheet.name} has no row ${params.row}.`);
    return done();
  },
});

function show({ row, key, cells, at }: StoredRow, sheet: Pick<Sheet, 'columns'>): RowOut {
  return { row, key, cells: { ...cellsByTitle(sheet, cells) }, at: instant(at) };
}
