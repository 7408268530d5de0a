// `bellwire pull`: fetches what waits for a pull webhook, for those who cannot be reached, and for a look.
import type { PulledDeliveryOut } from '../../api/pulls.ts';
import type { Client } from '../../client/index.ts';
import { EXIT } from '../failure.ts';
import { countOf } from '../listing.ts';
import type { Declare, Session } from '../session.ts';
import { spanMs } from '../spans.ts';
import { plain } from '../terminal.ts';
import { webhookId } from './webhook-names.ts';

interface PullOptions {
  ack?: boolean;
  follow?: boolean;
  limit?: string;
  lease?: string;
  wait?: string;
}

export const pull: Declare = (command, run) => {
  command
    .argument('<webhook>', 'Id or name of a webhook of mode "pull"')
    .option('--ack', 'Acknowledge what was printed; else it comes again when its lease ends')
    .option('--follow', 'Until Ctrl-C')
    .option('--limit <n>', 'Deliveries at once (10)')
    .option('--lease <span>', 'How long nobody else gets them, such as 1m (30s)')
    .option('--wait <span>', 'Wait so long for the first one, at most 30s (0s; with --follow 20s)')
    .addHelpText('after', '\nPrints each event as one line of JSON; with --json each delivery with its lease.')
    .action(run(pullOnce));
};

async function pullOnce(session: Session, options: PullOptions, [named]: [string]): Promise<number> {
  const { signal } = session;
  const { follow = false } = options;
  const wait = options.wait ?? (follow ? '20s' : undefined);
  const ask = {
    ...(options.limit === undefined ? {} : { limit: countOf(options.limit, '--limit') }),
    ...(options.lease === undefined ? {} : { leaseMs: spanMs(options.lease, '--lease') }),
    ...(wait === undefined ? {} : { waitMs: spanMs(wait, '--wait') }),
  };
  const client = await session.client();
  const id = await webhookId(client, named, signal);
  let exit: number = EXIT.ok;
  do {
    const { items, state } = await client.webhooks.pull(id, ask, { signal });
    for (const item of items) session.show(item, () => [plain(JSON.stringify(item.envelope))]);
    if (items.length === 0 && !follow) session.note(nothing(state));
    if (options.ack === true && items.length > 0)
      exit = Math.max(exit, await acknowledge(session, client, { id, items }));
  } while (follow);
  return exit;
}

function nothing(state: string): string {
  return state === 'active' ? 'nothing is due' : `nothing is handed out: the webhook is ${state}`;
}

// Whoever reads us has it now; one whose lease has ended meanwhile comes again.
async function acknowledge(
  { signal, note }: Session,
  client: Client,
  { id, items }: { id: string; items: readonly PulledDeliveryOut[] },
): Promise<number> {
  const claims = items.map((item) => ({ id: item.id, lease: item.lease }));
  const { items: verdicts } = await client.webhooks.ack(id, claims, { signal });
  const lost = verdicts.filter(({ ok, code }) => !ok && code !== 'already-delivered');
  for (const { id: delivery, code } of lost) note(`${delivery} was not acknowledged: ${code}`);
  return lost.length === 0 ? EXIT.ok : EXIT.failed;
}
