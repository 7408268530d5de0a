// What a command works with: the client, found when it is first needed, and the ways to show something.
import type { Command } from 'commander';
import { createClient, type Client } from '../client/index.ts';
import { findPlatform, type ConnectionOptions } from './connection.ts';
import { factsOf, tableOf, type Column, type Look } from './table.ts';
import { columnsOf, painter, type Style, type Terminal } from './terminal.ts';

/** Options that every command has. */
export interface CommonOptions extends ConnectionOptions {
  json?: boolean;
}

/** One run of one command. */
export interface Session {
  readonly terminal: Terminal;
  /** Machine output was asked for: one JSON document per line on stdout, and nothing else there. */
  readonly json: boolean;
  /** Aborted when the command is asked to end. */
  readonly signal: AbortSignal;
  readonly options: ConnectionOptions;
  readonly version: string;
  /** The client of the platform that is found. */
  client(): Promise<Client>;
  /** The whole address of a path of that platform. */
  href(path: string): Promise<string>;
  /** One thing: as JSON, or as these lines. */
  show(thing: unknown, lines: () => readonly string[]): void;
  /** Many: one JSON line each, or a table; `none` is said instead of an empty table. */
  table<Item>(items: AsyncIterable<Item>, columns: ColumnsOf<Item>, none: string): Promise<void>;
  /** `name  value` lines. */
  facts(facts: Parameters<typeof factsOf>[0]): string[];
  /** A line for people on stdout; nothing with --json. */
  say(line: string): void;
  /** A line beside the results, on stderr. */
  note(line: string): void;
  paint(style: Style, text: string): string;
}

/** The columns of a table; a function where there is something to ask for first. */
export type ColumnsOf<Item> = readonly Column<Item>[] | (() => Promise<readonly Column<Item>[]>);

/** Makes an action of a handler: it gets the session, the options, then the arguments. Its number is the exit code. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the handler says what its options are
export type Run = <Options extends object, Args extends readonly (string | undefined)[]>(
  handler: (session: Session, options: Options, args: Args) => Promise<number | void> | number | void,
) => (...given: unknown[]) => Promise<void>;

/** Adds arguments, options, subcommands and actions to a command. */
export type Declare = (command: Command, run: Run) => void;

/** Gathers the values of an option that may be repeated. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** Makes the session of a run. */
export function createSession(
  { json = false, ...options }: CommonOptions,
  { terminal, signal, version }: Pick<Session, 'terminal' | 'signal' | 'version'>,
): Session {
  const { stdout, stderr } = terminal;
  const look: Look = { columns: columnsOf(terminal), paint: painter(stdout, terminal.env) };
  const write = (line: string) => void stdout.write(`${line}\n`);
  const say = (line: string) => (json ? undefined : write(line));
  let client: Promise<Client> | null = null;
  return {
    terminal,
    json,
    signal,
    options,
    version,
    client: () => (client ??= connect(options, terminal)),
    href: async (path) => new URL(path, (await findPlatform(options, terminal)).url).href,
    show(thing, lines) {
      if (json) write(JSON.stringify(thing));
      else for (const line of lines()) write(line);
    },
    async table<Item>(items: AsyncIterable<Item>, columns: ColumnsOf<Item>, none: string) {
      const rows: Item[] = [];
      for await (const item of items) {
        if (json) write(JSON.stringify(item));
        else rows.push(item);
      }
      if (json) return;
      if (rows.length === 0) return write(none);
      const shown = typeof columns === 'function' ? await columns() : columns;
      for (const line of tableOf(rows, shown, look)) write(line);
    },
    facts: (facts) => factsOf(facts, look),
    say,
    note: (line) => void stderr.write(`${line}\n`),
    paint: look.paint,
  };
}

async function connect(options: ConnectionOptions, terminal: Terminal): Promise<Client> {
  const { url, key, workspace } = await findPlatform(options, terminal);
  return createClient({ url, key, workspace });
}
