// Runs and evaluations on the command line: begun, followed, listed, their logs shown. What `job` and `policy` share.
import { setTimeout as pause } from 'node:timers/promises';
import type { LogOut } from '../../api/flows/run-details.ts';
import type { FlowDetailOut } from '../../api/flows/flows.ts';
import type { RunOut } from '../../api/flows/runs.ts';
import type { Client, LogLine } from '../../client/index.ts';
import { EXIT, usage } from '../failure.ts';
import { readInput } from '../input.ts';
import type { Session } from '../session.ts';
import type { Column } from '../table.ts';
import { ago, plain, type Style } from '../terminal.ts';

/** What differs between jobs and policy sets, in words and calls. */
export interface RunKind {
  /** The command: `job` or `policy`. */
  command: string;
  /** One of what it runs. */
  run: string;
  flows(client: Client): Pick<Client['jobs'], 'get' | 'run'>;
  runs(client: Client): Pick<Client['runs'], 'follow' | 'log' | 'abort'> & {
    get(id: number, call?: { signal?: AbortSignal }): Promise<RunOut>;
  };
}

/** How often a log that was followed is looked at for what became of its post-processings, and how far apart. */
const REPORT_LOOKS = 10;
const REPORT_LOOK_MS = 200;

const STYLES: Readonly<Record<RunOut['state'], Style>> = {
  queued: 'dim',
  running: 'yellow',
  completed: 'green',
  failed: 'red',
  aborted: 'red',
};

/** The columns of a list of runs. */
export const RUN_COLUMNS: readonly Column<RunOut>[] = [
  { head: 'ID', of: ({ id }) => String(id) },
  { head: 'NAME', of: ({ name }) => name, least: 10 },
  { head: 'STATE', of: ({ state }) => state, style: ({ state }) => STYLES[state] },
  { head: 'BEGUN BY', of: ({ cause }) => causeOf(cause), least: 8 },
  { head: 'TOOK', of: tookOf },
  { head: 'ASKED FOR', of: ({ createdAt }) => ago(createdAt, Date.now()), optional: true },
  { head: 'REASON', of: ({ reason }) => reason ?? '', least: 10, optional: true },
];

function causeOf(cause: RunOut['cause']): string {
  if (cause.by === 'hand') return `hand (${cause.key})`;
  if (cause.by === 'continue') return `continuing ${cause.run} (${cause.key})`;
  if (cause.by === 'replay') return `replay${cause.run === null ? '' : ` of ${cause.run}`} (${cause.key})`;
  return cause.by === 'event' ? cause.type : cause.by;
}

function tookOf({ startedAt, finishedAt }: RunOut): string {
  if (startedAt === null || finishedAt === null) return '';
  const ms = Date.parse(finishedAt) - Date.parse(startedAt);
  return ms < 1_000 ? `${ms} ms` : `${(ms / 1_000).toFixed(1)} s`;
}

/** Options of `run`. */
export interface BeginOptions {
  param?: readonly string[];
  params?: string;
  follow?: boolean;
}

/** Asks for a run, and follows it where that is wished. */
export async function begin(
  session: Session,
  options: BeginOptions,
  { kind, named }: { kind: RunKind; named: string },
) {
  const { signal } = session;
  const client = await session.client();
  const params = await paramsOf(session, options, () => kind.flows(client).get(named, { signal }));
  const run = await kind.flows(client).run(named, { params }, { signal });
  if (options.follow === true) return follow(session, client, { kind, run, after: 0 });
  const what = `${kind.run} ${run.id}`;
  session.show(run, () => [`${what} is ${run.state}; bellwire ${kind.command} log ${run.id} --follow shows its log`]);
  return run.state === 'failed' ? EXIT.failed : EXIT.ok;
}

/** `-p name=value`, each read by the type its flow declares: texts are all that a command line has. */
async function paramsOf(
  { terminal, signal }: Session,
  { param = [], params: file }: BeginOptions,
  find: () => Promise<FlowDetailOut>,
): Promise<Record<string, unknown>> {
  const given = file === undefined ? {} : await readInput(file, terminal, signal);
  if (typeof given !== 'object' || given === null || Array.isArray(given)) throw usage(`${file} must hold an object`);
  if (param.length === 0) return { ...given };
  const declared = (await find()).params as Record<string, { type?: string } | undefined>;
  const pairs = param.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw usage(`-p takes name=value, not "${text}"`);
    const name = text.slice(0, at);
    const type = Object.hasOwn(declared, name) ? declared[name]?.type : undefined;
    return [name, typed(text.slice(at + 1), type)] as const;
  });
  return { ...given, ...Object.fromEntries(pairs) };
}

// What does not read as its type stays a text: the platform says what is wrong with it.
function typed(text: string, type: string | undefined): unknown {
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  if ((type === 'number' || type === 'integer') && /^-?\d+(?:\.\d+)?(?:e[+-]?\d+)?$/i.test(text)) return Number(text);
  return text;
}

/** Shows the log of a run as it grows; the exit code is the run's. */
export async function follow(
  session: Session,
  client: Client,
  { kind, run, after }: { kind: RunKind; run: RunOut; after: number },
): Promise<number> {
  const { signal } = session;
  const runs = kind.runs(client);
  if (run.finishedAt === null) {
    session.note(`${kind.run} ${run.id}: Ctrl-C leaves it running; bellwire ${kind.command} abort ${run.id} ends it`);
  }
  const lines = runs.follow(run.id, { after, signal });
  let next = await lines.next();
  for (; next.done !== true; next = await lines.next()) showLine(next.value, { kind, session });
  showReports(await withReports(next.value, { runs, run, session }), { kind, run, session });
  const ended = await runs.get(run.id, { signal });
  session.show(ended, () => [endOf(ended, session)]);
  return exitOf(ended);
}

/** The end of a log with what became of the post-processings: whoever answers does so in a moment, which they are given. */
async function withReports(
  end: LogOut,
  { runs, run, session }: { runs: ReturnType<RunKind['runs']>; run: RunOut; session: Session },
): Promise<LogOut> {
  const { signal } = session;
  let log = end;
  for (let looks = 0; log.pending > 0 && looks < REPORT_LOOKS; looks++) {
    await pause(REPORT_LOOK_MS, undefined, { signal });
    log = await runs.log(run.id, { after: log.next, signal });
  }
  return log;
}

/** The log so far. */
export async function showLog(
  session: Session,
  client: Client,
  { kind, run, after }: { kind: RunKind; run: RunOut; after: number },
): Promise<number> {
  for (let from = after; ;) {
    const seen = await kind.runs(client).log(run.id, { after: from, signal: session.signal });
    for (const line of seen.items) showLine(line, { kind, session });
    if (seen.next === from || seen.items.length === 0 || seen.ended) {
      showReports(seen, { kind, run, session });
      return EXIT.ok;
    }
    from = seen.next;
  }
}

function showLine(line: LogLine, { kind, session }: { kind: RunKind; session: Session }): void {
  const { paint } = session;
  const style = line.stream === 'error' ? 'red' : line.stream === 'note' ? 'dim' : null;
  // A rule's name says what a line is about; the place of a step seldom does.
  const about = kind.command === 'policy' && line.place !== '' ? `${plain(line.place)}: ` : '';
  const text = about + plain(line.text);
  session.show(line, () => [`${paint('dim', timeOf(line.at))}  ${style === null ? text : paint(style, text)}`]);
}

function showReports(log: LogOut, { kind, run, session }: { kind: RunKind; run: RunOut; session: Session }): void {
  const { paint } = session;
  for (const report of log.reports) {
    const text = report.isFailure ? paint('red', plain(report.text)) : plain(report.text);
    session.show({ report }, () => [`${paint('dim', timeOf(report.at))}  ${text}`]);
  }
  if (log.pending === 0) return;
  const what = log.pending === 1 ? '1 post-processing is' : `${log.pending} post-processings are`;
  session.note(`${what} still being sent: bellwire ${kind.command} log ${run.id} shows what became of it`);
}

function timeOf(instant: string): string {
  return instant.slice(11, 23);
}

function endOf(run: RunOut, { paint }: Session): string {
  const took = tookOf(run);
  const rest = [took === '' ? '' : ` in ${took}`, run.reason === null ? '' : `: ${plain(run.reason)}`].join('');
  return `${paint(STYLES[run.state], run.state)}${rest}`;
}

function exitOf({ state }: RunOut): number {
  if (state === 'completed') return EXIT.ok;
  return state === 'aborted' ? EXIT.aborted : EXIT.failed;
}

/** The number of a run, as an argument gives it. */
export function runNumber(text: string, kind: Pick<RunKind, 'run' | 'command'>): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usage(`the ${kind.run} is named by its number, as bellwire ${kind.command} runs lists it, not "${text}"`);
}

/** The facts of a run. */
export function runFacts(run: RunOut): Record<string, string | number | null> {
  return {
    id: run.id,
    name: run.name,
    state: run.reason === null ? run.state : `${run.state}: ${run.reason}`,
    'begun by': causeOf(run.cause),
    params: Object.keys(run.params).length === 0 ? null : JSON.stringify(run.params),
    asked: run.createdAt,
    begun: run.startedAt,
    ended: run.finishedAt,
    took: tookOf(run),
    'abort asked by': run.abortAsked,
  };
}
