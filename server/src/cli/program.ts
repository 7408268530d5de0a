// How an argv becomes one run of one command.
import { Command, CommanderError, Option } from 'commander';
import { didYouMean } from '../model/near-names.ts';
import { COMMANDS } from './commands.ts';
import { EXIT, tell, usage, type Failure } from './failure.ts';
import { createSession, type CommonOptions, type Run, type Session } from './session.ts';
import { plain } from './terminal.ts';

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
  for (const [name, { heading, summary, load }] of Object.entries(COMMANDS)) {
    const command = program.command(name).description(summary).helpGroup(`${heading}:`).helpCommand(false);
    if (name === named) (await load())(command, run);
  }
}

/** What shells ask with. Of no help to people, so no help lists it. */
const COMPLETE = '__complete';

async function answerCompletion(
  asked: readonly string[],
  world: Pick<Session, 'terminal' | 'signal' | 'version'>,
): Promise<void> {
  const { answerShell } = await import('./develop/completion.ts');
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
