// What a webhook's first answer to a challenge comes to: waited for, and told with what follows and what to do.
import type { ChallengeOut, WebhookOut } from '../../api/webhooks.ts';
import type { Client } from '../../client/index.ts';
import { wayOut } from '../../model/webhook.ts';
import { EXIT } from '../failure.ts';
import type { Session } from '../session.ts';
import { plain } from '../terminal.ts';

/** The platform's own deadline for an answer is 10 s unless set otherwise. */
const LONGEST_WAIT_MS = 15_000;
const FIRST_LOOK_MS = 25;
const LAST_LOOK_MS = 500;

/** The webhook once its first answer is in, or as it is after a while without one, or when none is to be waited for. */
export async function withFirstAnswer<Shown extends WebhookOut>(
  client: Client,
  webhook: Shown,
  signal: AbortSignal,
): Promise<Shown> {
  const giveUpAt = performance.now() + LONGEST_WAIT_MS;
  let shown = webhook;
  for (let ms = FIRST_LOOK_MS; isAwaited(shown) && performance.now() < giveUpAt; ms = Math.min(ms * 2, LAST_LOOK_MS)) {
    await pause(ms, signal);
    // What was generated is shown by the first answer of the API alone.
    shown = { ...webhook, ...(await client.webhooks.get(webhook.id, { signal })) };
  }
  return shown;
}

function isAwaited({ mode, challenge, verification, intent }: WebhookOut): boolean {
  return mode === 'push' && challenge === null && verification !== 'none' && intent !== 'disabled';
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const timer = setTimeout(resolve, ms);
    signal.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      },
      { once: true },
    );
  });
}

/** How a webhook stands and what its first answer was; the exit code is 1 when that was wrong. */
export function tellFirstAnswer(webhook: WebhookOut, { paint }: Session): { lines: string[]; exit: number } {
  const { challenge } = webhook;
  if (challenge === null) {
    const lines = [stateLine(webhook)];
    if (isAwaited(webhook))
      lines.push(`It has not answered its challenge yet; see: bellwire webhooks show ${webhook.id}`);
    return { lines, exit: EXIT.ok };
  }
  if (challenge.ok) {
    const former = formerSecretNote(webhook);
    return { lines: [stateLine(webhook), ...(former === null ? [] : [former])], exit: EXIT.ok };
  }
  const lines = [stateLine(webhook), `${paint('red', '✖')} ${plain(challenge.error ?? '')}`];
  return { lines: [...lines, ...whatFollows(webhook, challenge)], exit: EXIT.failed };
}

/** What follows by itself after a wrong answer, and what to do. */
export function whatFollows(
  { name, state }: Pick<WebhookOut, 'name' | 'state'>,
  { attempt, attempts, nextAt }: ChallengeOut,
): string[] {
  const left = attempts - attempt;
  const advice = wayOut(state, name);
  if (nextAt === null || left === 0) return advice === null ? [] : [`Nothing is sent to it; ${advice}`];
  const more = left === 1 ? 'One more attempt follows by itself' : `${left} more attempts follow by themselves`;
  return [`${more}, the next one at ${nextAt}; if none is answered rightly, the webhook turns critical`];
}

/** For a webhook that answered with its former secret: until when that is enough, and what is left to do. */
export function formerSecretNote({ challenge, secondaryUntil, name }: WebhookOut): string | null {
  if (challenge?.secret !== 'former' || secondaryUntil === null) return null;
  const next = `give its handler the new one, then: ${wayOut('critical', name)!.split(': ')[1]}`;
  return `It answered with the former secret, which is valid until ${secondaryUntil}; ${next}`;
}

/** The last attempt at a challenge, as a fact. */
export function challengeFact({ challenge }: WebhookOut): string | null {
  if (challenge === null) return null;
  const { at, ok, error, attempt, attempts, nextAt, secret } = challenge;
  if (ok) return `answered rightly at ${at}${secret === 'former' ? ' with the former secret' : ''}`;
  const next = nextAt === null ? '' : `; the next one is at ${nextAt}`;
  return `attempt ${attempt} of ${attempts} failed at ${at}: ${error}${next}`;
}

/** One line: which webhook, its state, and why. */
export function stateLine({ id, name, state, reason }: WebhookOut): string {
  return plain(`${name} (${id}) is ${state}: ${reason}`);
}
