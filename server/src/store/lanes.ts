// Lanes: which node delivers to which targets. Leases with an epoch that grows with every change of owner.
import { LANES, type Lanes, type OwnedLane } from './contract.ts';
import type { Sql, Tx } from './sql.ts';

interface LaneRow {
  lane: number;
  node: string | null;
  epoch: number;
  leasedUntil: number;
}

const LANE = 'SELECT lane, node, epoch, leased_until AS "leasedUntil" FROM lanes';

/** Makes the lane verbs. */
export function makeLanes(sql: Sql): Lanes {
  return {
    take: async (node, now, leaseMs) => {
      const lease = { node, now, leaseMs };
      // Asked before the transaction, which would otherwise hold the lanes and want a second connection. A session
      // that is gone stays gone: no other has its name.
      const gone = await goneHolders(sql, lease);
      return sql.write((tx) => take(sql, tx, { ...lease, gone }));
    },
    release: async (node) => {
      await sql.write((tx) => tx.run('UPDATE lanes SET node = NULL, leased_until = 0 WHERE node = $1', [node]));
    },
  };
}

interface Lease {
  node: string;
  now: number;
  leaseMs: number;
}

async function take(sql: Sql, tx: Tx, { gone, ...lease }: Lease & { gone: ReadonlySet<string> }): Promise<OwnedLane[]> {
  const rows = await tx.all<LaneRow>(`${LANE} ORDER BY lane${sql.dialect.forUpdate}`);
  const known = new Set(rows.map(({ lane }) => lane));
  for (let lane = 0; lane < LANES; lane++) {
    if (known.has(lane)) continue;
    // Two first nodes at once: the slower one's insert does nothing, and it asks again.
    await tx.run('INSERT INTO lanes (lane, node, epoch, leased_until) VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING', [
      lane,
      lease.node,
      lease.now + lease.leaseMs,
    ]);
  }
  const free = rows.filter(({ node, leasedUntil }) => node === null || gone.has(node) || leasedUntil <= lease.now);
  const taken = free.filter(({ node }) => node !== lease.node).map(({ lane }) => lane);
  if (taken.length > 0) {
    await tx.run(
      `UPDATE lanes SET node = $1, epoch = epoch + 1, leased_until = $2 WHERE lane IN (${taken.join(', ')})`,
      [lease.node, lease.now + lease.leaseMs],
    );
  }
  return renew(sql, tx, lease);
}

// A lease whose holder's session has ended is free at once: a restarted node waits for nobody.
async function goneHolders(sql: Sql, { node, now }: Lease): Promise<Set<string>> {
  const rows = await sql.read<LaneRow>(LANE);
  const holders = new Set(rows.flatMap((row) => (row.node !== null && row.leasedUntil > now ? [row.node] : [])));
  holders.delete(node);
  const gone = new Set<string>();
  for (const holder of holders) if (await sql.sessionGone(holder)) gone.add(holder);
  return gone;
}

async function renew(sql: Sql, tx: Tx, { node, now, leaseMs }: Lease): Promise<OwnedLane[]> {
  // Held in order first, as every settle does: two that lock the same lanes in different orders deadlock.
  const owned = await tx.all<OwnedLane>(
    `SELECT lane, epoch FROM lanes WHERE node = $1 ORDER BY lane${sql.dialect.forUpdate}`,
    [node],
  );
  await tx.run('UPDATE lanes SET leased_until = $2 WHERE node = $1', [node, now + leaseMs]);
  return owned;
}
