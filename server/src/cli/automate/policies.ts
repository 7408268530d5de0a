// `bellwire policy`: policy sets, their evaluations, what those found.
import type { ResultOut, RuleOut } from '../../api/flows/evaluations.ts';
import type { FlowOut } from '../../api/flows/flows.ts';
import type { RunOut } from '../../api/flows/runs.ts';
import { flowColumns, flowFacts, removeFlow, renewTrigger, type FlowOptions } from './flow-commands.ts';
import { countOf, limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import { begin, follow, RUN_COLUMNS, runFacts, runNumber, showLog, type BeginOptions, type RunKind } from './runs.ts';
import { collect, type Declare, type Session } from '../session.ts';
import type { Column } from '../table.ts';
import { plain, type Style } from '../terminal.ts';

const POLICY: RunKind = {
  command: 'policy',
  run: 'evaluation',
  flows: ({ policySets }) => policySets,
  runs: ({ evaluations }) => evaluations,
};

export const policies: Declare = (command, run) => {
  command
    .command('list')
    .description('List the policy sets')
    .option('--group <group>', 'Only those of this group')
    .action(run(list));
  command.command('show <policy-set>').description('Show a policy set with its document').action(run(show));
  command
    .command('run <policy-set>')
    .description('Evaluate a policy set; with --follow the exit code is the evaluation’s')
    .option('-p, --param <name=value>', 'A parameter; repeatable', collect)
    .option('--params <file>', 'Parameters as JSON or YAML; - is stdin')
    .option('--follow', 'Show the log as it grows, until it has ended')
    .action(run(start));
  limitOptions(
    command
      .command('runs [policy-set]')
      .description('List the evaluations of a policy set, or of all, the newest first')
      .option('--state <state>', 'queued, running, completed, failed or aborted'),
  ).action(run(evaluations));
  command
    .command('log <evaluation>')
    .description('Show the log of an evaluation, with what became of its post-processings')
    .option('--follow', 'As it grows, until it has ended; the exit code is the evaluation’s')
    .option('--after <line>', 'Only lines behind this one')
    .action(run(log));
  limitOptions(
    command
      .command('results <evaluation>')
      .description('Show what an evaluation found: what does not comply first')
      .option('--rule <rule>', 'Only of this rule')
      .option('--compliance <word>', 'COMPLIANT, NON_COMPLIANT, NOT_APPLICABLE or INSUFFICIENT_DATA'),
  ).action(run(results));
  command
    .command('history <policy-set> <rule> <resource>')
    .description('Show what a resource was found to be over time')
    .option('--limit <n>', 'At most so many changes (100)')
    .action(run(history));
  command.command('abort <evaluation>').description('End an evaluation').action(run(abort));
  command
    .command('renew-trigger <policy-set>')
    .description('Give its HTTP trigger another URL and token')
    .action(run((session, options, [named]: [string]) => renewTrigger(session, 'policy', named)));
  command
    .command('delete <policy-set>')
    .alias('rm')
    .description('Delete a policy set; its evaluations stay until retention takes them')
    .action(run((session, options, [named]: [string]) => removeFlow(session, 'policy', named)));
};

const list = lister<FlowOut, FlowOptions>({
  find: ({ policySets }, { group, signal }) => policySets.list({ group, signal }),
  columns: flowColumns,
  none: 'There is no policy set yet: bellwire push <path>',
});

async function show(session: Session, _options: object, [named]: [string]): Promise<void> {
  const { client, signal } = session;
  const set = await (await client()).policySets.get(named, { signal });
  session.show(set, () => flowFacts(set, session));
}

function start(session: Session, options: BeginOptions, [named]: [string]): Promise<number> {
  return begin(session, options, { kind: POLICY, named });
}

async function evaluations(
  session: Session,
  options: LimitOptions & { state?: string },
  [named]: [string?],
): Promise<void> {
  const { count, page } = limitsOf(options);
  const { signal } = session;
  const client = await session.client();
  const query = { state: options.state as RunOut['state'] | undefined, limit: page, signal };
  const found = named === undefined ? client.evaluations.list(query) : client.policySets.runs(named, query);
  await session.table(upTo(count, found), RUN_COLUMNS, 'There is no evaluation.');
}

async function log(session: Session, options: { follow?: boolean; after?: string }, [id]: [string]): Promise<number> {
  const client = await session.client();
  const run = await client.evaluations.get(runNumber(id, POLICY), { signal: session.signal });
  const wish = { kind: POLICY, run, after: Number(options.after ?? 0) };
  return options.follow === true ? follow(session, client, wish) : showLog(session, client, wish);
}

/* ── What was found ─────────────────────────────────────────────────────────────────────────────────────────── */

const STYLES: Readonly<Record<string, Style>> = {
  COMPLIANT: 'green',
  NON_COMPLIANT: 'red',
  INSUFFICIENT_DATA: 'yellow',
  NOT_APPLICABLE: 'dim',
};

const RULE_COLUMNS: readonly Column<RuleOut>[] = [
  { head: 'RULE', of: ({ rule }) => rule, least: 12 },
  { head: 'STATUS', of: ({ status }) => status, style: ({ status }) => (status === 'failed' ? 'red' : 'green') },
  { head: 'FOUND', of: ({ counts }) => foundOf(counts), least: 12 },
  { head: 'CHANGES', of: ({ changes }) => (changes === 0 ? '' : String(changes)) },
  { head: 'REASON', of: ({ reason }) => reason ?? '', least: 12, optional: true },
];

function foundOf(counts: Readonly<Record<string, number>>): string {
  const words = Object.entries(counts).filter(([, count]) => count > 0);
  return words.length === 0 ? 'nothing' : words.map(([word, count]) => `${count} ${word}`).join(', ');
}

const RESULT_COLUMNS: readonly Column<ResultOut>[] = [
  { head: 'COMPLIANCE', of: ({ compliance }) => compliance, style: ({ compliance }) => STYLES[compliance] },
  { head: 'RULE', of: ({ rule }) => rule, least: 12 },
  { head: 'RESOURCE', of: ({ id }) => id, least: 16, keepEnd: true },
  { head: 'NAME', of: ({ id, name }) => (name === id ? '' : name), least: 8, optional: true },
  { head: 'DETAIL', of: ({ detail }) => detail ?? '', least: 8, optional: true },
  { head: 'BEFORE', of: ({ compliance, before }) => (before === compliance ? '' : (before ?? '')), optional: true },
];

interface ResultOptions extends LimitOptions {
  rule?: string;
  compliance?: string;
}

async function results(session: Session, options: ResultOptions, [id]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const evaluation = await client.evaluations.get(runNumber(id, POLICY), { signal });
  const { count, page } = limitsOf(options);
  if (!session.json) {
    for (const line of session.facts(runFacts(evaluation))) session.say(line);
    session.say('');
    await session.table(each(evaluation.rules), RULE_COLUMNS, 'No rule was evaluated.');
    session.say('');
  }
  const query = { rule: options.rule, compliance: options.compliance, limit: page, signal };
  const found = upTo(count, client.evaluations.results(evaluation.id, query));
  await session.table(found, RESULT_COLUMNS, 'It found nothing.');
}

async function* each<Item>(items: readonly Item[]): AsyncGenerator<Item, void, void> {
  yield* items;
}

async function history(
  session: Session,
  options: { limit?: string },
  [set, rule, resource]: [string, string, string],
): Promise<void> {
  const { signal, paint } = session;
  const limit = countOf(options.limit ?? '100', '--limit');
  const { items } = await (await session.client()).policySets.history(set, { rule, resource, limit }, { signal });
  session.show(items, () =>
    items.length === 0
      ? [`Nothing is known of ${plain(resource)} under ${plain(rule)}.`]
      : items.map(({ at, compliance, detail, evaluation }) => {
          const why = detail === null ? '' : `  ${plain(detail)}`;
          return `${paint('dim', at)}  ${paint(STYLES[compliance] ?? 'dim', plain(compliance))}${why}  (evaluation ${evaluation})`;
        }),
  );
}

async function abort(session: Session, _options: object, [id]: [string]): Promise<void> {
  const run = await (await session.client()).evaluations.abort(runNumber(id, POLICY), { signal: session.signal });
  session.show(run, () => [
    run.finishedAt === null ? `evaluation ${run.id} was asked to end` : `evaluation ${run.id} is ${run.state}`,
  ]);
}
