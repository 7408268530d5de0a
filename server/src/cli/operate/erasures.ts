// `bellwire erase`, `erasures`: the payloads of one subject are taken out of the log.
import type { ErasureOut } from '../../api/erasures.ts';
import { EXIT } from '../failure.ts';
import { limitOptions, limitsOf, lister, upTo, type LimitOptions } from '../listing.ts';
import { percent, untilEnded } from '../progress.ts';
import type { Declare, Session } from '../session.ts';
import type { Column } from '../table.ts';
import { ago } from '../terminal.ts';

const COLUMNS: readonly Column<ErasureOut>[] = [
  { head: 'ERASURE', of: ({ id }) => id },
  { head: 'STATE', of: ({ state }) => state },
  { head: 'DONE', of: ({ progress }) => percent(progress) },
  { head: 'ERASED', of: ({ erased }) => String(erased) },
  { head: 'BEGUN', of: ({ createdAt }) => ago(createdAt, Date.now()) },
];

export const erase: Declare = (command, run) => {
  command
    .argument('<subject>', 'The CloudEvents subject, exactly')
    .option('--detach', 'Begin it and come back at once')
    .addHelpText('after', '\nIt cannot be undone. What is left of an event, and of what where: docs/erasure.md.')
    .action(run(begin));
};

export const erasures: Declare = (command, run) => {
  limitOptions(command.command('list').description('List erasures, the newest first')).action(run(list));
  command
    .command('show <erasure>')
    .description('Show an erasure and how far it is')
    .option('--follow', 'Until it ends')
    .action(run(show));
};

async function begin(session: Session, { detach }: { detach?: boolean }, [subject]: [string]): Promise<number> {
  const begun = await (await session.client()).erasures.create(subject, { signal: session.signal });
  if (detach !== true) {
    session.note(`${begun.id}: some seconds more than looking through the log takes; Ctrl-C leaves it running`);
    return follow(session, begun);
  }
  session.show(begun, () => [`${begun.id} goes on by itself: bellwire erasures show ${begun.id} --follow`]);
  return EXIT.ok;
}

const list = lister<ErasureOut, LimitOptions>({
  find({ erasures: all }, { signal, ...limit }) {
    const { count, page } = limitsOf(limit);
    return upTo(count, all.list({ limit: page, signal }));
  },
  columns: COLUMNS,
  none: 'Nothing was ever erased: bellwire erase <subject>',
});

async function show(session: Session, { follow: isFollowed }: { follow?: boolean }, [id]: [string]): Promise<number> {
  const one = await (await session.client()).erasures.get(id, { signal: session.signal });
  if (isFollowed === true) return follow(session, one);
  session.show(one, () =>
    session.facts({
      erasure: one.id,
      state: one.state,
      done: percent(one.progress),
      erased: one.erased,
      begun: one.createdAt,
      ended: one.endedAt,
    }),
  );
  return EXIT.ok;
}

async function follow(session: Session, begun: ErasureOut): Promise<number> {
  const client = await session.client();
  const ask = (): Promise<ErasureOut> => client.erasures.get(begun.id, { signal: session.signal });
  const ended = await untilEnded(session, begun, { ask, lineOf });
  session.show(ended, () => [lineOf(ended)]);
  return EXIT.ok;
}

function lineOf({ state, progress, erased }: ErasureOut): string {
  return `${state === 'done' ? 'done' : `erasing, ${percent(progress)}`}: ${erased} ${erased === 1 ? 'event' : 'events'} erased`;
}
