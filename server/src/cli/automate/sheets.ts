// `bellwire sheet`: tables that flows write, and what is in them.
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { RowsOut } from '../../api/sheets/rows.ts';
import type { SheetOut } from '../../api/sheets/sheets.ts';
import { usage } from '../failure.ts';
import { readBytes } from '../input.ts';
import { limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { plain } from '../terminal.ts';

export const sheets: Declare = (command, run) => {
  command.command('list').description('List the sheets').action(run(list));
  command.command('show <sheet>').description('Show a sheet: where it is, its columns').action(run(show));
  limitOptions(command.command('rows <sheet>').description('Show the rows of a sheet, the first ones first')).action(
    run(rows),
  );
  command
    .command('export <sheet> <file>')
    .description('Write a sheet to a file: .csv or .xlsx; - is CSV to stdout')
    .action(run(exportTo));
  command
    .command('put <sheet> <file>')
    .description('Make or replace a sheet by its document; - is stdin. Its rows stay')
    .action(run(put));
  command
    .command('delete <sheet>')
    .alias('rm')
    .description('Delete a sheet with the rows that are kept here')
    .action(run(remove));
};

const list = lister<SheetOut>({
  find: ({ sheets: all }, { signal }) => all.list({ signal }),
  columns: [
    { head: 'NAME', of: ({ name }) => name, least: 12 },
    { head: 'KEPT IN', of: ({ place }) => place.kind },
    { head: 'ROWS', of: ({ rows: count }) => (count === null ? '' : String(count)) },
    { head: 'COLUMNS', of: ({ columns }) => columns.join(', '), least: 8, optional: true },
  ],
  none: 'There is no sheet yet: bellwire sheet put <sheet> <file>, or a flow that appends to one: bellwire push <path>',
});

async function show(session: Session, _options: object, [name]: [string]): Promise<void> {
  const { client, signal } = session;
  const sheet = await (await client()).sheets.get(name, { signal });
  session.show(sheet, () => factsOf(session, sheet));
}

function factsOf(session: Session, sheet: SheetOut): string[] {
  const { kind, ...where } = sheet.place as { kind: string };
  return session.facts({
    name: sheet.name,
    description: sheet.description,
    'kept in': [kind, ...Object.entries(where).map(([what, value]) => `${what} ${String(value)}`)].join(', '),
    columns: sheet.columns.join(', '),
    'key column': sheet.keyColumn,
    rows: sheet.rows,
    changed: sheet.updatedAt,
  });
}

type RowItem = RowsOut['items'][number];

async function rows(session: Session, options: LimitOptions, [name]: [string]): Promise<void> {
  const { count, page } = limitsOf(options);
  const { sheets: all } = await session.client();
  const { signal } = session;
  const found = upTo(count, all.rows(name, { limit: page, signal }));
  const none = `The sheet ${plain(name)} has no row yet`;
  if (session.json) return session.table(found, [], none);
  const shown: RowItem[] = [];
  for await (const row of found) shown.push(row);
  const { columns } = await all.get(name, { signal });
  const used = new Set([...columns, ...shown.flatMap(({ cells }) => Object.keys(cells))]);
  const heads: Column<RowItem>[] = [...used].map((head) => ({
    head,
    of: ({ cells }) => oneLine(cells[head]),
    least: 8,
    optional: true,
  }));
  return session.table(Readable.from(shown), [{ head: 'ROW', of: ({ row }) => String(row) }, ...heads], none);
}

function oneLine(cell: string | number | boolean | null | undefined): string {
  return cell === undefined || cell === null ? '' : String(cell).replace(/\s+/g, ' ');
}

async function exportTo(session: Session, _options: object, [name, file]: [string, string]): Promise<void> {
  const format = file === '-' ? 'csv' : /\.(csv|xlsx)$/i.exec(file)?.[1]?.toLowerCase();
  if (format !== 'csv' && format !== 'xlsx') throw usage(`a sheet is written to .csv or .xlsx, not to "${file}"`);
  const { terminal, signal } = session;
  const { body } = await (await session.client()).sheets.export(name, format, { signal });
  const bytes = Readable.fromWeb((body ?? new Blob([]).stream()) as ReadableStream);
  if (file === '-') {
    for await (const chunk of bytes) terminal.stdout.write(Buffer.from(chunk as Uint8Array).toString());
    return;
  }
  await pipeline(bytes, createWriteStream(resolve(terminal.folder, file)), { signal });
  session.show({ exported: file }, () => [`${plain(name)} is in ${file}`]);
}

async function put(session: Session, _options: object, [name, file]: [string, string]): Promise<void> {
  const { client, terminal, signal } = session;
  const document = (await readBytes(file, terminal, signal)).toString();
  const sheet = await (await client()).sheets.put(name, document, { signal });
  session.show(sheet, () => factsOf(session, sheet));
}

async function remove(session: Session, _options: object, [name]: [string]): Promise<void> {
  const { client, signal } = session;
  await (await client()).sheets.delete(name, { signal });
  session.show({ deleted: name }, () => [`${plain(name)} is gone`]);
}
