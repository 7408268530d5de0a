// `bellwire listen`: a webhook's requests come to a port of this machine, with no public address, and its answers go back.
import type { WebhookIn, WebhookOut, WebhookSecretOut } from '../../api/webhooks.ts';
import { BellwireError, type Client } from '../../client/index.ts';
import { pause } from '../../client/request.ts';
import { quoted } from '../../model/webhook.ts';
import { EXIT, usage } from '../failure.ts';
import { exchangeLine, exchangeOut, Repetitions } from './exchange-line.ts';
import { forwardTo, localUrl, type Answerer } from './forwarding.ts';
import { readSecret } from '../input.ts';
import { listenFor, type Exchange } from './listening.ts';
import { collect, type Declare, type Session } from '../session.ts';
import { plain } from '../terminal.ts';
import { webhookId } from '../publish/webhook-names.ts';

/** What says which webhook is meant, or what it is to be made of. */
export interface WebhookWish {
  webhook?: string;
  name?: string;
  types?: readonly string[];
  secret?: string;
  secretStdin?: boolean;
  signing?: string;
  format?: string;
  challenge?: boolean;
  takeOver?: boolean;
  remove?: boolean;
}

interface ListenOptions extends WebhookWish {
  to?: string;
  skipVerify?: boolean;
}

export const listen: Declare = (command, run) => {
  command
    .argument('[target]', 'Where they go: a port, a port with a path, or a URL such as http://localhost:3000/hook')
    .option('--to <target>', 'The same')
    .option('--webhook <webhook>', 'An existing webhook, by id or name')
    .option('--name <name>', 'Name of the webhook to make, or to use again (listen-<you>-<port>)')
    .option('--types <types>', 'Its event types or patterns, parted by commas; repeatable', collect)
    .option('--secret <secret>', 'Its secret; generated when left out, and shown this once')
    .option('--secret-stdin', 'Read the secret from stdin')
    .option('--signing <kinds>', 'standard-v1, standard-v1a, hpe, or several parted by commas')
    .option('--format <mode>', 'structured or binary CloudEvents')
    .option('--no-challenge', 'Ask for no proof; a new webhook needs none where the operator allows it')
    .option('--take-over', 'Of a webhook with a URL: its requests come here until this ends, and then go there again')
    .option('--skip-verify', 'Take any certificate of an https target')
    .option('--remove', 'Delete the webhook at the end')
    .addHelpText(
      'after',
      '\nUntil Ctrl-C. What comes after that waits for the next time, unless it goes to a\nURL again.',
    )
    .action(run(listenAndForward));
};

async function listenAndForward(
  session: Session,
  { to, skipVerify, ...wish }: ListenOptions,
  [target]: [string | undefined],
): Promise<number> {
  const named = target ?? to;
  if (named === undefined || (target !== undefined && to !== undefined)) {
    throw usage('listen needs one target, such as: bellwire listen 3000/webhooks --types "com.example.*"');
  }
  const url = localUrl(named);
  const answer = forwardTo(url, { skipVerify: skipVerify === true });
  const place = url.port === '' ? url.hostname : url.port;
  return listenAs(session, wish, { answer, place: url.href, suffix: place });
}

/** What answers, where that is, and what a webhook that is made for it is called after. */
export interface Local {
  answer: Answerer;
  place: string;
  suffix: string;
  /** It shows its requests by itself. */
  isQuiet?: boolean;
  /** Is told the secret that was generated, instead of whoever reads. */
  onSecret?(secret: string): void;
}

/** Finds or makes the webhook, listens for it until Ctrl-C, and puts back what was changed. */
export async function listenAs(session: Session, wish: WebhookWish, local: Local): Promise<number> {
  const client = await session.client();
  const { webhook, isNew } = await findOrMake(session, wish, local);
  const takeOver = checkMode(webhook, wish);
  const counts = { requests: 0, taken: 0 };
  // One that was made for nothing goes, too: nobody has been told of it yet.
  let isToGo = isNew;
  try {
    await subscribe(session, client, { webhook, types: typesOf(wish) });
    isToGo = wish.remove === true;
    if (isNew) tellSecret(session, webhook, local);
    else if (!local.onSecret) tellUnused(session, webhook, wish);
    await listenAndProve(session, { client, webhook, takeOver, wish, local, counts });
  } finally {
    if (isToGo) await remove(session, client, webhook);
  }
  session.note(endOf(webhook, { ...wish, takeOver }, counts));
  return EXIT.ok;
}

/* ── The webhook ────────────────────────────────────────────────────────────────────────────────────────────── */

async function findOrMake(
  session: Session,
  wish: WebhookWish,
  { suffix }: Local,
): Promise<{ webhook: WebhookOut | WebhookSecretOut; isNew: boolean }> {
  const client = await session.client();
  const { signal, terminal } = session;
  if (wish.webhook !== undefined) {
    const webhook = await client.webhooks.get(await webhookId(client, wish.webhook, signal), { signal });
    return { webhook, isNew: false };
  }
  const name = wish.name ?? nameOf(terminal.env['USER'] ?? terminal.env['USERNAME'] ?? 'me', suffix);
  const known = (await client.webhooks.list({ signal }).all()).find((one) => one.name === name);
  if (known !== undefined) return { webhook: known, isNew: false };
  const secret = wish.secretStdin === true ? await readSecret(terminal, signal) : wish.secret;
  const webhook = await client.webhooks.create(
    {
      name,
      mode: 'listen',
      description: 'Made by bellwire listen.',
      ...(secret === undefined ? {} : { secret }),
      ...(wish.signing === undefined ? {} : { signing: wish.signing.split(',').map((one) => one.trim()) }),
      ...(wish.format === undefined ? {} : { format: wish.format }),
      ...(wish.challenge === false ? { verification: 'none' } : {}),
    } as WebhookIn,
    { signal },
  );
  return { webhook, isNew: true };
}

function nameOf(user: string, suffix: string): string {
  return `listen-${user}-${suffix}`.replace(/[^\p{L}\p{M}\p{Nd}.@_-]+/gu, '-').slice(0, 50);
}

function tellSecret({ show, facts, paint }: Session, webhook: WebhookSecretOut, { onSecret }: Local): void {
  const { id, name, secret, standardKey } = webhook;
  if (onSecret && secret !== undefined) return onSecret(secret);
  if (secret === undefined && standardKey === undefined) return;
  show({ webhook: id, name, secret, standardKey }, () => [
    ...facts({ webhook: name, secret, 'standard key': standardKey }),
    paint('yellow', 'Give it to your handler now: it is not shown again.'),
  ]);
}

// Whoever runs the same line again with another secret would look for the fault in the handler.
function tellUnused({ note }: Session, { name }: WebhookOut, wish: WebhookWish): void {
  const named = { '--secret': wish.secret, '--secret-stdin': wish.secretStdin, '--signing': wish.signing };
  const given = Object.entries({ ...named, '--format': wish.format }).filter(([, value]) => value !== undefined);
  if (given.length === 0) return;
  const options = given.map(([option]) => option).join(', ');
  note(`${name} is there already and stays as it is, without ${options}: see bellwire webhooks change`);
}

// Where a webhook has an endpoint of its own, nobody takes its requests away by accident.
function checkMode({ mode, name }: WebhookOut, { takeOver = false }: WebhookWish): boolean {
  if (mode === 'pull') throw usage(`${name} is fetched: bellwire pull ${quoted(name)}`);
  if (mode === 'listen' || takeOver) return mode === 'push';
  throw usage(
    `${name} has a URL. Have its requests come here, and not there, for as long as this runs: add --take-over. ` +
      'To get the same events beside it, listen with a webhook of your own: --name and --types',
  );
}

function typesOf({ types = [] }: WebhookWish): string[] {
  return types.flatMap((some) => some.split(',').map((one) => one.trim())).filter((one) => one !== '');
}

async function subscribe(
  session: Session,
  client: Client,
  { webhook, types }: { webhook: WebhookOut; types: readonly string[] },
): Promise<void> {
  const { signal } = session;
  for (const type of types) await client.subscriptions.create({ webhook: webhook.id, type }, { signal });
  const { items } = await client.subscriptions.list({ webhook: webhook.id, limit: 1, signal }).page();
  if (items.length === 0) {
    session.note(`${webhook.name} has no subscription yet: bellwire subscribe ${quoted(webhook.name)} <type>`);
  }
}

async function remove({ note }: Session, client: Client, { id, name }: WebhookOut): Promise<void> {
  const signal = AbortSignal.timeout(REMOVE_MS);
  await client.webhooks.delete(id, { force: true, signal }).catch((error: unknown) => {
    note(`${name} was not removed: ${error instanceof Error ? plain(error.message) : ''}`);
  });
}

const REMOVE_MS = 5_000;

function endOf(
  { name }: WebhookOut,
  { remove: isRemoved, takeOver }: WebhookWish,
  { requests, taken }: { requests: number; taken: number },
): string {
  const fate = isRemoved
    ? `${name} is removed`
    : takeOver
      ? `${name} goes to its URL again`
      : `what comes now waits: bellwire listen … --webhook ${quoted(name)}`;
  return `\n${requests} ${requests === 1 ? 'request' : 'requests'}, ${taken} taken; ${fate}`;
}

/* ── Listening ──────────────────────────────────────────────────────────────────────────────────────────────── */

interface Work {
  client: Client;
  webhook: WebhookOut;
  takeOver: boolean;
  wish: WebhookWish;
  local: Local;
  counts: { requests: number; taken: number };
}

async function listenAndProve(session: Session, work: Work): Promise<void> {
  const { client, webhook, takeOver, wish, local, counts } = work;
  const { note } = session;
  const seen = new Repetitions();
  const isProved = wish.challenge !== false && webhook.verification !== 'none';
  // However it ends, nothing is asked or answered any more.
  const ended = new AbortController();
  const signal = AbortSignal.any([session.signal, ended.signal]);
  let proving: Promise<void> | null = null;
  const listening = listenFor({
    client,
    webhook: webhook.id,
    takeOver,
    answer: local.answer,
    signal,
    onHeard: (state, isAgain) => {
      note(isAgain ? 'the platform is back' : `${webhook.name} → ${plain(local.place)}; Ctrl-C ends it`);
      if (!isProved || (isAgain && state !== 'pending' && state !== 'critical')) return;
      proving ??= prove({ ...session, signal }, work).finally(() => (proving = null));
    },
    onState: (state) => {
      const remedy = REMEDIES[state];
      if (remedy === undefined || (isProved && remedy === 'test')) return;
      note(
        `${webhook.name} is ${plain(state)}, and nothing is sent: bellwire webhooks ${remedy} ${quoted(webhook.name)}`,
      );
    },
    onAway: (reason) => note(`${plain(reason)}; trying again`),
    onExchange: (exchange) => {
      const repetition = seen.count(exchange);
      if (!isChallenge(exchange)) {
        counts.requests++;
        if ((exchange.answer.status ?? 0) >= 200 && (exchange.answer.status ?? 0) < 300) counts.taken++;
      }
      if (local.isQuiet !== true)
        session.show(exchangeOut(exchange, repetition), () => [exchangeLine(exchange, repetition, session)]);
    },
    onLost: (_exchange, reason) => note(`an answer did not count, the request comes again: ${plain(reason)}`),
  });
  await listening.finally(() => ended.abort());
}

/** What leads out of the states in which nothing is sent. */
const REMEDIES: Readonly<Record<string, string>> = {
  paused: 'resume',
  disabled: 'enable',
  pending: 'test',
  critical: 'test',
};

function isChallenge({ request }: Exchange): boolean {
  return !request.headers.some(([name]) => name === 'webhook-id');
}

const AGAIN_MS = 2_000;

/** Has the handler prove itself, again and again until it does: people begin before it runs. */
async function prove(
  { signal, note, paint }: Pick<Session, 'signal' | 'note' | 'paint'>,
  { client, webhook }: Work,
): Promise<void> {
  let before = '';
  while (!signal.aborted) {
    let words = '';
    try {
      const { outcome } = await client.webhooks.test(webhook.id, { signal });
      if (outcome.ok) return note(`${paint('green', '✔')} the challenge was answered rightly`);
      words = outcome.error ?? '';
    } catch (error) {
      if (signal.aborted) return;
      // It need not prove itself by now, or the platform is away: then the next time it is heard asks again.
      if (!(error instanceof BellwireError) || error.status === 0 || error.code === 'wrong-state') return;
      words = error.detail;
    }
    if (words !== before) note(`${paint('red', '✖')} challenge: ${plain(words)}; asked again until it is right`);
    before = words;
    await pause(AGAIN_MS, signal).catch(() => undefined);
  }
}
