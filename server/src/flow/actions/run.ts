// The action `run`: a command on the machine, where the operator allows it. What it writes is the job log, as it comes;
// a line that is a JSON object tells how far it is, or what came out.
import type { Json } from '../../model/flow/definition.ts';
import { ActionFailed, type Action, type ActionContext } from '../action.ts';
import { NotStarted, runCommand, type CommandEnd, type CommandGround } from '../commands/command.ts';
import type { Commands } from '../commands/index.ts';
import { endProcesses, readNote } from '../commands/process-tree.ts';
import { textOf } from '../text-of.ts';

/** What the action stands on. */
export interface RunParts {
  commands: Pick<Commands, 'ground'>;
  /** May flows of this workspace run commands? */
  mayRun(workspace: number): Promise<boolean>;
}

/** The input in its normal form (model/flow/actions.ts). */
interface RunInput {
  command?: readonly Json[];
  shell?: string;
  env?: Readonly<Record<string, Json>>;
  stdin?: Json;
}

/** What the lines of a command told beside its log. */
interface Told {
  progress: Json;
  result: Json;
}

/** Makes the action. */
export function createRunAction({ commands, mayRun }: RunParts): Action {
  return {
    name: 'run',
    run: async (context) => {
      if (!(await mayRun(context.run.workspace))) {
        throw new ActionFailed(
          'commands are not allowed in this workspace: its operator says where they are (flows.commands)',
          {
            retryable: false,
          },
        );
      }
      const told: Told = { progress: null, result: null };
      const end = await runOnce(context, await groundOf(commands), told);
      const output = { exitCode: end.code, signal: end.signal, ...told };
      if (end.code === 0) return output;
      throw new ActionFailed(wordsOf(end), { output });
    },
    endProcess: async (text) => {
      const note = readNote(text);
      if (note !== null) await endProcesses(note, await commands.ground());
    },
  };
}

async function groundOf(commands: Pick<Commands, 'ground'>): Promise<CommandGround> {
  try {
    return await commands.ground();
  } catch (error) {
    throw new ActionFailed((error as Error).message, { retryable: false });
  }
}

async function runOnce(context: ActionContext, ground: CommandGround, told: Told): Promise<CommandEnd> {
  const { command, shell, env = {}, stdin = null } = context.input as RunInput;
  const words = shell === undefined ? (command ?? []).map(textOf) : ['sh', '-c', shell];
  const { token, run, name } = context.run;
  try {
    return await runCommand(
      {
        words,
        env: {
          ...textsOf(env),
          BELLWIRE_RUN: String(run),
          BELLWIRE_FLOW: name,
          BELLWIRE_IDEMPOTENCY_KEY: context.idempotencyKey,
        },
        stdin: stdin === null ? null : typeof stdin === 'string' ? stdin : `${JSON.stringify(stdin)}\n`,
        // The token is this installation's: another one on the same machine has the same numbers.
        mark: `${token}/${run}/${context.place}`,
        signal: context.signal,
        onStart: (note) => context.noteProcess(JSON.stringify(note)),
        onLine: (stream, text) => {
          const news = stream === 'out' ? hear(text) : null;
          if (news === null) return context.log(stream, text);
          Object.assign(told, news);
          if (news.progress !== undefined) context.log('note', `progress: ${shown(news.progress)}`);
        },
      },
      ground,
    );
  } catch (error) {
    if (error instanceof NotStarted) throw new ActionFailed(error.message, { retryable: false });
    throw error;
  }
}

// Anything else is a line of the log, JSON or not.
function hear(text: string): Partial<Told> | null {
  if (!text.startsWith('{')) return null;
  let line: Partial<Told>;
  try {
    line = JSON.parse(text) as Partial<Told>;
  } catch {
    return null;
  }
  const { progress, result } = line;
  if (progress === undefined && result === undefined) return null;
  return { ...(progress === undefined ? {} : { progress }), ...(result === undefined ? {} : { result }) };
}

function shown(progress: Json): string {
  if (typeof progress === 'number' && progress >= 0 && progress <= 1) return `${Math.round(progress * 100)} %`;
  return typeof progress === 'string' ? progress : JSON.stringify(progress);
}

function wordsOf({ code, signal }: CommandEnd): string {
  return code === null ? `the command was ended by ${signal}` : `the command ended with ${code}`;
}

function textsOf(env: Readonly<Record<string, Json>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name, textOf(value)]));
}
