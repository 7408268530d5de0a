// What goes on by itself at the platform, watched from here until it ends: a line of progress on a terminal.
import type { Session } from './session.ts';

/** How often it is asked how far it is. */
const ASK_EVERY_MS = 500;

/** Waits until it has ended, and resolves it then. Ctrl-C ends the waiting, not what is waited for. */
export async function untilEnded<Action extends { endedAt: string | null }>(
  { signal, terminal, json }: Session,
  begun: Action,
  { ask, lineOf }: { ask(): Promise<Action>; lineOf(now: Action): string },
): Promise<Action> {
  const isScreen = terminal.stderr.isTTY === true && !json;
  let now = begun;
  while (now.endedAt === null) {
    if (isScreen) terminal.stderr.write(`\r\u001B[2K${lineOf(now)}`);
    await later(ASK_EVERY_MS, signal);
    now = await ask();
  }
  if (isScreen) terminal.stderr.write('\r\u001B[2K');
  return now;
}

function later(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const onAbort = (): void => {
      clearTimeout(timer);
      fail(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener('abort', onAbort);
      done();
    }, ms);
    signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** A share from 0 to 1, in words. */
export function percent(share: number): string {
  return `${Math.floor(share * 100)} %`;
}
