// `bellwire scenario`: scenarios and their hooks, and what one would do with a request.
import type { FlowOut } from '../../api/flows/flows.ts';
import { readable } from './documents.ts';
import { declareDrafts } from './drafts.ts';
import { usage } from '../failure.ts';
import { flowColumns, flowFacts, removeFlow, type FlowOptions } from './flow-commands.ts';
import { declareHistory } from './history.ts';
import { readBytes } from '../input.ts';
import { lister } from '../listing.ts';
import { hookLine } from './push.ts';
import { runScenario } from './scenario-run.ts';
import { collect, type Declare, type Session } from '../session.ts';
import { plain } from '../terminal.ts';

export const scenarios: Declare = (command, run) => {
  declareHistory(command, run);
  declareDrafts(command, run);
  command
    .command('list')
    .description('List the scenarios with their hooks')
    .option('--group <group>', 'Only those of this group')
    .action(run(list));
  command.command('show <scenario>').description('Show a scenario with its document').action(run(show));
  command
    .command('put <file>')
    .description('Make or replace a scenario by a document that names no samples; - is stdin (bellwire push takes any)')
    .action(run(put));
  command
    .command('run <scenario> [path...]')
    .description('Show what a scenario would do with a request, step by step; needs no platform, does nothing')
    .option('--sample <file>', 'The body; - is stdin')
    .option('--method <method>', 'POST when left out')
    .option('--query <text>', 'What stands behind the ? of the URL')
    .option('--header <name: value>', 'A header; repeatable', collect)
    .option('--secret <name=value>', 'A secret; repeatable. Those left out have stand-ins', collect)
    .addHelpText(
      'after',
      '\nDocuments are those of the paths, or of the folder flows. Exit code 1: it would fail or be refused.',
    )
    .action(run(runScenario));
  command
    .command('url <scenario>')
    .description('Show the URL of its hook')
    .option('--renew', 'Give it another one first; the former one ends at once')
    .action(run(url));
  command
    .command('delete <scenario>')
    .alias('rm')
    .description('Delete a scenario; its hook answers 410 from then on')
    .action(run((session, options, [named]: [string]) => removeFlow(session, 'scenario', named)));
};

const list = lister<FlowOut, FlowOptions>({
  find: ({ scenarios: all }, { group, signal }) => all.list({ group, signal }),
  columns: flowColumns,
  none: 'There is no scenario yet: bellwire push <path>',
});

async function show(session: Session, _options: object, [named]: [string]): Promise<void> {
  const scenario = await (await session.client()).scenarios.get(named, { signal: session.signal });
  session.show(scenario, () => flowFacts(scenario, session));
}

async function put(session: Session, _options: object, [file]: [string]): Promise<void> {
  const { signal, terminal } = session;
  const text = (await readBytes(file, terminal, signal)).toString();
  const [only, second] = readable([{ name: file, text }]);
  if (only?.flow.kind !== 'scenario' || second !== undefined)
    throw usage(`${file} is not one scenario; bellwire push takes any`);
  const kept = await (await session.client()).scenarios.put(only.flow.name, text, { signal });
  const platform = await session.href('/');
  session.show(kept, () => [
    `${plain(kept.name)} is kept, version ${kept.version}`,
    ...(kept.hook === null ? [] : [hookLine(kept.hook, platform, session)]),
  ]);
}

async function url(session: Session, { renew }: { renew?: boolean }, [named]: [string]): Promise<void> {
  const { signal } = session;
  const client = await session.client();
  const flow = await (renew === true
    ? client.scenarios.renewHook(named, { signal })
    : client.scenarios.get(named, { signal }));
  const full = await session.href(flow.hook?.path ?? '');
  session.show({ url: full, hook: flow.hook }, () => [full]);
}
