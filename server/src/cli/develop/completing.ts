// What may follow on a command line: asked by the shells' scripts (completion.ts) through the hidden `__complete`, and read
// off the commands themselves. Silent on every failure: a shell that waits for a word has no place for an error.
import type { Argument, Command, Option } from 'commander';
import type { Client } from '../../client/index.ts';
import { plain } from '../terminal.ts';

/** Something that may stand there. */
export interface Candidate {
  value: string;
  /** A few words beside it. */
  about: string;
}

/** What may stand in the place of the last word: candidates, or files where the shell knows them best. */
export interface Completion {
  candidates: Candidate[];
  isFile: boolean;
}

/** What is to be completed. The command that the words name has its subcommands and options already. */
export interface Incomplete {
  program: Command;
  /** Those before, without the program's name. */
  words: readonly string[];
  /** What stands of the last one. */
  current: string;
  /** Finds the platform. */
  client(): Promise<Client>;
  signal: AbortSignal;
}

/** How long names may take that the platform is asked for, ms. */
const NAMES_MS = 700;
const MOST_NAMES = 500;

/** Says what may follow. Never rejects. */
export async function complete(incomplete: Incomplete): Promise<Completion> {
  const { program, words, current } = incomplete;
  const place = placeOf(program, words, current);
  const found = await candidatesFor(place, incomplete).catch(() => NOTHING);
  const fitting = found.candidates.filter(({ value }) => value.startsWith(place.typed) && plain(value) === value);
  const whole = fitting.map(({ value, about }) => ({ value: place.prefix + value, about: plain(about) }));
  return { candidates: whole, isFile: found.isFile };
}

const NOTHING: Completion = { candidates: [], isFile: false };

/* ── Where we are ───────────────────────────────────────────────────────────────────────────────────────────── */

interface Place {
  command: Command;
  /** The option whose value is wanted, or null. */
  option: Option | null;
  /** Arguments given so far. */
  given: number;
  /** What stands before the part that is completed (`--format=`, or `one,`), and that part. */
  prefix: string;
  typed: string;
}

function placeOf(program: Command, words: readonly string[], current: string): Place {
  let command = program;
  let given = 0;
  let open: Option | null = null;
  for (const word of words) {
    if (open !== null) open = null;
    else if (word.startsWith('-')) open = word.includes('=') ? null : valued(optionOf(command, word));
    else {
      const next: Command | undefined = given === 0 ? subcommand(command, word) : undefined;
      if (next) command = next;
      else given++;
    }
  }
  const equals = /^(--[\w-]+)=/.exec(current);
  if (open === null && equals) open = valued(optionOf(command, equals[1]!));
  const value = equals && open ? current.slice(equals[0].length) : current;
  // Several parted by commas: the last one is completed.
  const comma = open === null ? 0 : value.lastIndexOf(',') + 1;
  const prefix = current.slice(0, current.length - value.length + comma);
  return { command, option: open, given, prefix, typed: value.slice(comma) };
}

function subcommand({ commands }: Command, word: string): Command | undefined {
  return commands.find((one) => one.name() === word || one.aliases().includes(word));
}

function valued(option: Option | undefined): Option | null {
  return option?.required || option?.optional ? option : null;
}

function optionOf(command: Command, flag: string): Option | undefined {
  return optionsOf(command).find(({ long, short }) => long === flag || short === flag);
}

/** Those of the command, and those of all commands that go with it. */
function optionsOf(command: Command): readonly Option[] {
  const own = command.options;
  return command.parent === null
    ? own
    : [...own, ...rootOf(command).options.filter(({ long }) => long !== '--version')];
}

function rootOf(command: Command): Command {
  return command.parent === null ? command : rootOf(command.parent);
}

/* ── What may stand there ───────────────────────────────────────────────────────────────────────────────────── */

async function candidatesFor(place: Place, incomplete: Incomplete): Promise<Completion> {
  const { command, option, given, typed } = place;
  if (option !== null) return valuesOf(option, incomplete);
  if (typed.startsWith('-')) {
    const shown = [...optionsOf(command).filter(({ hidden }) => !hidden), HELP];
    const candidates = shown.map(({ long, short, description }) => ({
      value: long ?? short ?? '',
      about: description,
    }));
    return { candidates, isFile: false };
  }
  if (command.commands.length > 0 && given === 0) {
    const shown = command.createHelp().visibleCommands(command);
    return {
      candidates: shown.map((one) => ({ value: one.name(), about: one.description() })),
      isFile: false,
    };
  }
  const argument = argumentAt(command, given);
  return argument ? valuesOf(argument, incomplete) : NOTHING;
}

const HELP = { long: '--help', short: '-h', description: 'Explain a command' };

function argumentAt({ registeredArguments }: Command, at: number): Argument | undefined {
  const last = registeredArguments.at(-1);
  return registeredArguments[at] ?? (last?.variadic === true ? last : undefined);
}

async function valuesOf(place: Option | Argument, incomplete: Incomplete): Promise<Completion> {
  const choices = place.argChoices ?? listedIn(place.description);
  if (choices.length > 0) {
    return { candidates: choices.map((value) => ({ value, about: '' })), isFile: false };
  }
  const kind = kindOf(place);
  if (FILES.has(kind)) return { candidates: [], isFile: true };
  const names = NAMES[kind];
  if (!names) return NOTHING;
  const client = await incomplete.client();
  const signal = AbortSignal.any([incomplete.signal, AbortSignal.timeout(NAMES_MS)]);
  return { candidates: await names(client, { signal, limit: MOST_NAMES }), isFile: false };
}

// `--webhook <webhook>`, `<webhook>`: what stands in the brackets says what is meant.
function kindOf(place: Option | Argument): string {
  const name = 'flags' in place ? (/[<[]([\w-]+)/.exec(place.flags)?.[1] ?? '') : place.name();
  return 'flags' in place && place.long === '--workspace' ? 'workspace' : name;
}

/** A description that begins in lower case lists the values there are: `structured or binary CloudEvents`. */
export function listedIn(description: string): string[] {
  const first = /^[a-z][^;:(]*/.exec(description)?.[0] ?? '';
  const parts = first.split(/, or |, | or /).map((part) => part.trim());
  const words = parts.flatMap((part, at) => {
    if (/^[\w.-]+$/.test(part)) return [part];
    // Only the last one may be followed by what they are values of.
    const word = at === parts.length - 1 ? /^([\w.-]+) (?!parted)/.exec(part)?.[1] : undefined;
    return word === undefined || word === 'several' || word === 'fifo' ? [] : [word];
  });
  return parts.length > 1 ? words : [];
}

const FILES: ReadonlySet<string> = new Set(['file', 'folder', 'path']);

type Names = (client: Client, of: { signal: AbortSignal; limit: number }) => Promise<Candidate[]>;

const webhooks: Names = async (client, of) =>
  (await client.webhooks.list(of).page()).items.map(({ name, state }) => ({ value: name, about: state }));
const types: Names = async (client, of) =>
  (await client.eventTypes.list(of).page()).items.map(({ type, description }) => ({ value: type, about: description }));

/** Where names are found, by what an argument or an option's value is called. */
const NAMES: Readonly<Record<string, Names>> = {
  webhook: webhooks,
  type: types,
  types,
  job: async (client, of) => named((await client.jobs.list(of).page()).items),
  'policy-set': async (client, of) => named((await client.policySets.list(of).page()).items),
  scenario: async (client, of) => named((await client.scenarios.list(of).page()).items),
  sheet: async (client, of) => named((await client.sheets.list(of).page()).items),
  workspace: async (client, of) => named((await client.workspaces.list(of).page()).items),
  group: async (client, of) => named((await client.groups.list(of).page()).items),
  'post-processing': async (client, of) => named((await client.postProcessings.list(of).page()).items),
  service: async (client, of) =>
    (await client.services.list(of).page()).items.map(({ service, description }) => ({
      value: service,
      about: description,
    })),
};

function named(items: readonly { name: string }[]): Candidate[] {
  return items.map(({ name }) => ({ value: name, about: '' }));
}
