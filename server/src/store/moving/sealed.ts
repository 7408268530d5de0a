// Which keys open what is sealed in a store.
import { SEALED } from '../resealing.ts';
import type { Source } from './ends.ts';

/** The ids of all keys that something is sealed with. */
export async function keysOf(source: Source): Promise<string[]> {
  const places = SEALED.map(({ table, sealed }) => `SELECT ${sealed} AS sealed FROM ${table}`);
  const canary = `SELECT value AS sealed FROM installation WHERE name = 'canary'`;
  // A sealed text begins with its form and the id of its key: v1.1a2b3c4d.
  const rows = await source.ask<{ head: string }>(
    `SELECT DISTINCT substr(s.sealed, 1, 11) AS head FROM (${[...places, canary].join(' UNION ALL ')}) s`,
  );
  // What has no secret of its own has an empty text there.
  return rows.flatMap(({ head }) => (head === '' ? [] : head.slice(3))).toSorted();
}
