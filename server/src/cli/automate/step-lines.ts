// Steps of a run for people: what each was given, what it came to, and which branches a route took and why; read at 80 columns.
import type { RouteOutput, SkippedOutput } from '../../model/flow/route.ts';
import type { Session } from '../session.ts';
import { columnsOf, pad, plain, widthOf, type Style } from '../terminal.ts';

/** A step, of a run or of one that never was. */
export interface SeenStep {
  place: string;
  name: string | null;
  action: string;
  state: string;
  tries?: number;
  input: unknown;
  output: unknown;
  error: string | null;
  startedAt?: string;
  finishedAt?: string | null;
}

const MARKS: Readonly<Record<string, readonly [Style, string]>> = {
  completed: ['green', '✔'],
  failed: ['red', '✖'],
  aborted: ['red', '✖'],
  running: ['yellow', '…'],
  skipped: ['dim', '-'],
};

/** The lines of a step. */
export function stepLines(step: SeenStep, session: Pick<Session, 'paint' | 'terminal'>): string[] {
  const { place, name, action, state, input, output, error, tries = 1 } = step;
  const { paint } = session;
  const [style, mark] = MARKS[state] ?? ['dim', '?'];
  const facts = [
    action,
    state === 'completed' || state === 'failed' ? '' : state,
    tookOf(step),
    tries > 1 ? `${tries} tries` : '',
  ].filter((fact) => fact !== '');
  const lines = [`${paint(style, mark)} ${plain(name ?? place)}  ${facts.join('  ')}`];
  if (state === 'skipped') lines.push(...skippedLines(output as SkippedOutput | null, session));
  else if (action === 'route' && output !== null) lines.push(...branchLines(output as RouteOutput, session));
  else {
    if (input !== null) lines.push(...labelled('input', JSON.stringify(input), session));
    if (output !== null && action !== 'set') lines.push(...labelled('output', JSON.stringify(output), session));
  }
  if (error !== null) lines.push(...labelled('error', error, session));
  return lines;
}

function skippedLines(output: SkippedOutput | null, session: Pick<Session, 'terminal'>): string[] {
  const value = output === null ? '' : `: ${output.if} (${JSON.stringify(output.was)})`;
  return hanging('    ', plain(`its if does not hold${value}`), session);
}

function tookOf({ startedAt, finishedAt }: SeenStep): string {
  if (startedAt === undefined || !finishedAt) return '';
  const ms = Date.parse(finishedAt) - Date.parse(startedAt);
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

function branchLines({ branches }: RouteOutput, session: Pick<Session, 'paint' | 'terminal'>): string[] {
  return branches.flatMap(({ branch, taken, because, if: filter, was }) => {
    const value = filter === null ? '' : `: ${filter} (${JSON.stringify(was)})`;
    return hanging(`    ${taken ? '→' : ' '} ${plain(branch)}  `, `${because}${plain(value)}`, session);
  });
}

const LABEL = 8;

function labelled(label: string, text: string, session: Pick<Session, 'terminal'>): string[] {
  return hanging(`    ${pad(label, LABEL)}`, plain(text), session);
}

/** Lines beyond these say less than they take: --json shows all. */
const MOST_LINES = 12;

/** Text behind a head, folded to the screen; what goes on stands under where it began. */
function hanging(head: string, text: string, { terminal }: Pick<Session, 'terminal'>): string[] {
  const indent = Math.min(widthOf(head), 24);
  const room = Math.max(24, columnsOf(terminal) - indent);
  const lines: string[] = [];
  let line = '';
  let width = widthOf(head) - indent;
  for (const letter of text) {
    const wide = widthOf(letter);
    if (width + wide > room) {
      lines.push(line);
      [line, width] = ['', 0];
    }
    line += letter;
    width += wide;
  }
  lines.push(line);
  const shown = lines.length > MOST_LINES ? [...lines.slice(0, MOST_LINES), '…'] : lines;
  return shown.map((part, at) => (at === 0 ? head + part : ' '.repeat(indent) + part));
}
