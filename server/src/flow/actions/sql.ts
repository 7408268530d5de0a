// `sql`: one statement on a database of the user's, with parameters; its rows are the output.
import type { Json } from '../../model/flow/definition.ts';
import type { Action } from '../action.ts';
import { SESSION_MS, type Databases } from '../databases/index.ts';

/** What it stands on. */
export interface SqlParts {
  databases: Pick<Databases, 'open'>;
  /** Rows that hold more are a failure. */
  maxBytes: number;
}

/** Most rows of one statement. */
const MOST_ROWS = 10_000;

interface SqlInput {
  connection: string;
  query: string;
  params?: readonly Json[];
}

/** Makes it. */
export function createSql({ databases, maxBytes }: SqlParts): Action {
  return {
    name: 'sql',
    brief: true,
    run: async ({ input, timeoutMs, signal }) => {
      const { connection, query: text, params = [] } = input as unknown as SqlInput;
      const database = await databases.open(connection);
      const bounds = { rows: MOST_ROWS, bytes: maxBytes, deadlineMs: timeoutMs ?? SESSION_MS, signal };
      const { rows, count } = await database.session(bounds, (query) => query(text, params));
      return { rows, count };
    },
  };
}
