// `bellwire job`: jobs, their runs and logs.
import type { FlowOut } from '../../api/flows/flows.ts';
import type { RunOut } from '../../api/flows/runs.ts';
import { flowColumns, flowFacts, removeFlow, renewTrigger, type FlowOptions } from './flow-commands.ts';
import { limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import { begin, follow, RUN_COLUMNS, runFacts, runNumber, showLog, type BeginOptions, type RunKind } from './runs.ts';
import { collect, type Declare, type Session } from '../session.ts';
import { plain } from '../terminal.ts';

const JOB: RunKind = {
  command: 'job',
  run: 'run',
  flows: ({ jobs }) => jobs,
  runs: ({ runs }) => runs,
};

export const jobs: Declare = (command, run) => {
  command
    .command('list')
    .description('List the jobs')
    .option('--group <group>', 'Only those of this group')
    .action(run(list));
  command.command('show <job>').description('Show a job with its document').action(run(show));
  command
    .command('run <job>')
    .description('Run a job; with --follow the exit code is the run’s')
    .option('-p, --param <name=value>', 'A parameter; repeatable', collect)
    .option('--params <file>', 'Parameters as JSON or YAML; - is stdin')
    .option('--follow', 'Show the log as it grows, until the run has ended')
    .action(run(start));
  limitOptions(
    command
      .command('runs [job]')
      .description('List the runs of a job, or of all, the newest first')
      .option('--state <state>', 'queued, running, completed, failed or aborted'),
  ).action(run(runs));
  command
    .command('log <run>')
    .description('Show the log of a run, with what became of its post-processings')
    .option('--follow', 'As it grows, until the run has ended; the exit code is the run’s')
    .option('--after <line>', 'Only lines behind this one')
    .action(run(log));
  command.command('steps <run>').description('Show the steps of a run').action(run(steps));
  command.command('abort <run>').description('End a run with everything it has started').action(run(abort));
  command
    .command('renew-trigger <job>')
    .description('Give its HTTP trigger another URL and token')
    .action(run((session, options, [named]: [string]) => renewTrigger(session, 'job', named)));
  command
    .command('delete <job>')
    .alias('rm')
    .description('Delete a job; its runs stay until retention takes them')
    .action(run((session, options, [named]: [string]) => removeFlow(session, 'job', named)));
};

const list = lister<FlowOut, FlowOptions>({
  find: ({ jobs: all }, { group, signal }) => all.list({ group, signal }),
  columns: flowColumns,
  none: 'There is no job yet: bellwire push <path>',
});

async function show(session: Session, _options: object, [named]: [string]): Promise<void> {
  const { client, signal } = session;
  const job = await (await client()).jobs.get(named, { signal });
  session.show(job, () => flowFacts(job, session));
}

function start(session: Session, options: BeginOptions, [named]: [string]): Promise<number> {
  return begin(session, options, { kind: JOB, named });
}

const runs = async (
  session: Session,
  options: LimitOptions & { state?: string },
  [named]: [string?],
): Promise<void> => {
  const { count, page } = limitsOf(options);
  const { signal } = session;
  const client = await session.client();
  // Which states there are is judged by the platform.
  const query = { state: options.state as RunOut['state'] | undefined, limit: page, signal };
  const found = named === undefined ? client.runs.list(query) : client.jobs.runs(named, query);
  await session.table(upTo(count, found), RUN_COLUMNS, 'There is no run.');
};

async function log(session: Session, options: { follow?: boolean; after?: string }, [id]: [string]): Promise<number> {
  const client = await session.client();
  const run = await client.runs.get(runNumber(id, JOB), { signal: session.signal });
  const wish = { kind: JOB, run, after: Number(options.after ?? 0) };
  return options.follow === true ? follow(session, client, wish) : showLog(session, client, wish);
}

async function steps(session: Session, _options: object, [id]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const run = await client.runs.get(runNumber(id, JOB), { signal });
  const { items } = await client.runs.steps(run.id, { signal });
  const { paint } = session;
  session.show(items, () => [
    ...session.facts(runFacts(run)),
    ...items.flatMap((step) => [
      '',
      `${paint('bold', plain(step.name ?? step.place))}  ${step.action}  ${step.state}`,
      ...session.facts({
        place: step.name === null ? null : step.place,
        tries: step.tries > 1 ? step.tries : null,
        input: step.input === null ? null : JSON.stringify(step.input),
        output: step.output === null ? null : JSON.stringify(step.output),
        error: step.error,
      }),
    ]),
  ]);
}

async function abort(session: Session, _options: object, [id]: [string]): Promise<void> {
  const run = await (await session.client()).runs.abort(runNumber(id, JOB), { signal: session.signal });
  session.show(run, () => [
    run.finishedAt === null ? `run ${run.id} was asked to end` : `run ${run.id} is ${run.state}`,
  ]);
}
