// Secrets on their way in, out of sight of the shell's history and of others on the machine.
import { EXIT, Failure } from './failure.ts';
import { readSecret } from './input.ts';
import type { Session } from './session.ts';

/** The secret from stdin; on a terminal it is asked for, unseen. */
export async function hiddenSecret({ terminal, signal }: Session): Promise<string> {
  if (terminal.stdin.isTTY !== true) return readSecret(terminal, signal);
  const { isCancel, password } = await import('@clack/prompts');
  const { stdin: input, stderr: output } = terminal;
  const secret = await password({ message: 'Secret', input, output, signal, withGuide: false });
  if (isCancel(secret)) throw new Failure('no secret was given', EXIT.interrupted, 'interrupted');
  return secret;
}
