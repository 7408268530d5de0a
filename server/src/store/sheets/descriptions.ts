// What sheets are: the verbs that make, read and delete their descriptions.
import type { Sheet, SheetPlace } from '../../model/sheet.ts';
import { StoreRefusal } from '../contract.ts';
import type { Listeners } from '../listeners.ts';
import type { Sql, Tx } from '../sql.ts';
import { nextNumber } from '../webhooks.ts';
import type { Sheets, StoredSheet } from './contract.ts';

type DescriptionVerbs = Pick<Sheets, 'put' | 'list' | 'one' | 'remove'>;

interface SheetRow {
  sheet: number;
  name: string;
  description: string;
  titles: string;
  keyColumn: string | null;
  place: string;
  rows: number;
  createdAt: number;
  updatedAt: number;
}

const SHEET = `SELECT sheet, name, description, titles, key_column AS "keyColumn", place, row_count AS rows,
    created_at AS "createdAt", updated_at AS "updatedAt"
  FROM sheets WHERE workspace = $1 AND name`;

/** The verbs about descriptions. */
export function makeDescriptionVerbs({ sql, listeners }: { sql: Sql; listeners: Listeners }): DescriptionVerbs {
  return {
    put: async (workspace, sheet, now) => {
      const put = await sql.write((tx) => putSheet(sql, tx, { workspace, sheet, now }));
      if (put.change !== 'same') listeners.tell('sheet', workspace, sheet.name);
      return put;
    },
    list: async (workspace) =>
      (await sql.read<SheetRow>(`${SHEET} IS NOT NULL ORDER BY name`, [workspace])).map(sheetOf),
    one: async (workspace, name) => {
      const [row] = await sql.read<SheetRow>(`${SHEET} = $2`, [workspace, name]);
      return row ? sheetOf(row) : null;
    },
    remove: async (workspace, name) => {
      const removed = await sql.write((tx) =>
        tx.run('UPDATE sheets SET name = NULL WHERE workspace = $1 AND name = $2', [workspace, name]),
      );
      if (removed === 0) throw new StoreRefusal('not-found', `there is no sheet named ${name}`);
      listeners.tell('sheet', workspace, name);
    },
  };
}

/** Deletes all sheets of a workspace; their rows go by and by. */
export async function removeSheets(tx: Tx, workspace: number): Promise<void> {
  await tx.run('UPDATE sheets SET name = NULL WHERE workspace = $1', [workspace]);
}

function sheetOf({ titles, place, ...row }: SheetRow): StoredSheet {
  return { ...row, columns: JSON.parse(titles) as string[], place: JSON.parse(place) as SheetPlace };
}

async function putSheet(
  sql: Sql,
  tx: Tx,
  { workspace, sheet, now }: { workspace: number; sheet: Sheet; now: number },
): ReturnType<Sheets['put']> {
  const { name, description, columns, keyColumn, place } = sheet;
  // The workspace is held: it cannot be deleted meanwhile, nor can another one make a sheet of this name.
  const { head } = await nextNumber(sql, tx, workspace);
  const [known] = await tx.all<SheetRow>(`${SHEET} = $2`, [workspace, name]);
  const [titles, where] = [JSON.stringify(columns), JSON.stringify(place)];
  const same =
    known?.description === description &&
    known.titles === titles &&
    known.keyColumn === keyColumn &&
    known.place === where;
  if (known && same) return { sheet: sheetOf(known), change: 'same' };
  if (known) {
    await tx.run(
      `UPDATE sheets SET description = $3, titles = $4, key_column = $5, place = $6, updated_at = $7
       WHERE workspace = $1 AND sheet = $2`,
      [workspace, known.sheet, description, titles, keyColumn, where, now],
    );
  } else {
    await tx.run(
      `INSERT INTO sheets (workspace, sheet, name, description, titles, key_column, place, last_number, row_count,
         created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, 0, 0, $8, $8)`,
      [workspace, head, name, description, titles, keyColumn, where, now],
    );
  }
  const [row] = await tx.all<SheetRow>(`${SHEET} = $2`, [workspace, name]);
  return { sheet: sheetOf(row!), change: known ? 'changed' : 'created' };
}
