// `bellwire post-processing`: where jobs and policy sets report to.
import type { Command } from 'commander';
import type { PostProcessingIn, PostProcessingOut, PostProcessingPatchIn } from '../../api/post-processings.ts';
import type { Client } from '../../client/index.ts';
import { didYouMean } from '../../model/near-names.ts';
import { quoted } from '../../model/webhook.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { hiddenSecret } from '../secret.ts';
import type { Declare, Session } from '../session.ts';
import { spanMs } from '../spans.ts';
import type { Column } from '../table.ts';

interface SettingOptions {
  group?: string;
  universal?: boolean;
  /** Not `--url`: that is the platform's own. */
  address?: string;
  to?: string;
  authorization?: string;
  authorizationStdin?: boolean;
  success?: string;
  interval?: string;
  timeout?: string;
  dialect?: string;
}

export const postProcessings: Declare = (command, run) => {
  settingOptions(
    command.command('add <name> [url]').description('Add a post-processing: a webhook by its URL, or an e-mail'),
  )
    .addHelpText('after', '\nThen see that it arrives: bellwire post-processing test <name>')
    .action(run(add));
  command.command('list').description('List the post-processings').action(run(list));
  command.command('show <post-processing>').description('Show one, by id or name').action(run(show));
  settingOptions(command.command('change <post-processing>').description('Change it'))
    .option('--name <name>', 'Its name')
    .option('--address <url>', 'Its URL')
    .action(run(change));
  command
    .command('test <post-processing>')
    .description('Send a test request now; exit code 1 when it is not taken')
    .option('--as <what>', 'job or policy (job)')
    .action(run(test));
  command
    .command('rm <post-processing>')
    .alias('delete')
    .description('Delete one that no job or policy set reports to')
    .action(run(remove));
};

function settingOptions(command: Command): Command {
  return command
    .option('--group <group>', 'The group it belongs to, by id or name')
    .option('--universal', 'For all groups; an e-mail only')
    .option('--to <addresses>', 'An e-mail to these, parted by commas')
    .option('--authorization <value>', 'Sent as Authorization, unchanged; "none" takes it away')
    .option('--authorization-stdin', 'Read the Authorization value from stdin')
    .option('--success <which>', 'exactly-200 or 2xx: which answers are a success (exactly-200)')
    .option('--interval <span>', 'Between two sends where none is answered; "none" is the platform’s')
    .option('--timeout <span>', 'How long one send may take; "none" is the platform’s')
    .option('--dialect <dialect>', 'cloud-automator or bellwire: who it says it is (cloud-automator)');
}

/** What the options say, in the API's fields. What a value may be is judged by the platform. */
async function settingOf(options: SettingOptions, session: Session): Promise<PostProcessingPatchIn> {
  const { group, universal, to, success, interval, timeout, dialect } = options;
  const isHidden = options.authorizationStdin === true;
  const authorization = isHidden ? await hiddenSecret(session) : options.authorization;
  const setting = {
    group,
    universal,
    recipients: to?.split(',').map((one) => one.trim()),
    authorization: authorization === 'none' && !isHidden ? null : authorization,
    success,
    intervalMs: spanOrNone(interval, '--interval'),
    timeoutMs: spanOrNone(timeout, '--timeout'),
    dialect,
  };
  return setting as PostProcessingPatchIn;
}

function spanOrNone(text: string | undefined, option: string): number | null | undefined {
  return text === undefined ? undefined : text === 'none' ? null : spanMs(text, option);
}

async function add(session: Session, options: SettingOptions, [name, url]: [string, string?]): Promise<void> {
  if ((url === undefined) === (options.to === undefined)) {
    throw usage('post-processing add needs a URL, or --to with addresses for an e-mail');
  }
  const setting = await settingOf(options, session);
  const body = { ...setting, name, kind: url === undefined ? 'email' : 'webhook', url } as PostProcessingIn;
  const made = await (await session.client()).postProcessings.create(body, { signal: session.signal });
  session.show(made, () => [
    `${made.name} is made (${made.id})`,
    `Send it a test request: bellwire post-processing test ${quoted(made.name)}`,
  ]);
}

async function list(session: Session): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const names = new Map<string, string>();
  for await (const { id, name } of client.groups.list({ signal })) names.set(id, name);
  const columns: readonly Column<PostProcessingOut>[] = [
    { head: 'NAME', of: ({ name }) => name, least: 12 },
    { head: 'GROUP', of: ({ group }) => (group === null ? '(all)' : (names.get(group) ?? group)), least: 8 },
    { head: 'KIND', of: ({ kind }) => kind },
    { head: 'TO', of: whereTo, least: 16 },
    { head: 'ID', of: ({ id }) => id, optional: true },
  ];
  const none = 'There is no post-processing yet: bellwire post-processing add <name> <url> --group <group>';
  await session.table(client.postProcessings.list({ signal }), columns, none);
}

function whereTo({ url, recipients }: PostProcessingOut): string {
  return url ?? recipients.join(', ');
}

async function show(session: Session, _options: object, [named]: [string]): Promise<void> {
  const found = await find(await session.client(), named, session.signal);
  const { group, signal } = { ...found, signal: session.signal };
  const groupName = group === null ? 'all groups' : (await (await session.client()).groups.get(group, { signal })).name;
  const span = (ms: number | null): string => (ms === null ? 'the platform’s' : `${ms} ms`);
  session.show(found, () =>
    session.facts({
      id: found.id,
      name: found.name,
      group: groupName,
      kind: found.kind,
      [found.kind === 'email' ? 'to' : 'url']: whereTo(found),
      authorization: found.kind === 'email' ? null : found.hasAuthorization ? 'set, never shown' : 'none',
      success: found.success,
      interval: span(found.intervalMs),
      timeout: span(found.timeoutMs),
      dialect: found.dialect,
      created: found.createdAt,
      updated: found.updatedAt,
    }),
  );
}

async function change(
  session: Session,
  { name, address, ...options }: SettingOptions & { name?: string },
  [named]: [string],
): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const { id } = await find(client, named, signal);
  const setting = await settingOf(options, session);
  const kind = address !== undefined ? 'webhook' : options.to !== undefined ? 'email' : undefined;
  const changes = { ...setting, name, url: address, kind } as PostProcessingPatchIn;
  const changed = await client.postProcessings.change(id, changes, { signal });
  session.show(changed, () => [`${changed.name} is changed`]);
}

async function test(session: Session, { as = 'job' }: { as?: string }, [named]: [string]): Promise<number> {
  const { signal } = session;
  const client = await session.client();
  const { id, name } = await find(client, named, signal);
  const answer = await client.postProcessings.test(id, as as 'job', { signal });
  const { ok, status, durationMs, error } = answer.outcome;
  const words = ok ? `took the test request (answered ${status})` : `did not take the test request: ${error}`;
  session.show(answer, () => [`${name} ${words}, ${durationMs} ms`]);
  return ok ? EXIT.ok : EXIT.failed;
}

async function remove(session: Session, _options: object, [named]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const { id } = await find(client, named, signal);
  await client.postProcessings.delete(id, { signal });
  session.show({ deleted: id }, () => [`${named} is gone`]);
}

async function find(client: Client, named: string, signal: AbortSignal): Promise<PostProcessingOut> {
  const all = await client.postProcessings.list({ signal }).all();
  const found = all.find(({ id, name }) => name === named || id === named);
  if (found !== undefined) return found;
  const near =
    didYouMean(
      named,
      all.map(({ name }) => name),
    ) || '; see: bellwire post-processing list';
  throw new Failure(`there is no post-processing "${named}"${near}`, EXIT.notFound, 'not-found');
}
