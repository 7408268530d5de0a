// `bellwire challenge`: asks any URL what the platform would ask it, and judges the answer by the same rules (R90–R92).
import { createHmac, randomUUID } from 'node:crypto';
import { composeChallenge, DEFAULT_CHALLENGE_SOURCE, judgeChallengeAnswer } from '../../model/challenge.ts';
import type { Outcome } from '../../model/outcome.ts';
import { EXIT, usage } from '../failure.ts';
import { hiddenSecret } from '../secret.ts';
import type { Declare, Session } from '../session.ts';
import { plain } from '../terminal.ts';

interface ChallengeOptions {
  secret?: string;
  request?: string;
  source?: string;
}

export const challenge: Declare = (command, run) => {
  command
    .argument('<url>', 'The handler’s address; it need not be registered anywhere')
    .option('--secret <secret>', 'The shared secret; left out, it is read from stdin or asked for')
    .option('--request <text>', 'The challengeRequest; a fresh UUID when left out')
    .option('--source <uri>', `The source (${DEFAULT_CHALLENGE_SOURCE})`)
    .addHelpText('after', '\nExit code 0: right; a platform with this secret would make the webhook active.')
    .action(run(ask));
};

/** As the platform does: one deadline over everything, and no more of an answer than could be one. */
const TIMEOUT_MS = 10_000;
const ANSWER_BYTES = 64 * 1024;

async function ask(session: Session, options: ChallengeOptions, [url]: [string]): Promise<number> {
  if (!/^https?:\/\//i.test(url) || !URL.canParse(url)) throw usage(`${url} is no http or https address`);
  const secret = options.secret ?? (await hiddenSecret(session));
  const challengeRequest = options.request ?? randomUUID();
  const body = composeChallenge({
    id: randomUUID(),
    challengeRequest,
    source: options.source ?? DEFAULT_CHALLENGE_SOURCE,
    workspace: 'cli',
    at: Date.now(),
  });
  const outcome = await post(url, body, session);
  const verdict = judgeChallengeAnswer(outcome, {
    challengeRequest,
    secrets: [secret],
    status: 'exactly-200',
    hmacSha256Hex: (key, message) => createHmac('sha256', key).update(message).digest('hex'),
  });
  const { status, durationMs } = outcome;
  const error = verdict.ok ? null : verdict.reason;
  session.show({ ok: verdict.ok, status, durationMs, error, challengeRequest, answer: textOf(outcome) }, () => [
    ...session.facts({ sent: `challengeRequest ${challengeRequest}`, status, answer: textOf(outcome)?.slice(0, 200) }),
    verdict.ok
      ? `${session.paint('green', '✔')} the right answer after ${durationMs} ms`
      : `${session.paint('red', '✖')} ${plain(verdict.reason)}`,
  ]);
  return verdict.ok ? EXIT.ok : EXIT.failed;
}

async function post(url: string, body: string, { signal, version }: Session): Promise<Outcome> {
  const startedAt = performance.now();
  const durationMs = () => Math.round(performance.now() - startedAt);
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents+json; charset=utf-8', 'user-agent': `Bellwire/${version}` },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    const bytes = await readUpTo(response, ANSWER_BYTES);
    return {
      kind: 'response',
      status: response.status,
      headers: [...response.headers],
      body: bytes,
      bodyBytes: bytes.length,
      truncated: bytes.length > ANSWER_BYTES,
      retryAfter: response.headers.get('retry-after'),
      durationMs: durationMs(),
      connectMs: 0,
    };
  } catch (error) {
    signal.throwIfAborted();
    const message = reasonOf(error as Error);
    return { kind: 'failure', code: 'other', message, status: null, durationMs: durationMs(), connectMs: 0 };
  }
}

async function readUpTo(response: Response, most: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    size += part.length;
    if (size > most) break;
  }
  return Buffer.concat(parts);
}

function reasonOf(error: Error): string {
  if (error.name === 'TimeoutError') return `no complete answer within ${TIMEOUT_MS / 1_000} s`;
  const { code, message } = (error.cause ?? error) as NodeJS.ErrnoException;
  return code === 'ECONNREFUSED' ? 'connection refused: nobody listens there' : message || String(code);
}

function textOf(outcome: Outcome): string | null {
  return outcome.kind === 'response' ? Buffer.from(outcome.body).toString() : null;
}
