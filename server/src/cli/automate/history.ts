// `bellwire run` and `bellwire request`: what became of requests to hooks, once more, and further on.
import type { DryRunOut, ReplyOut } from '../../api/flows/dry-runs.ts';
import type { ReplayOut } from '../../api/flows/replays.ts';
import type { RequestDetailOut, RequestOut } from '../../api/flows/requests.ts';
import type { RunDetailOut, StepOut } from '../../api/flows/run-details.ts';
import type { RunOut } from '../../api/flows/runs.ts';
import { EXIT, usage } from '../failure.ts';
import { limitOptions, limitsOf, upTo, type LimitOptions } from '../listing.ts';
import { follow, RUN_COLUMNS, runFacts, runNumber, showLog, type RunKind } from './runs.ts';
import type { Declare, Run, Session } from '../session.ts';
import { stepLines } from './step-lines.ts';
import type { Column } from '../table.ts';
import { ago, plain } from '../terminal.ts';
import type { Command } from 'commander';

const RUN: RunKind = { command: 'run', run: 'run', flows: ({ jobs }) => jobs, runs: ({ runs }) => runs };

export const runCommands: Declare = (command, run) => {
  command
    .command('show <run>')
    .description('Show a run: its request, the route it took and why, its steps, its reply')
    .action(run(showRun));
  command
    .command('log <run>')
    .description('Show the log of a run')
    .option('--follow', 'As it grows, until the run has ended; the exit code is the run’s')
    .action(run(log));
  replayCommand(command.command('replay <run>'), run);
  continueCommand(command.command('continue <run>'), run);
  command.command('abort <run>').description('End a run with everything it has started').action(run(abort));
};

export const requestCommands: Declare = (command, run) => {
  command.command('show <request>').description('Show a request to a hook, secrets masked').action(run(showRequest));
  replayCommand(command.command('replay <request>'), run);
};

/** The history of one scenario, as subcommands of `bellwire scenario`. */
export function declareHistory(command: Command, run: Run): void {
  limitOptions(
    command
      .command('runs <scenario>')
      .description('List the runs of a scenario, the newest first')
      .option('--state <state>', 'queued, running, completed, failed or aborted'),
  ).action(run(listRuns));
  limitOptions(
    command
      .command('requests <scenario>')
      .description('List the requests to its hook, those that were turned away, too')
      .option('--state <state>', 'taken, repeated, challenge, refused, unreadable or misfit'),
  ).action(run(listRequests));
  replayCommand(command.command('replay <run-or-request>'), run);
  continueCommand(command.command('continue <run>'), run);
}

interface ReplayOptions {
  dry?: boolean;
  original?: boolean;
}

function replayCommand(command: Command, run: Run): void {
  command
    .description('Work at the same request once more, as another run; --dry shows what would be done')
    .option('--dry', 'Show route, steps and reply: nothing reaches out, nothing is kept')
    .option('--original', 'By the version that the run had, not by the present one')
    .action(run(replay));
}

function continueCommand(command: Command, run: Run): void {
  command
    .description('Go on where a run failed or was aborted, by the present version: mend the scenario or a secret first')
    .action(run(goOn));
}

/* ── Runs ───────────────────────────────────────────────────────────────────────────────────────────────────── */

async function showRun(session: Session, _options: object, [named]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const run = await client.runs.get(runNumber(named, RUN), { signal });
  const { items } = await client.runs.steps(run.id, { signal });
  session.show({ ...run, steps: items }, () => linesOfRun(run, items, session));
}

function linesOfRun(run: RunDetailOut, steps: readonly StepOut[], session: Session): string[] {
  const { route, reply, operations, request, continuedBy, version } = run;
  return [
    ...session.facts({
      ...runFacts(run),
      version,
      request,
      route: route.join(', '),
      operations,
      'continued by': continuedBy,
    }),
    '',
    ...steps.flatMap((step) => stepLines(step, session)),
    ...(reply === null ? [] : ['', ...replyLines(reply)]),
  ];
}

function replyLines({ status, headers, body }: ReplyOut): string[] {
  const lines = [`reply ${status}`, ...headers.map(({ name, value }) => `  ${plain(name)}: ${plain(value)}`)];
  return body === '' ? lines : [...lines, `  ${plain(body)}`];
}

async function log(session: Session, { follow: follows }: { follow?: boolean }, [named]: [string]): Promise<number> {
  const client = await session.client();
  const run = await client.runs.get(runNumber(named, RUN), { signal: session.signal });
  const wish = { kind: RUN, run, after: 0 };
  return follows === true ? follow(session, client, wish) : showLog(session, client, wish);
}

async function abort(session: Session, _options: object, [named]: [string]): Promise<void> {
  const run = await (await session.client()).runs.abort(runNumber(named, RUN), { signal: session.signal });
  session.show(run, () => [
    run.finishedAt === null ? `run ${run.id} was asked to end` : `run ${run.id} is ${run.state}`,
  ]);
}

const listRuns = async (
  session: Session,
  options: LimitOptions & { state?: string },
  [named]: [string],
): Promise<void> => {
  const { count, page } = limitsOf(options);
  const query = { state: options.state as RunOut['state'] | undefined, limit: page, signal: session.signal };
  const found = (await session.client()).scenarios.runs(named, query);
  await session.table(upTo(count, found), RUN_COLUMNS, 'There is no run.');
};

/* ── Once more ──────────────────────────────────────────────────────────────────────────────────────────────── */

async function replay(session: Session, { dry, original }: ReplayOptions, [named]: [string]): Promise<number> {
  const { signal } = session;
  const client = await session.client();
  const isRequest = named.startsWith('req_');
  if (isRequest && original === true)
    throw usage('--original takes the number of a run: a request alone has no version');
  const how = dry === true ? { dry } : {};
  const replayed: ReplayOut = isRequest
    ? await client.requests.replay(named, how, { signal })
    : await client.runs.replay(
        runNumber(named, RUN),
        { ...how, ...(original === true ? { version: 'original' as const } : {}) },
        { signal },
      );
  session.show(replayed, () => [
    ...(replayed.dry === null ? [] : dryLines(replayed.dry, session)),
    ...(replayed.run === null ? [] : [begunLine(replayed.run)]),
  ]);
  return replayed.dry === null || replayed.dry.status === 'completed' ? EXIT.ok : EXIT.failed;
}

/** What would have been done. */
export function dryLines({ status, reason, shape, steps, reply }: DryRunOut, session: Session): string[] {
  const { paint } = session;
  const why = reason === null ? '' : `: ${plain(reason)}`;
  return [
    ...(shape === null ? [] : [`shape ${plain(shape)}`]),
    ...steps.flatMap((step) => stepLines(step, session)),
    ...replyLines(reply),
    paint(status === 'completed' ? 'green' : 'red', `${status}${why}`),
    paint('bold', 'Nothing was done: this is what a run would do.'),
  ];
}

function begunLine({ id, state }: RunOut): string {
  return `run ${id} is ${state}; bellwire run show ${id} shows what became of it`;
}

async function goOn(session: Session, _options: object, [named]: [string]): Promise<void> {
  const run = await (await session.client()).runs.continue(runNumber(named, RUN), { signal: session.signal });
  session.show(run, () => [begunLine(run)]);
}

/* ── Requests ───────────────────────────────────────────────────────────────────────────────────────────────── */

const REQUEST_COLUMNS: readonly Column<RequestOut>[] = [
  { head: 'ID', of: ({ id }) => id },
  { head: 'STATE', of: ({ state }) => state, style: ({ state }) => (state === 'taken' ? 'green' : 'yellow') },
  { head: 'RUN', of: ({ run }) => (run === null ? '' : String(run)) },
  { head: 'METHOD', of: ({ method }) => method, optional: true },
  { head: 'BYTES', of: ({ bytes }) => String(bytes), optional: true },
  { head: 'CAME', of: ({ receivedAt }) => ago(receivedAt, Date.now()), optional: true },
  { head: 'REASON', of: ({ reason }) => reason ?? '', least: 12, optional: true },
];

const listRequests = async (
  session: Session,
  options: LimitOptions & { state?: string },
  [named]: [string],
): Promise<void> => {
  const { count, page } = limitsOf(options);
  const query = { state: options.state as RequestOut['state'] | undefined, limit: page, signal: session.signal };
  const found = (await session.client()).scenarios.requests(named, query);
  await session.table(upTo(count, found), REQUEST_COLUMNS, 'There is no request.');
};

async function showRequest(session: Session, _options: object, [id]: [string]): Promise<void> {
  const request = await (await session.client()).requests.get(id, { signal: session.signal });
  session.show(request, () => requestLines(request, session));
}

function requestLines(request: RequestDetailOut, session: Session): string[] {
  const { method, query, headers, body, state, reason, erased } = request;
  const { text, base64 } = body;
  return [
    ...session.facts({
      id: request.id,
      state: reason === null ? state : `${state}: ${reason}`,
      run: request.run,
      answered: request.status,
      from: request.from,
      came: request.receivedAt,
      erased: erased ? 'what it said was erased' : null,
    }),
    '',
    `${plain(method)}${query === '' ? '' : ` ?${plain(query)}`}`,
    ...headers.map(({ name, value }) => `${plain(name)}: ${plain(value)}`),
    '',
    ...(text === null ? [`(${request.bytes} bytes, in base64)`, base64 ?? ''] : text.split('\n').map(plain)),
  ];
}
