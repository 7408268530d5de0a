// `bellwire webhooks`: registered URLs that have to prove themselves.
import type { Command } from 'commander';
import type { WebhookIn, WebhookOut, WebhookPatchIn, WebhookSecretOut } from '../../api/webhooks.ts';
import { BellwireError, type Client } from '../../client/index.ts';
import { quoted, wayOut } from '../../model/webhook.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import {
  challengeFact,
  formerSecretNote,
  stateLine,
  tellFirstAnswer,
  whatFollows,
  withFirstAnswer,
} from './first-answer.ts';
import { readSecret } from '../input.ts';
import { lister } from '../listing.ts';
import { declareOperations } from './operations.ts';
import { spanMs } from '../spans.ts';
import { collect, type Declare, type Run, type Session } from '../session.ts';
import type { Column } from '../table.ts';
import { plain, type Style } from '../terminal.ts';
import { accessFacts, accessOf, accessOptions, type AccessOptions } from './webhook-access.ts';
import { webhookId } from './webhook-names.ts';
import { policyFacts, policyOf, policyOptions, type PolicyOptions } from './webhook-policy.ts';

const STYLES: Readonly<Record<WebhookOut['state'], Style>> = {
  pending: 'yellow',
  active: 'green',
  warning: 'yellow',
  critical: 'red',
  paused: 'dim',
  disabled: 'dim',
};

/** Of these a list says why. */
const TROUBLED: ReadonlySet<WebhookOut['state']> = new Set(['warning', 'critical']);

const COLUMNS: readonly Column<WebhookOut>[] = [
  { head: 'ID', of: ({ id }) => id },
  { head: 'NAME', of: ({ name }) => name, least: 10 },
  { head: 'STATE', of: ({ state }) => state, style: ({ state }) => STYLES[state] },
  { head: 'REASON', of: ({ state, reason }) => (TROUBLED.has(state) ? reason : ''), least: 16 },
  { head: 'URL', of: ({ mode, url }) => (mode === 'push' ? url : `(${mode})`), least: 16 },
];

interface SettingOptions extends AccessOptions, PolicyOptions {
  description?: string;
  secret?: string;
  secretStdin?: boolean;
  verification?: string;
  signing?: string;
  authorization?: string;
  header?: readonly string[];
  format?: string;
}

export const webhooks: Declare = (command, run) => {
  settingOptions(command.command('add <name> [url]').description('Register a webhook; it is challenged at once'))
    .option('--pull', 'Without a URL: its deliveries are fetched with "bellwire pull"')
    .option('--no-wait', NO_WAIT)
    .addHelpText('after', '\nWithout a secret one is generated and shown this once.\n' + WRONG_ANSWER)
    .action(run(add));
  command.command('list').description('List the webhooks').action(run(list));
  command.command('show <webhook>').description('Show a webhook, by id or name').action(run(show));
  settingOptions(command.command('change <webhook>').description('Change it; a new address or secret is challenged'))
    .option('--name <name>', 'Its name')
    .option('--address <url>', 'Its URL')
    .option('--no-wait', NO_WAIT)
    .action(run(change));
  command
    .command('test <webhook>')
    .description('Send a new challenge now; exit code 1 when the answer is wrong')
    .addHelpText('after', `\n${WRONG_ANSWER} So it is for an active webhook, too.`)
    .action(run(test));
  for (const [name, summary] of Object.entries(WISHES)) wish(command, run, { name: name as Wish, summary });
  command
    .command('rotate <webhook>')
    .description('Turn the secret over; the former one is honoured for a while')
    .option('--secret <secret>', 'The new secret; generated when left out')
    .option('--secret-stdin', 'Read the new secret from stdin')
    .option('--grace <span>', 'How long the former one is honoured, such as 1h (24h)')
    .option('--no-wait', NO_WAIT)
    .addHelpText(
      'after',
      '\nThen give the new secret to the handler, and see that it answers with it: bellwire webhooks test <webhook>',
    )
    .action(run(rotate));
  declareOperations(command, run);
  command.command('changes <webhook>').description('The changes of its state, with reasons').action(run(changes));
  command
    .command('rm <webhook>')
    .description('Delete it; what is still open for it becomes dead letters')
    .option('--force', 'With its subscriptions')
    .action(run(remove));
};

const NO_WAIT = 'Do not wait for its first answer to the challenge';
const WRONG_ANSWER =
  'After a wrong answer further attempts follow by themselves; if none is answered rightly, the webhook turns critical.';

const WISHES = {
  pause: 'Hold its deliveries',
  resume: 'Send them again',
  enable: 'Take a disabled one into service: it is challenged again',
  disable: 'Take it out of service',
  unpark: 'Try again what failed and holds its line (fifo with park)',
} as const;

type Wish = keyof typeof WISHES;

function wish(command: Command, run: Run, { name, summary }: { name: Wish; summary: string }): void {
  command
    .command(`${name} <webhook>`)
    .description(summary)
    .action(
      run(async (session: Session, _options: object, [named]: [string]) => {
        const client = await session.client();
        const id = await webhookId(client, named, session.signal);
        const webhook = await client.webhooks[name](id, { signal: session.signal });
        if (name === 'enable') return showAnswer(session, webhook, { wait: true });
        session.show(webhook, () => [stateLine(webhook)]);
        return EXIT.ok;
      }),
    );
}

function settingOptions(command: Command): Command {
  const told = command
    .option('--description <text>', 'What it is for')
    .option('--secret <secret>', 'The shared secret; others on this machine may see it here')
    .option('--secret-stdin', 'Read the secret from stdin')
    .option('--verification <kind>', 'challenge, options or none')
    .option('--signing <kinds>', 'standard-v1, standard-v1a, hpe, or several parted by commas')
    .option('--authorization <value>', 'Sent verbatim as Authorization; "none" takes it away')
    .option('--header <name:value>', 'A further header of every delivery; repeatable', collect)
    .option('--format <mode>', 'structured or binary CloudEvents');
  return accessOptions(policyOptions(told));
}

/** What the options say, in the API's fields. What a value may be is judged by the platform. */
async function settingsOf(options: SettingOptions, session: Session): Promise<Partial<WebhookIn>> {
  const { terminal, signal } = session;
  const { description, verification, format, authorization } = options;
  const secret = options.secretStdin === true ? await readSecret(terminal, signal) : options.secret;
  const settings = {
    description,
    secret,
    verification,
    format,
    signing: options.signing?.split(',').map((one) => one.trim()),
    authorization: authorization === 'none' ? null : authorization,
    headers: options.header === undefined ? undefined : Object.fromEntries(options.header.map(headerOf)),
    policy: policyOf(options),
    ...(await accessOf(options, session)),
  };
  return settings as Partial<WebhookIn>;
}

function headerOf(text: string): [string, string] {
  const at = text.indexOf(':');
  if (at < 1) throw usage(`--header takes name:value, not "${text}"`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

/** Shows a webhook that may have been challenged, when its first answer is in; resolves the exit code. */
async function showAnswer(
  session: Session,
  webhook: WebhookOut | WebhookSecretOut,
  { wait = true }: Waiting,
): Promise<number> {
  const shown = wait ? await withFirstAnswer(await session.client(), webhook, session.signal) : webhook;
  const { lines, exit } = tellFirstAnswer(shown, session);
  session.show(shown, () => [...lines, ...onceLines(shown, session)]);
  return wait ? exit : EXIT.ok;
}

interface Waiting {
  wait?: boolean;
}

async function add(
  session: Session,
  { pull = false, wait = true, ...options }: SettingOptions & Waiting & { pull?: boolean },
  [name, url]: [string, string | undefined],
): Promise<number> {
  if (pull === (url !== undefined)) throw usage('webhooks add needs a URL, or --pull');
  const settings = await settingsOf(options, session);
  const client = await session.client();
  const made: WebhookIn = pull ? { ...settings, name, mode: 'pull' } : { ...settings, name, url };
  const webhook = await client.webhooks.create(made, { signal: session.signal });
  return showAnswer(session, webhook, { wait: wait && !pull });
}

const list = lister({
  find: ({ webhooks: all }, { signal }) => all.list({ signal }),
  columns: COLUMNS,
  none: 'There is no webhook yet: bellwire webhooks add <name> <url>',
});

async function show(session: Session, _options: object, [named]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const webhook = await client.webhooks.get(await webhookId(client, named, signal), { signal });
  session.show(webhook, () => session.facts(factsOf(webhook)));
}

function factsOf(webhook: WebhookOut): Record<string, string | null> {
  const { policy, headers, allowedRate } = webhook;
  return {
    id: webhook.id,
    name: webhook.name,
    description: webhook.description,
    url: placeOf(webhook),
    state: `${webhook.state}: ${webhook.reason}`,
    challenge: challengeFact(webhook),
    'to do': toDo(webhook),
    health: webhook.intent === 'enabled' ? null : webhook.health,
    verification: webhook.verification,
    signing: webhook.signing.join(', '),
    'public key': webhook.publicKey,
    format: webhook.format,
    headers: Object.entries(headers)
      .map(([name, value]) => `${name}: ${value}`)
      .join('; '),
    ...policyFacts(policy),
    ...accessFacts(webhook),
    'allowed rate': allowedRate === null ? null : `${allowedRate} requests per minute`,
    'former secret': webhook.secondaryUntil === null ? null : `honoured until ${webhook.secondaryUntil}`,
    'last success': webhook.lastSuccessAt ?? 'none yet',
    created: webhook.createdAt,
    updated: webhook.updatedAt,
  };
}

function placeOf({ mode, url, name, listenedUntil }: WebhookOut): string {
  if (mode === 'pull') return 'none: its deliveries are fetched';
  const isHeard = listenedUntil !== null && Date.parse(listenedUntil) > Date.now();
  if (mode === 'push') return isHeard ? `${url} (a listener stands in for it)` : url;
  return isHeard ? 'none: somebody listens for it' : `none: bellwire listen <port> --webhook ${quoted(name)}`;
}

function toDo(webhook: WebhookOut): string | null {
  const { state, name, challenge } = webhook;
  // A pending one whose attempts go on needs nobody, unless it fails.
  if (state === 'pending' && (challenge === null || challenge.ok)) return null;
  return wayOut(state, name) ?? formerSecretNote(webhook);
}

async function change(
  session: Session,
  { name, address, wait, ...options }: SettingOptions & Waiting & { name?: string; address?: string },
  [named]: [string],
): Promise<number> {
  const { signal } = session;
  const settings = await settingsOf(options, session);
  const patch: WebhookPatchIn = { ...settings, name, url: address };
  if (Object.values(patch).every((value) => value === undefined)) {
    throw usage(
      'webhooks change needs at least one option that says what to change; see: bellwire webhooks change --help',
    );
  }
  const client = await session.client();
  const webhook = await client.webhooks.change(await webhookId(client, named, signal), patch, { signal });
  // Unless it was changed in what it has to prove, the last answer is an old one.
  if (webhook.challenge === null) return showAnswer(session, webhook, { wait });
  session.show(webhook, () => [stateLine(webhook), ...onceLines(webhook, session)]);
  return EXIT.ok;
}

async function test(session: Session, _options: object, [named]: [string]): Promise<number> {
  const { signal, paint } = session;
  const client = await session.client();
  const id = await webhookId(client, named, signal);
  const result = await client.webhooks.test(id, { signal });
  const { ok, status, durationMs, error } = result.outcome;
  const { state, challenge } = result;
  const former = challenge.secret === 'former' ? formerSecretNote(await client.webhooks.get(id, { signal })) : null;
  session.show(result, () =>
    ok
      ? [
          `${paint('green', '✔')} the right answer after ${durationMs} ms; the webhook is ${state}`,
          ...(former === null ? [] : [former]),
        ]
      : [
          `${paint('red', '✖')} ${plain(error ?? `status ${status}`)}; the webhook is ${state}`,
          ...whatFollows({ name: named, state }, challenge),
        ],
  );
  return ok ? EXIT.ok : EXIT.failed;
}

async function rotate(
  session: Session,
  options: Waiting & { secret?: string; secretStdin?: boolean; grace?: string },
  [named]: [string],
): Promise<number> {
  const { signal, terminal } = session;
  const secret = options.secretStdin === true ? await readSecret(terminal, signal) : options.secret;
  const graceMs = options.grace === undefined ? undefined : spanMs(options.grace, '--grace');
  const client = await session.client();
  const webhook = await client.webhooks.rotate(await webhookId(client, named, signal), { secret, graceMs }, { signal });
  return showAnswer(session, webhook, options);
}

async function changes({ client, signal, table }: Session, _options: object, [named]: [string]): Promise<void> {
  const found = await client();
  const all = found.webhooks.changes(await webhookId(found, named, signal), { signal });
  await table(
    all,
    [
      { head: 'AT', of: ({ at }) => at },
      { head: 'STATE', of: ({ state }) => state, style: ({ state }) => STYLES[state] },
      { head: 'REASON', of: ({ reason }) => reason, least: 20 },
    ],
    'Nothing has changed yet.',
  );
}

async function remove(session: Session, { force }: { force?: boolean }, [named]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const id = await webhookId(client, named, signal);
  const open = await countOpen(client, id, signal);
  await client.webhooks.delete(id, { force, signal }).catch((error: unknown) => {
    if (!(error instanceof BellwireError) || error.code !== 'in-use') throw error;
    const whole = `with its subscriptions: bellwire webhooks rm ${quoted(named)} --force`;
    throw new Failure(`${error.detail.replace(/\.$/, '')}; ${whole} (in-use)`, EXIT.failed, 'in-use');
  });
  const fate = open === '1' ? '1 open delivery is a dead letter now' : `${open} open deliveries are dead letters now`;
  const letters = open === '0' ? '' : `; ${fate}: bellwire deliveries list --state dead`;
  session.show({ deleted: id }, () => [`${named} is gone${letters}`]);
}

/** How many deliveries are open, up to a page of them. */
async function countOpen(client: Client, webhook: string, signal: AbortSignal): Promise<string> {
  let open = 0;
  for (const state of ['scheduled', 'held'] as const) {
    const { items, next } = await client.deliveries.list({ webhook, state, limit: 500, signal }).page();
    if (next !== null) return 'more than 500';
    open += items.length;
  }
  return String(open);
}

/** What was generated and will not be shown again. */
function onceLines({ secret, standardKey }: WebhookSecretOut, { paint, facts }: Session): string[] {
  if (secret === undefined && standardKey === undefined) return [];
  return [...facts({ secret, 'standard key': standardKey }), paint('yellow', 'Keep it now: it is not shown again.')];
}
