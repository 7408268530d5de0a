// `bellwire inbox`: a request bin in the terminal. Shows each request, answers it as it is told to, and keeps it if asked.
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { pause } from '../../client/request.ts';
import { EXIT, usage } from '../failure.ts';
import { Repetitions } from './exchange-line.ts';
import { bodyOf, type Answerer } from './forwarding.ts';
import { judgeOf, JUDGES, type Judge, type Judged, type Received } from './inbox-judge.ts';
import { linesOf } from './inbox-lines.ts';
import { readSecret, reasonOf } from '../input.ts';
import { listenAs, type WebhookWish } from './listen.ts';
import { countOf } from '../listing.ts';
import { startLocalServer } from './local-server.ts';
import { collect, type Declare, type Session } from '../session.ts';
import { spanMs } from '../spans.ts';
import { plain } from '../terminal.ts';

interface InboxOptions extends WebhookWish {
  port?: string;
  status?: string;
  body?: string;
  delay?: string;
  failFirst?: string;
  verify?: string;
  save?: string;
  listen?: boolean;
}

export const inbox: Declare = (command, run) => {
  command
    .option('--port <port>', 'Port on 127.0.0.1; 0 takes a free one (4010)')
    .option('--status <status>', 'Answered to all but challenges (200)')
    .option('--body <text>', 'The body of the answer')
    .option('--delay <span>', 'Answer only after so long, such as 3s')
    .option('--fail-first <n>', 'Answer the first n tries of each delivery 500: to see retries')
    .option('--secret <secret>', 'Answer challenges and verify signatures with it')
    .option('--secret-stdin', 'Read the secret from stdin')
    .option('--verify <sender>', `${JUDGES.join(', ')}: how the sender signs (as Bellwire does)`)
    .option('--save <folder>', 'Keep the exact bytes of each request there')
    .option('--listen', 'No port: show what the platform sends a webhook, by listening for it')
    .option('--webhook <webhook>', 'With --listen: an existing webhook; else one is made, and removed at the end')
    .option('--name <name>', 'With --listen: name of the webhook to make, or to use again; it stays')
    .option('--types <types>', 'With --listen: event types or patterns, parted by commas; repeatable', collect)
    .option('--take-over', 'With --listen: of a webhook with a URL')
    .option('--no-challenge', 'With --listen: ask for no proof')
    .addHelpText('after', '\nUntil Ctrl-C. Signatures are judged and told; the answer is the same either way.')
    .action(run(openInbox));
};

async function openInbox(session: Session, options: InboxOptions): Promise<number> {
  const { terminal, signal, note } = session;
  const secret = options.secretStdin === true ? await readSecret(terminal, signal) : options.secret;
  const box = new Inbox(session, { ...options, secret });
  // Stdin was read to its end.
  if (options.listen === true) return listenHere(session, { ...options, secret, secretStdin: false }, box);
  for (const name of ['webhook', 'name', 'types', 'takeOver'] as const) {
    if (options[name] !== undefined) throw usage('--webhook, --name, --types and --take-over need --listen');
  }
  const port = portOf(options.port);
  const server = await startLocalServer((incoming, outgoing) => void serve(box, incoming, outgoing), {
    port,
    onUnreadable: (reason) => box.refuse(reason),
  });
  note(`${server.url} takes any request; Ctrl-C ends it`);
  await new Promise<void>((ended) => {
    if (signal.aborted) ended();
    else signal.addEventListener('abort', () => ended(), { once: true });
  });
  await server.stop();
  return EXIT.ok;
}

function portOf(text = '4010'): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) throw usage('--port takes a number up to 65535');
  return Number(text);
}

/** Bytes of a body that are taken. */
const MOST_BYTES = 16 * 1024 * 1024;

async function serve(box: Inbox, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  try {
    const parts: Buffer[] = [];
    let bytes = 0;
    for await (const part of incoming as AsyncIterable<Buffer>) {
      if ((bytes += part.length) <= MOST_BYTES) parts.push(part);
    }
    const { method = 'GET', url = '/', rawHeaders } = incoming;
    if (bytes > MOST_BYTES) {
      box.refuse(`${method} ${url} has a body of ${bytes} bytes, and 16 MiB are taken`);
      outgoing.writeHead(413).end();
      return;
    }
    const headers = Array.from({ length: rawHeaders.length / 2 }, (_, at) => {
      return [rawHeaders[2 * at]!, rawHeaders[2 * at + 1]!] as const;
    });
    const answer = await box.take({ method, path: url, headers, body: Buffer.concat(parts) });
    outgoing.writeHead(answer.status, answer.headers).end(answer.body);
  } catch {
    // Who sent it hung up.
    outgoing.destroy();
  }
}

// Without a name of its own the webhook is gone at the end, and its secret is known here alone.
async function listenHere(session: Session, options: InboxOptions, box: Inbox): Promise<number> {
  const isOurs = options.webhook === undefined && options.name === undefined;
  const wish: WebhookWish = {
    ...options,
    ...(isOurs ? { remove: true, name: `inbox-${Date.now().toString(36)}` } : {}),
  };
  const answer: Answerer = async (request) => {
    const startedAt = performance.now();
    const { method, headers } = request;
    const pairs = headers.map(([name = '', value = '']) => [name, value] as const);
    const given = await box.take({ method, path: '/', headers: pairs, body: bodyOf(request) });
    const durationMs = Math.round(performance.now() - startedAt);
    const lines = Object.entries(given.headers).map(([name, value]) => [name, value]);
    return { durationMs, status: given.status, headers: lines, body: Buffer.from(given.body).toString('base64') };
  };
  const onSecret = (secret: string): void => box.learn(secret, options.verify);
  return listenAs(session, wish, { answer, place: 'this terminal', suffix: 'inbox', isQuiet: true, onSecret });
}

interface Given {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: string;
}

/** Takes requests: judges, keeps, shows and answers them. */
class Inbox {
  readonly #session: Session;
  readonly #told: Given;
  readonly #delayMs: number;
  readonly #failures: number;
  readonly #folder: string | null;
  readonly #repetitions = new Repetitions();
  #judge: Judge;
  #taken = 0;

  constructor(session: Session, { status = '200', body = '', delay, failFirst, save, ...options }: InboxOptions) {
    this.#session = session;
    if (!/^[2-5]\d\d$/.test(status)) throw usage('--status takes a status from 200 to 599');
    this.#told = { status: Number(status), headers: body === '' ? {} : { 'content-type': 'text/plain' }, body };
    this.#delayMs = delay === undefined ? 0 : spanMs(delay, '--delay');
    this.#failures = failFirst === undefined ? 0 : countOf(failFirst, '--fail-first');
    this.#judge = judgeOf(options);
    this.#folder = save === undefined ? null : resolve(session.terminal.folder, save);
    if (this.#folder !== null) this.#taken = firstFree(this.#folder);
  }

  /** Says why a request was not taken. */
  refuse(reason: string): void {
    this.#session.note(`a request was refused: ${plain(reason)}`);
  }

  /** A secret that was made for it. */
  learn(secret: string, verify: string | undefined): void {
    this.#judge = judgeOf({ secret, verify });
  }

  /** Takes one request; resolves what it is answered. */
  async take(received: Received): Promise<Given> {
    const id = received.headers.find(([name]) => name.toLowerCase() === 'webhook-id')?.[1] ?? null;
    const judged = await this.#judge(received);
    const repetition = this.#repetitions.countId(id);
    const given = this.#answerTo(judged, id === null ? this.#taken + 1 : repetition);
    const number = ++this.#taken;
    const file = this.#keep(number, received);
    const { method, path, headers, body } = received;
    const { isGood, words } = judged;
    const { status } = given;
    this.#session.show(
      {
        at: new Date().toISOString(),
        number,
        method,
        path,
        headers,
        body: Buffer.from(body).toString('base64'),
        signature: { isGood, words },
        repetition,
        status,
        file,
      },
      () => linesOf({ received, judged, status, repetition, file }, this.#session),
    );
    await pause(this.#delayMs, this.#session.signal).catch(() => undefined);
    return given;
  }

  // What cannot be kept is shown and answered all the same.
  #keep(number: number, received: Received): string | null {
    if (this.#folder === null) return null;
    try {
      return keep(this.#folder, number, received);
    } catch (error) {
      this.#session.note(`this request is not kept in ${plain(this.#folder)}: ${plain(reasonOf(error))}`);
      return null;
    }
  }

  #answerTo({ answer }: Judged, times: number): Given {
    if (answer !== null) return answer;
    return times <= this.#failures ? { status: 500, headers: {}, body: '' } : this.#told;
  }
}

// What an earlier inbox kept there stays.
function firstFree(folder: string): number {
  try {
    mkdirSync(folder, { recursive: true });
    return readdirSync(folder).reduce((most, name) => Math.max(most, Number(/^(\d+)\.body$/.exec(name)?.[1] ?? 0)), 0);
  } catch (error) {
    throw usage(`cannot keep anything in ${folder}: ${reasonOf(error)}`);
  }
}

function keep(folder: string, number: number, { method, path, headers, body }: Received): string {
  const name = join(folder, String(number).padStart(4, '0'));
  writeFileSync(`${name}.body`, body, { mode: 0o600 });
  writeFileSync(`${name}.json`, `${JSON.stringify({ method, path, headers }, null, 2)}\n`, { mode: 0o600 });
  return `${name}.body`;
}
