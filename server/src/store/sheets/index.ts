// The sheets' half of the store, put together.
import type { Listeners } from '../listeners.ts';
import type { Sql } from '../sql.ts';
import { makeAppender } from './appending.ts';
import type { Sheets } from './contract.ts';
import { makeDescriptionVerbs } from './descriptions.ts';
import { makeRowVerbs } from './rows.ts';

/** Makes the verbs about sheets; `drained` resolves when no append is under way. */
export function makeSheets(parts: { sql: Sql; listeners: Listeners; mostRows: number }): {
  sheets: Sheets;
  drained(): Promise<void>;
} {
  const underWay = new Set<Promise<unknown>>();
  const append = makeAppender(parts);
  const sheets: Sheets = {
    ...makeDescriptionVerbs(parts),
    ...makeRowVerbs(parts.sql),
    append: (row) => {
      const done = append(row);
      underWay.add(done);
      const end = (): void => void underWay.delete(done);
      done.then(end, end);
      return done;
    },
  };
  return {
    sheets,
    drained: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
  };
}
