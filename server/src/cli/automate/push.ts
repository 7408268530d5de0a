// `bellwire push`: documents of flows and sheets to the platform, or what would change.
import type { FlowOut } from '../../api/flows/flows.ts';
import type { PushedOut, PushOut } from '../../api/flows/push.ts';
import { readDocuments, readSamples } from './documents.ts';
import { usage } from '../failure.ts';
import type { Declare, Session } from '../session.ts';
import { pad, plain, type Style } from '../terminal.ts';

interface PushOptions {
  dryRun?: boolean;
  prune?: boolean;
  draft?: boolean;
}

export const push: Declare = (command, run) => {
  command
    .argument('<path...>', 'Files, folders of .yaml files, or - for stdin')
    .option('--dry-run', 'Show what would change, and change nothing')
    .option('--draft', 'Keep scenarios as drafts, which change nothing before they are published')
    .option('--prune', 'Delete what is on the platform and in no file')
    .action(run(pushFiles));
};

async function pushFiles(session: Session, { dryRun, prune, draft }: PushOptions, paths: string[]): Promise<void> {
  if (draft && prune) throw usage('--draft and --prune do not go together: a draft deletes nothing');
  const { signal, terminal } = session;
  const files = await readDocuments(paths.flat(), terminal, signal);
  const samples = Array.from(await readSamples(files, terminal), ([name, text]) => ({ name, text }));
  const client = await session.client();
  const pushed = await client.flows.push(
    {
      files,
      ...(samples.length > 0 ? { samples } : {}),
      ...(dryRun ? { dryRun } : {}),
      ...(prune ? { prune } : {}),
      ...(draft ? { draft } : {}),
    },
    { signal },
  );
  const platform = await session.href('/');
  session.show(pushed, () => linesOf(pushed, platform, session));
  for (const note of pushed.notes) session.note(plain(note));
}

const STYLES: Readonly<Record<PushedOut['change'], Style>> = {
  created: 'green',
  changed: 'yellow',
  same: 'dim',
  deleted: 'red',
  kept: 'yellow',
  draft: 'yellow',
};
const MARKS: Readonly<Record<PushedOut['difference'][number]['mark'], Style | null>> = {
  ' ': null,
  '-': 'red',
  '+': 'green',
  '@': 'dim',
};
const WIDTH = 'changed'.length;

function linesOf({ flows, sheets, absent, dryRun }: PushOut, platform: string, session: Session): string[] {
  const { paint } = session;
  const lines = sheets.map(({ name, place, change }) => {
    return `${paint(STYLES[change], pad(change, WIDTH))}  sheet ${plain(name)} (${place})`;
  });
  for (const flow of flows) {
    const why = flow.reason === null ? '' : `: ${plain(flow.reason)}`;
    lines.push(`${paint(STYLES[flow.change], pad(flow.change, WIDTH))}  ${nameOf(flow)}${why}`);
    // All of what is new says little that the file does not.
    if (flow.change === 'changed' || flow.change === 'draft')
      lines.push(...flow.difference.map((line) => differenceLine(line, session)));
    if (flow.trigger?.authorization !== undefined) lines.push(...triggerLines(flow.trigger, session));
    if (flow.hook !== null && flow.change === 'created') lines.push(hookLine(flow.hook, platform, session));
  }
  for (const flow of absent) {
    lines.push(`${paint('dim', pad('absent', WIDTH))}  ${nameOf(flow)}: in no file; --prune deletes it`);
  }
  if (dryRun) lines.push(paint('bold', 'Nothing was changed: this is what a push would do.'));
  return lines;
}

/** What kinds of flows are called. */
export const KIND_WORDS: Readonly<Record<PushedOut['kind'], string>> = {
  job: 'job',
  'policy-set': 'policy set',
  scenario: 'scenario',
};

function nameOf({ kind, name }: Pick<PushedOut, 'kind' | 'name'>): string {
  return `${KIND_WORDS[kind]} ${plain(name)}`;
}

/** A line of what changed between two documents. */
export function differenceLine(
  { mark, text }: PushedOut['difference'][number],
  { paint }: Pick<Session, 'paint'>,
): string {
  const style = MARKS[mark];
  const line = `    ${mark === '@' ? '@@ ' : `${mark} `}${plain(text)}`;
  return style === null ? line : paint(style, line);
}

/** Where the hook of a scenario is, and who may call it. */
export function hookLine(
  { path, verify, observe }: NonNullable<FlowOut['hook']>,
  platform: string,
  { paint }: Pick<Session, 'paint'>,
): string {
  const whose = verify === null ? 'anybody may call it' : `verified: ${verify}${observe ? ', observed only' : ''}`;
  return `    ${paint('dim', 'hook')}  ${new URL(path, platform).href}  ${paint('dim', whose)}`;
}

/** How to pull the trigger; its token is shown this once. */
export function triggerLines(
  { path, authorization }: { path: string; authorization?: string },
  { paint }: Pick<Session, 'paint'>,
): string[] {
  return [
    `    ${paint('dim', 'trigger')}  POST ${path}`,
    ...(authorization === undefined ? [] : [`    ${paint('dim', 'shown once')}  Authorization: ${authorization}`]),
  ];
}
