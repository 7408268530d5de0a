// The commands on one screen, and how an argv becomes one run of one of them. What a command needs is loaded with it.
import { Command, CommanderError, Option } from 'commander';
import { didYouMean } from '../model/near-names.ts';
import { EXIT, tell, usage, type Failure } from './failure.ts';
import { createSession, type CommonOptions, type Declare, type Run, type Session } from './session.ts';
import { plain } from './terminal.ts';

interface Entry {
  summary: string;
  /** It needs no running platform, and refuses options that name one. */
  alone?: true;
  load: () => Promise<Declare>;
}

// oxfmt-ignore
const COMMANDS: Readonly<Record<string, Entry>> = {
  serve:         { summary: 'Run the platform', alone: true, load: async () => (await import('./serve.ts')).serve },
  doctor:        { summary: 'Check settings, store, clock, certificates, disk; say what to do', alone: true, load: async () => (await import('./doctor.ts')).doctor },
  demo:          { summary: 'Run the platform in dev mode and play one event’s journey', alone: true, load: async () => (await import('./demo.ts')).demo },
  services:      { summary: 'The publishers: list, add, rm', load: async () => (await import('./services.ts')).services },
  types:         { summary: 'The event catalog: list, show, put, rm', load: async () => (await import('./event-types.ts')).eventTypes },
  webhooks:      { summary: 'Where events go: add, list, show, change, test, pause …', load: async () => (await import('./webhooks.ts')).webhooks },
  subscribe:     { summary: 'Send a webhook the events of a type', load: async () => (await import('./subscriptions.ts')).subscribe },
  unsubscribe:   { summary: 'End a subscription', load: async () => (await import('./subscriptions.ts')).unsubscribe },
  subscriptions: { summary: 'List the subscriptions', load: async () => (await import('./subscriptions.ts')).subscriptions },
  publish:       { summary: 'Publish events: one, a file, or a stream of lines', load: async () => (await import('./publish.ts')).publish },
  events:        { summary: 'What was accepted: list, show, tail', load: async () => (await import('./events.ts')).events },
  deliveries:    { summary: 'What became of it: list, show, retry', load: async () => (await import('./deliveries.ts')).deliveries },
  pull:          { summary: 'Fetch what waits for a pull webhook', load: async () => (await import('./pull.ts')).pull },
  listen:        { summary: 'Have a webhook’s requests come to a port of this machine', load: async () => (await import('./listen.ts')).listen },
  inbox:         { summary: 'A request bin in the terminal', load: async () => (await import('./inbox.ts')).inbox },
  operations:    { summary: 'Long actions: list, show, pause, resume, cancel', load: async () => (await import('./operations.ts')).operations },
  group:         { summary: 'What jobs and post-processings belong to: list, add, rename, rm', load: async () => (await import('./groups.ts')).groups },
  'post-processing': { summary: 'Where jobs and policy sets report to: add, list, test …', load: async () => (await import('./post-processings.ts')).postProcessings },
  erase:         { summary: 'Erase the payloads of one subject', load: async () => (await import('./erasures.ts')).erase },
  erasures:      { summary: 'What was erased: list, show', load: async () => (await import('./erasures.ts')).erasures },
  top:           { summary: 'How things go, live: rates, backlog, the worst webhooks', load: async () => (await import('./top.ts')).top },
  push:          { summary: 'Push documents of flows and sheets, or see what would change', load: async () => (await import('./push.ts')).push },
  test:          { summary: 'Check documents and play their tests', alone: true, load: async () => (await import('./flow-tests.ts')).flowTests },
  import:        { summary: 'Make a document of a blueprint of Make', alone: true, load: async () => (await import('./import.ts')).importCommand },
  job:           { summary: 'Jobs: list, show, run, log, abort …', load: async () => (await import('./jobs.ts')).jobs },
  policy:        { summary: 'Policy sets: list, show, run, results, history …', load: async () => (await import('./policies.ts')).policies },
  run:           { summary: 'Runs of jobs and scenarios: show, log, replay, continue, abort', load: async () => (await import('./history.ts')).runCommands },
  request:       { summary: 'Requests to hooks: show, replay', load: async () => (await import('./history.ts')).requestCommands },
  scenario:      { summary: 'Scenarios: list, show, run, runs, requests, draft, publish …', load: async () => (await import('./scenarios.ts')).scenarios },
  shapes:        { summary: 'Make structures of samples, or TypeScript types of them', alone: true, load: async () => (await import('./shapes.ts')).shapes },
  trigger:       { summary: 'Fire the example of an event type at a hook or a URL', load: async () => (await import('./trigger.ts')).trigger },
  secret:        { summary: 'Secrets of flows: set, list, delete', load: async () => (await import('./secrets.ts')).secrets },
  sheet:         { summary: 'Tables that flows write: list, show, rows, export, put, delete', load: async () => (await import('./sheets.ts')).sheets },
  'verify-hash': { summary: 'Compute the answer to a challenge', alone: true, load: async () => (await import('./verify-hash.ts')).verifyHash },
  challenge:     { summary: 'Ask a handler’s URL for its answer, and judge it', alone: true, load: async () => (await import('./challenge.ts')).challenge },
  completion:    { summary: 'The script by which bash, zsh or fish complete commands and names', alone: true, load: async () => (await import('./completion.ts')).completion },
  keys:          { summary: 'API keys: list, add, rm', load: async () => (await import('./keys.ts')).keys },
  backup:        { summary: 'The whole store as one file, while the platform runs', alone: true, load: async () => (await import('./backup.ts')).backup },
  restore:       { summary: 'Make a store of a backup, or check one', alone: true, load: async () => (await import('./restore.ts')).restore },
  copy:          { summary: 'Copy a store into another place: SQLite to PostgreSQL', alone: true, load: async () => (await import('./copy.ts')).copy },
  workspaces:    { summary: 'Tenants: list, add, limit, rm', load: async () => (await import('./workspaces.ts')).workspaces },
};

/** Runs a command line (without node and script); answers its exit code. Errors are told, never thrown. */
export async function runProgram(
  argv: readonly string[],
  world: Pick<Session, 'terminal' | 'signal' | 'version'>,
): Promise<number> {
  let exit: number = EXIT.ok;
  let ran: Command | null = null;
  const run: Run =
    (handler) =>
    async (...given) => {
      const [command, , ...args] = given.reverse() as [Command, unknown, ...string[]];
      const options = command.optsWithGlobals<CommonOptions>();
      ran = command;
      checkAlone(command, options);
      exit = (await handler(createSession(options, world), options as never, args.reverse() as never)) ?? EXIT.ok;
    };
  if (argv[0] === COMPLETE) {
    await answerCompletion(argv.slice(1), world);
    return EXIT.ok;
  }
  const program = programOf(world);
  try {
    await declareCommands(program, argv, run);
    if (argv.length === 0) {
      world.terminal.stderr.write(program.helpInformation());
      return EXIT.usage;
    }
    await program.parseAsync(argv, { from: 'user' });
    return exit;
  } catch (error) {
    return fail(error, { argv, program, ran, world });
  }
}

/** All commands by name and summary; the one that is meant whole. */
async function declareCommands(program: Command, argv: readonly string[], run: Run): Promise<void> {
  const named = commandIn(argv);
  for (const [name, { summary, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(summary).helpCommand(false);
    if (name === named) (await load())(command, run);
  }
}

/** What shells ask with. Of no help to people, so no help lists it. */
const COMPLETE = '__complete';

async function answerCompletion(
  asked: readonly string[],
  world: Pick<Session, 'terminal' | 'signal' | 'version'>,
): Promise<void> {
  const { answerShell } = await import('./completion.ts');
  const nothing: Run = () => async () => undefined;
  await answerShell(asked as [string, ...string[]], {
    ...world,
    programFor: async (words) => {
      const program = programOf(world);
      await declareCommands(program, words, nothing);
      return program;
    },
    clientFor: (words) => createSession(commonOptionsIn(words), world).client(),
  });
}

function commonOptionsIn(words: readonly string[]): CommonOptions {
  const valueOf = (option: string): string | undefined => {
    const at = words.lastIndexOf(option);
    return at === -1 ? words.find((word) => word.startsWith(`${option}=`))?.slice(option.length + 1) : words[at + 1];
  };
  return { url: valueOf('--url'), key: valueOf('--key'), workspace: valueOf('--workspace') };
}

/** Tells why it ended; answers the exit code. */
function fail(
  error: unknown,
  given: {
    argv: readonly string[];
    program: Command;
    ran: Command | null;
    world: Pick<Session, 'terminal' | 'signal'>;
  },
): number {
  const { terminal, signal } = given.world;
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  if (signal.aborted && isAbort(error, signal)) return EXIT.interrupted;
  const told = tell(error instanceof CommanderError ? explain(error, given) : error, given.ran);
  const isJson = given.argv.includes('--json');
  const text = isJson ? JSON.stringify({ error: told.error }) : `bellwire: ${told.lines.map(plain).join('\n  ')}`;
  terminal.stderr.write(`${text}\n`);
  return told.exit;
}

/** The command that is meant: the first word that is neither an option nor the value of one. */
function commandIn(argv: readonly string[]): string | undefined {
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] as string;
    if (VALUED.has(word)) at++;
    else if (!word.startsWith('-')) return word;
  }
  return undefined;
}

/** Options of all commands that are followed by a value. */
const VALUED = new Set(['--url', '--key', '--workspace']);

function programOf({ terminal, version }: Pick<Session, 'terminal' | 'version'>): Command {
  const program = new Command('bellwire');
  return program
    .description('Bellwire, an event gateway: publish once, every proved webhook hears it.')
    .version(version, '-V, --version', 'Print the version')
    .helpOption('-h, --help', 'Explain a command')
    .helpCommand(false)
    .addOption(new Option('--url <url>', 'Address of the platform (BELLWIRE_URL; else found beside its data)'))
    .addOption(new Option('--key <key>', 'API key (BELLWIRE_KEY; else the admin key beside the data)'))
    .addOption(new Option('--workspace <name>', 'Workspace to act on (BELLWIRE_WORKSPACE)'))
    .addOption(new Option('--json', 'Machine output: one JSON document per line'))
    .configureHelp({ helpWidth: Math.min(terminal.stdout.columns ?? 80, 100) })
    .configureOutput({
      writeOut: (text) => void terminal.stdout.write(text),
      // What is wrong is told in one line, by us.
      writeErr: () => undefined,
    })
    .exitOverride()
    .addHelpText('after', '\nEverything about a command: bellwire <command> --help. Exit codes: docs/cli.md.')
    .addHelpText('afterAll', ({ command }) => {
      if (command === program) return '';
      const isAlone = COMMANDS[nameOf(command).split(' ')[1] ?? '']?.alone === true;
      return `\nAlso ${isAlone ? '' : '--url, --key, --workspace and '}--json: see bellwire --help.`;
    });
}

function checkAlone(command: Command, { url, key, workspace }: CommonOptions): void {
  const name = nameOf(command).split(' ')[1] ?? '';
  if (COMMANDS[name]?.alone !== true) return;
  for (const [option, value] of Object.entries({ url, key, workspace })) {
    if (value !== undefined) throw usage(`${name} talks to no other platform and takes no --${option}`);
  }
}

function nameOf(command: Command): string {
  return command.parent === null ? command.name() : `${nameOf(command.parent)} ${command.name()}`;
}

/** commander's words as one line that says where to look. */
function explain(error: CommanderError, { argv, program }: { argv: readonly string[]; program: Command }): Failure {
  const named = commandIn(argv);
  const command = program.commands.find((one) => one.name() === named);
  if (error.code === 'commander.help') return usage(`${named} needs one of: ${subcommandsOf(command)}`);
  const wrong = /unknown command '([^']*)'/.exec(error.message)?.[1];
  if (wrong !== undefined) {
    const known = command === undefined ? Object.keys(COMMANDS) : command.commands.map((one) => one.name());
    const all = command === undefined ? 'bellwire --help lists them' : `it has: ${subcommandsOf(command)}`;
    const where = command === undefined ? '' : `${named} `;
    return usage(`there is no command "${where}${wrong}"${didYouMean(wrong, known) || `; ${all}`}`);
  }
  const message = error.message.replace(/^error: /, '').replace(/\n\(Did you mean (.*)\?\)$/, '; did you mean $1?');
  const part = argv.find((word) => command?.commands.some((one) => one.name() === word));
  const help = `see: bellwire ${[named, part, '--help'].filter((word) => word !== undefined).join(' ')}`;
  return usage(message.endsWith('?') ? message : `${message.replace(/\.$/, '')}; ${help}`);
}

function subcommandsOf(command: Command | undefined): string {
  return (command?.commands ?? []).map((one) => one.name()).join(', ');
}

function isAbort(error: unknown, signal: AbortSignal): boolean {
  return error === signal.reason || (error as Error | null)?.name === 'AbortError';
}
