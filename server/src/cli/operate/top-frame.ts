// The frame of `bellwire top`: what is known, drawn into so many columns and rows. A pure function of its state.
import type { OverviewOut, WorstOut } from '../../api/overview.ts';
import { clip, pad, plain, widthOf, type Style } from '../terminal.ts';

/** What the worst webhooks are the worst by. */
export type TopSort = 'backlog' | 'failures' | 'latency';

/** What is drawn. */
export interface TopState {
  url: string;
  /** The latest answer, or null before the first. */
  overview: OverviewOut | null;
  /** Why there is no newer answer, as a clause; null while there are answers. */
  trouble: string | null;
  sort: TopSort;
  isPaused: boolean;
  /** Keys are read: the last line names them. */
  hasKeys: boolean;
}

/** Where it is drawn. */
export interface TopScreen {
  columns: number;
  rows: number;
  paint(style: Style, text: string): string;
}

/** Cells before the sparkline: label, rate, unit. */
const LABEL = 11;
const RATE = 6;
const SPARKS = '▁▂▃▄▅▆▇█';
/** Lines around the list of webhooks. */
const AROUND = 11;
/** Seconds whose mean is shown as the rate. */
const RATE_SECONDS = 5;

/** How many webhooks a screen of so many rows has room for. */
export function roomForWebhooks(rows: number): number {
  return Math.max(1, rows - AROUND);
}

/** The frame: exactly as many lines as there are rows, none wider than the columns. */
export function drawTop(state: TopState, screen: TopScreen): string[] {
  const { overview } = state;
  const head = headLine(state, screen);
  const foot = footLine(state, screen);
  const body =
    overview === null ? ['', clip('Waiting for the first answer …', screen.columns)] : bodyOf(overview, screen);
  const rows = Math.max(0, screen.rows - 2);
  const filled = [...body.slice(0, rows), ...Array.from({ length: Math.max(0, rows - body.length) }, () => '')];
  return [head, ...filled, foot].slice(0, screen.rows);
}

function headLine({ url, overview, isPaused }: TopState, { columns, paint }: TopScreen): string {
  const where = overview?.workspace ?? (overview === null ? '' : 'all workspaces');
  const left = ['bellwire', overview?.version, plain(url), plain(where)].filter((part) => part).join('  ');
  const time = overview === null ? '' : `${overview.at.slice(11, 19)} UTC`;
  const right = isPaused ? `paused  ${time}` : time;
  return paint('bold', edges(left, right, columns));
}

function footLine({ trouble, sort, hasKeys }: TopState, { columns, paint }: TopScreen): string {
  if (trouble !== null) return paint('red', clip(`No answer: ${plain(trouble)}. Trying on …`, columns));
  const keys = hasKeys ? 'b backlog  f failures  l latency  p pause  q quit' : '';
  return paint('dim', edges(keys, `worst by ${sort}`, columns));
}

/** Two texts at the two edges; of the left one as much as there is room for. */
function edges(left: string, right: string, columns: number): string {
  const end = clip(right, columns);
  const room = columns - widthOf(end) - 1;
  return room < 1 ? end : `${pad(clip(left, room), room)} ${end}`;
}

function bodyOf(overview: OverviewOut, screen: TopScreen): string[] {
  const { rates, worst } = overview;
  const { columns, paint } = screen;
  return [
    rateLine('accepted', rates.accepted, { ...screen, style: 'cyan' }),
    rateLine('delivered', rates.delivered, { ...screen, style: 'green' }),
    rateLine('failed', rates.failed, { ...screen, style: 'red' }),
    ...factLines(overview).map((line) => clip(line, columns)),
    '',
    ...tableOf(worst, screen),
    ...(worst.length === 0
      ? [paint('dim', clip('No webhook has anything open, or was sent anything of late.', columns))]
      : []),
  ];
}

function rateLine(
  label: string,
  perSecond: readonly number[],
  { columns, paint, style }: TopScreen & { style: Style },
): string {
  const latest = perSecond.slice(-RATE_SECONDS);
  const rate = latest.reduce((sum, each) => sum + each, 0) / latest.length;
  const line = `${pad(label, LABEL)}${rateOf(rate).padStart(RATE)}/s `;
  const spark = sparkline(perSecond.slice(-Math.max(1, columns - widthOf(line))));
  return columns <= widthOf(line) ? clip(line, columns) : line + paint(style, spark);
}

/** One cell for each value, the highest one full; what is not zero is seen. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(...values, 0);
  return values
    .map((value) => (value === 0 || most === 0 ? ' ' : SPARKS[Math.ceil((value / most) * SPARKS.length) - 1]))
    .join('');
}

function factLines({ latencyMs, deliveries, webhooks, node }: OverviewOut): string[] {
  const { scheduled, held, dead, oldestDueMs } = deliveries;
  const facts = (label: string, all: readonly string[]): string => pad(label, LABEL) + all.join('  ');
  const states = Object.entries(webhooks).map(([state, count]) => `${quantity(count)} ${state}`);
  const latency =
    latencyMs === null
      ? ['nothing was delivered in the last minute']
      : [`p50 ${span(latencyMs.p50)}`, `p95 ${span(latencyMs.p95)}`, `p99 ${span(latencyMs.p99)}`];
  const due = oldestDueMs < 1_000 ? [] : [`oldest due for ${span(oldestDueMs)}`];
  return [
    facts('latency', latency),
    facts('backlog', [`${quantity(scheduled)} scheduled`, `${quantity(held)} held`, `${quantity(dead)} dead`, ...due]),
    facts('webhooks', states.length === 0 ? ['none'] : states),
    ...(node === null
      ? []
      : [
          facts('node', [
            `${quantity(node.underWay)} of ${quantity(node.places)} places`,
            `${quantity(node.ready)} in memory`,
            `${quantity(node.connections)} conns`,
            `${quantity(node.runs)} runs`,
            `${node.lanes} lanes`,
            `${Math.round(node.memoryBytes / 1e6)} MB`,
          ]),
        ]),
  ];
}

/* ── The worst webhooks ─────────────────────────────────────────────────────────────────────────────────────── */

interface TopColumn {
  head: string;
  width: number;
  isNumber?: true;
  of(worst: WorstOut): string;
  style?(worst: WorstOut): Style | null;
}

const STATE_STYLES: Readonly<Record<string, Style>> = { critical: 'red', warning: 'yellow', pending: 'yellow' };

const NUMBERS: readonly TopColumn[] = [
  { head: 'state', width: 8, of: ({ state }) => state, style: ({ state }) => STATE_STYLES[state] ?? null },
  { head: 'open', width: 6, isNumber: true, of: ({ open }) => quantity(open) },
  { head: 'due', width: 6, isNumber: true, of: ({ oldestDueMs }) => (oldestDueMs === null ? '' : span(oldestDueMs)) },
  {
    head: 'failed/5m',
    width: 11,
    isNumber: true,
    of: failedOf,
    style: ({ failures }) => (failures > 0 ? 'red' : null),
  },
  { head: 'answer', width: 6, isNumber: true, of: ({ answerMs }) => (answerMs === null ? '' : span(answerMs)) },
];

function failedOf({ attempts, failures }: WorstOut): string {
  return attempts === 0 ? '' : `${quantity(failures)}/${quantity(attempts)}`;
}

const GAP = 2;

// Widths do not follow what stands in the cells: the eye finds each at its place in the next frame, too.
function columnsOf(worst: readonly WorstOut[], columns: number): TopColumn[] {
  const isOnePlace = worst.every(({ workspace }) => workspace === worst[0]?.workspace);
  const fixed = NUMBERS.reduce((sum, { width }) => sum + width + GAP, 0);
  const place: TopColumn[] = isOnePlace ? [] : [{ head: 'workspace', width: 9, of: ({ workspace }) => workspace }];
  const room = columns - fixed - place.reduce((sum, { width }) => sum + width + GAP, 0);
  const name = Math.max(8, Math.min(24, Math.floor(room * 0.55)));
  const error = room - name - GAP;
  return [
    { head: 'webhook', width: name, of: ({ name: named }) => named },
    ...place,
    ...NUMBERS,
    ...(error < 8 ? [] : [{ head: 'last error', width: error, of: (one: WorstOut) => one.error ?? '' }]),
  ];
}

function tableOf(worst: readonly WorstOut[], { columns, paint }: TopScreen): string[] {
  const shown = columnsOf(worst, columns);
  const line = (cell: (column: TopColumn) => string, style: (column: TopColumn) => Style | null): string => {
    let used = 0;
    const cells = shown.flatMap((column) => {
      const width = Math.min(column.width, columns - used);
      used += width + GAP;
      if (width < 1) return [];
      const text = clip(plain(cell(column)), width);
      const filled = column.isNumber ? ' '.repeat(width - widthOf(text)) + text : pad(text, width);
      const named = style(column);
      return [named === null ? filled : paint(named, filled)];
    });
    return cells.join(' '.repeat(GAP));
  };
  return [
    line(
      ({ head }) => head,
      () => 'dim',
    ),
    ...worst.map((one) =>
      line(
        (column) => column.of(one),
        (column) => column.style?.(one) ?? null,
      ),
    ),
  ];
}

/* ── Quantities ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** A count in at most six cells: `9,999`, `123k`, `1.2M`. */
export function quantity(count: number): string {
  if (count < 100_000) return Math.round(count).toLocaleString('en');
  if (count < 1_000_000) return `${Math.floor(count / 1_000)}k`;
  return `${(Math.floor(count / 100_000) / 10).toFixed(1)}M`;
}

function rateOf(rate: number): string {
  return rate > 0 && rate < 10 ? rate.toFixed(1) : quantity(rate);
}

/** A span in at most six cells: `12 ms`, `1.2 s`, `3 min`. */
export function span(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  if (seconds < 5_970) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
