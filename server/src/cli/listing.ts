// Commands that list: what the platform gives, as a table or as one JSON line each.
import type { Command } from 'commander';
import type { Client } from '../client/index.ts';
import { usage } from './failure.ts';
import type { Session } from './session.ts';
import type { Column } from './table.ts';

/** A list as a command. */
export interface ListCommand<Item, Options> {
  /** What is found; names in the options are looked up here. */
  find: (
    client: Client,
    options: Options & { signal: AbortSignal },
  ) => AsyncIterable<Item> | Promise<AsyncIterable<Item>>;
  /** How a row looks; asked for only when there is a table to draw. */
  columns: readonly Column<Item>[] | ((client: Client, signal: AbortSignal) => Promise<readonly Column<Item>[]>);
  /** Said instead of an empty table. */
  none: string;
}

/** The handler of a list. */
export function lister<Item, Options extends object = object>({ find, columns, none }: ListCommand<Item, Options>) {
  return async (session: Session, options: Options): Promise<void> => {
    const { signal } = session;
    const client = await session.client();
    const found = await find(client, { ...options, signal });
    await session.table(found, typeof columns === 'function' ? () => columns(client, signal) : columns, none);
  };
}

/** How much of a long list is wanted. */
export interface LimitOptions {
  limit?: string;
  all?: boolean;
}

/** Adds the options of a list that may be long. */
export function limitOptions(command: Command): Command {
  return command.option('--limit <n>', 'At most so many (20)').option('--all', 'All of them');
}

/** How many items are wanted, and a page of how many to ask for. */
export function limitsOf({ limit, all }: LimitOptions): { count: number; page: number } {
  const count = all === true ? Infinity : countOf(limit ?? '20', '--limit');
  return { count, page: Math.min(count, LARGEST_PAGE) };
}

/** The most the API gives at once. */
const LARGEST_PAGE = 500;

/** A whole number above zero that an option takes. */
export function countOf(text: string, option: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw usage(`${option} takes a whole number from 1, not "${text}"`);
}

/** The first items of a list, no more pages asked for than they need. */
export async function* upTo<Item>(count: number, items: AsyncIterable<Item>): AsyncGenerator<Item, void, void> {
  let left = count;
  for await (const item of items) {
    yield item;
    if (--left <= 0) return;
  }
}
