// Batches: which deliveries go to their webhook together, written down before they are sent.
import type { BatchKey, BatchWish, FormedBatch, Log } from './contract.ts';
import type { DeliveryKey } from '../model/ids.ts';
import type { PendingDelivery } from '../model/delivery.ts';
import { GroupCommit } from './group-commit.ts';
import { readOwners } from './settle.ts';
import { STILL_OPEN, type Sql, type Tx } from './sql.ts';
import { PENDING, pendingOf, type PendingRow } from './waiting.ts';

type BatchVerbs = Pick<Log, 'formBatch' | 'batch' | 'leaveBatch'>;

/** The verbs about batches; one commit forms batches of up to `most` deliveries in all, one in any case. */
export function makeBatchVerbs(sql: Sql, most: number): BatchVerbs {
  const commits = new GroupCommit<BatchWish, FormedBatch | null>({
    commit: (wishes) => sql.write((tx) => form(sql, tx, wishes)),
    weigh: ({ members }) => members.length,
    most,
    blamesItem: (error) => sql.blamesRow(error),
  });
  return {
    formBatch: (wish) => commits.submit(wish),
    batch: (key) => openMembers(sql, key),
    leaveBatch: async ({ workspace, event, target, copy }) => {
      await sql.write((tx) =>
        tx.update('deliveries', { columns: ['batch'], rows: [[workspace, event, target, copy, null]] }),
      );
    },
  };
}

async function form(sql: Sql, tx: Tx, wishes: readonly BatchWish[]): Promise<(FormedBatch | null)[]> {
  const isOwned = await readOwners(
    tx,
    sql.dialect,
    wishes.map(({ lane }) => lane),
  );
  const numbers = new Map<BatchWish, number>();
  // In one order everywhere, so that no two nodes wait for each other's webhooks in a ring.
  for (const wish of wishes.toSorted((a, b) => a.workspace - b.workspace || a.target - b.target)) {
    const number = isOwned(wish.lane) ? await nextBatch(tx, wish) : null;
    if (number !== null) numbers.set(wish, number);
  }
  const rows = [...numbers].flatMap(([{ members }, number]) =>
    members.map(({ workspace, event, target, copy }) => [workspace, event, target, copy, number]),
  );
  const changed = await tx.update('deliveries', { columns: ['batch'], rows, only: `${STILL_OPEN} AND batch IS NULL` });
  const formed: (FormedBatch | null)[] = [];
  for (const wish of wishes) {
    const batch = numbers.get(wish);
    if (batch === undefined) formed.push(null);
    else formed.push({ batch, members: changed === rows.length ? wish.members : await membersOf(tx, wish, batch) });
  }
  return formed;
}

async function nextBatch(tx: Tx, { workspace, target }: BatchWish): Promise<number | null> {
  const [row] = await tx.all<{ batch: number }>(
    'UPDATE webhooks SET batches = batches + 1 WHERE workspace = $1 AND webhook = $2 RETURNING batches AS batch',
    [workspace, target],
  );
  return row?.batch ?? null;
}

function membersOf(tx: Tx, { workspace, target }: BatchWish, batch: number): Promise<DeliveryKey[]> {
  return tx.all<DeliveryKey>(
    'SELECT workspace, event, target, copy FROM deliveries WHERE workspace = $1 AND target = $2 AND batch = $3',
    [workspace, target, batch],
  );
}

async function openMembers(sql: Sql, { workspace, target, batch }: BatchKey): Promise<PendingDelivery[]> {
  const rows = await sql.read<PendingRow>(
    `${PENDING} WHERE d.workspace = $1 AND d.target = $2 AND d.batch = $3 AND d.state + 0 = 0 ORDER BY d.event, d.copy`,
    [workspace, target, batch],
  );
  return rows.map(pendingOf);
}
