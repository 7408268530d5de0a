// `bellwire push`: documents of jobs and policy sets to the platform, or what would change.
import type { PushedOut, PushOut } from '../api/flows/push.ts';
import { readDocuments } from './documents.ts';
import type { Declare, Session } from './session.ts';
import { pad, plain, type Style } from './terminal.ts';

interface PushOptions {
  dryRun?: boolean;
  prune?: boolean;
}

export const push: Declare = (command, run) => {
  command
    .argument('<path...>', 'Files, folders of .yaml files, or - for stdin')
    .option('--dry-run', 'Show what would change, and change nothing')
    .option('--prune', 'Delete what is on the platform and in no file')
    .action(run(pushFiles));
};

async function pushFiles(session: Session, { dryRun, prune }: PushOptions, paths: string[]): Promise<void> {
  const { signal, terminal } = session;
  const files = await readDocuments(paths.flat(), terminal, signal);
  const client = await session.client();
  const pushed = await client.flows.push(
    { files, ...(dryRun ? { dryRun } : {}), ...(prune ? { prune } : {}) },
    { signal },
  );
  session.show(pushed, () => linesOf(pushed, session));
  for (const note of pushed.notes) session.note(plain(note));
}

const STYLES: Readonly<Record<PushedOut['change'], Style>> = {
  created: 'green',
  changed: 'yellow',
  same: 'dim',
  deleted: 'red',
  kept: 'yellow',
};
const MARKS: Readonly<Record<PushedOut['difference'][number]['mark'], Style | null>> = {
  ' ': null,
  '-': 'red',
  '+': 'green',
  '@': 'dim',
};
const WIDTH = 'changed'.length;

function linesOf({ flows, absent, dryRun }: PushOut, session: Session): string[] {
  const { paint } = session;
  const lines: string[] = [];
  for (const flow of flows) {
    const why = flow.reason === null ? '' : `: ${plain(flow.reason)}`;
    lines.push(`${paint(STYLES[flow.change], pad(flow.change, WIDTH))}  ${nameOf(flow)}${why}`);
    // All of what is new says little that the file does not.
    if (flow.change === 'changed') lines.push(...flow.difference.map((line) => differenceLine(line, session)));
    if (flow.trigger?.authorization !== undefined) lines.push(...triggerLines(flow.trigger, session));
  }
  for (const flow of absent) {
    lines.push(`${paint('dim', pad('absent', WIDTH))}  ${nameOf(flow)}: in no file; --prune deletes it`);
  }
  if (dryRun) lines.push(paint('bold', 'Nothing was changed: this is what a push would do.'));
  return lines;
}

function nameOf({ kind, name }: Pick<PushedOut, 'kind' | 'name'>): string {
  return `${kind === 'job' ? 'job' : 'policy set'} ${plain(name)}`;
}

function differenceLine({ mark, text }: PushedOut['difference'][number], { paint }: Session): string {
  const style = MARKS[mark];
  const line = `    ${mark === '@' ? '@@ ' : `${mark} `}${plain(text)}`;
  return style === null ? line : paint(style, line);
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
