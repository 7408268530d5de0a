// `bellwire scenario draft`, `publish`, `versions`, `diff`: what a scenario was, is, and is to be.
import type { Command } from 'commander';
import type { DraftOut } from '../../api/flows/drafts.ts';
import type { VersionOut } from '../../api/flows/versions.ts';
import { readable } from './documents.ts';
import { EXIT, usage } from '../failure.ts';
import { dryLines } from './history.ts';
import { readBytes } from '../input.ts';
import { differenceLine, hookLine } from './push.ts';
import type { Run, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { ago, plain } from '../terminal.ts';

/** Declares them. */
export function declareDrafts(command: Command, run: Run): void {
  command
    .command('draft <scenario>')
    .description('Show its draft, with what it would change (bellwire push --draft keeps one)')
    .option('--put <file>', 'Keep this document as the draft first; - is stdin')
    .option('--delete', 'Throw the draft away')
    .option('--request <id>', 'Show what the draft would do with a request that was kept')
    .option('--sample <file>', 'Show what the draft would do with this body; - is stdin')
    .action(run(draft));
  command
    .command('publish <scenario>')
    .description('Make the draft what the scenario is, from now on')
    .action(run(publish));
  command
    .command('versions <scenario>')
    .description('List the versions that are kept: the latest 20, and others while a run of them is kept')
    .action(run(versions));
  command
    .command('diff <scenario> [from] [to]')
    .description('Compare two versions: numbers, published or draft; unless said, published with draft')
    .action(run(compare));
}

interface DraftOptions {
  put?: string;
  delete?: boolean;
  request?: string;
  sample?: string;
}

async function draft(session: Session, options: DraftOptions, [named]: [string]): Promise<number> {
  const { signal, terminal } = session;
  const { scenarios } = await session.client();
  if (options.delete === true) {
    if (options.put !== undefined) throw usage('--put and --delete do not go together');
    await scenarios.deleteDraft(named, { signal });
    session.show({ deleted: named }, () => [`the draft of ${plain(named)} is gone; what is published is as it was`]);
    return EXIT.ok;
  }
  if (options.put !== undefined) {
    const text = (await readBytes(options.put, terminal, signal)).toString();
    readable([{ name: options.put, text }]);
    await scenarios.putDraft(named, text, { signal });
  }
  if (options.request !== undefined || options.sample !== undefined) return tryDraft(session, options, named);
  const found = await scenarios.draft(named, { signal });
  session.show(found, () => draftLines(found, session));
  for (const note of found.notes) session.note(plain(note));
  return EXIT.ok;
}

async function tryDraft(session: Session, { request, sample }: DraftOptions, named: string): Promise<number> {
  const { signal, terminal } = session;
  if (request !== undefined && sample !== undefined) throw usage('--request and --sample do not go together');
  const body = sample === undefined ? '' : (await readBytes(sample, terminal, signal)).toString();
  const what = request === undefined ? { send: { body } } : { request };
  const dry = await (await session.client()).scenarios.dryRun(named, { version: 'draft', ...what }, { signal });
  session.show(dry, () => dryLines(dry, session));
  return dry.status === 'completed' ? EXIT.ok : EXIT.failed;
}

function draftLines({ name, base, published, difference }: DraftOut, session: Session): string[] {
  const begun = base === null ? 'of a new scenario' : `begun from version ${base}`;
  const isLate = published !== base;
  const late = published === null ? 'it was deleted meanwhile' : `version ${published} is published by now`;
  return [
    `draft of ${plain(name)}, ${begun}`,
    ...(isLate ? [session.paint('yellow', `${late}: delete the draft and put it anew to publish it`)] : []),
    ...(difference.length === 0
      ? ['it says what is published']
      : difference.map((line) => differenceLine(line, session))),
  ];
}

async function publish(session: Session, _options: object, [named]: [string]): Promise<void> {
  const flow = await (await session.client()).scenarios.publish(named, { signal: session.signal });
  const platform = await session.href('/');
  session.show(flow, () => [
    `${plain(flow.name)} is published, version ${flow.version}`,
    ...(flow.hook === null ? [] : [hookLine(flow.hook, platform, session)]),
  ]);
}

const COLUMNS: readonly Column<VersionOut>[] = [
  { head: 'VERSION', of: ({ version }) => String(version) },
  { head: 'PUBLISHED', of: ({ published }) => (published ? 'yes' : ''), style: () => 'green' },
  { head: 'MADE', of: ({ createdAt }) => ago(createdAt, Date.now()) },
];

async function versions(session: Session, _options: object, [named]: [string]): Promise<void> {
  const found = (await session.client()).scenarios.versions(named, { signal: session.signal });
  await session.table(found, COLUMNS, 'There is no version.');
}

async function compare(
  session: Session,
  _options: object,
  [named, from, to]: [string, string | undefined, string | undefined],
): Promise<void> {
  const query = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  const { signal } = session;
  const compared = await (await session.client()).scenarios.difference(named, query, { signal });
  session.show(compared, () =>
    compared.difference.length === 0
      ? [`${compared.from} and ${compared.to} are the same`]
      : compared.difference.map((line) => differenceLine(line, session)),
  );
}
