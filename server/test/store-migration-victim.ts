// A process that brings a store to a schema of a later release, and is killed at a statement of its own choice.
import type { Migration } from '../src/store/migrate.ts';
import { migrate, MIGRATIONS } from '../src/store/migrate.ts';
import { openPostgres } from '../src/store/postgres.ts';
import type { Sql, Tx } from '../src/store/sql.ts';
import { openSqlite } from '../src/store/sqlite.ts';

/** What a later release might do: a column and its values, a table, an index. */
export const LATER: Migration = {
  name: '999-later',
  statements: () => `
    ALTER TABLE webhooks ADD COLUMN later TEXT;
    UPDATE webhooks SET later = name;
    CREATE TABLE later (workspace BIGINT PRIMARY KEY);
    INSERT INTO later (workspace) SELECT workspace FROM workspaces;
    CREATE INDEX webhooks_later ON webhooks (workspace, later)`,
};

/** The statements of it, the record of it, and the commit: where a process can be killed. */
export const STATEMENTS = 6;

if (import.meta.main) await main(process.argv[2]!, Number(process.argv[3]));

async function main(address: string, dieBefore: number): Promise<void> {
  const options = { connections: 3, connectTimeoutMs: 10_000, statementTimeoutMs: 60_000, onError: () => undefined };
  const sql = address.startsWith('postgres') ? openPostgres(address, options) : openSqlite(address);
  await migrate(mined(sql, dieBefore), [...MIGRATIONS, LATER]);
  await sql.close();
}

/** The engine, and the end of this process before a statement of the last migration. */
function mined(sql: Sql, dieBefore: number): Pick<Sql, 'dialect' | 'write'> {
  let statements = 0;
  const count = (): void => {
    if (statements++ === dieBefore) process.kill(process.pid, 'SIGKILL');
  };
  return {
    dialect: sql.dialect,
    write: (work) =>
      sql.write(async (tx) => {
        const mine: Tx = {
          all: (text, values) => tx.all(text, values),
          run: (text, values) => {
            if (!text.startsWith('CREATE TABLE IF NOT EXISTS migrations')) count();
            return tx.run(text, values);
          },
          insert: (...of) => tx.insert(...of),
          insertNew: (...of) => tx.insertNew(...of),
          update: (...of) => tx.update(...of),
          atCommit: (...of) => tx.atCommit(...of),
        };
        const result = await work(mine);
        count();
        return result;
      }),
  };
}
