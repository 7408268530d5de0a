// HTTP triggers of flows: another path and token, and the mark that the token of a hook leaves behind.
import { StoreRefusal } from '../contract.ts';
import type { Tx } from '../sql.ts';
import type { Trigger } from './contract.ts';

interface FlowKey {
  workspace: number;
  flow: number;
}

/** Gives a flow another path and token; refuses `not-found` where it has none. */
export async function renewTrigger(
  tx: Tx,
  { workspace, flow, trigger }: FlowKey & { trigger: Trigger },
): Promise<void> {
  await buryToken(tx, { workspace, flow });
  const changed = await tx.run(
    `UPDATE flows SET trigger_path = $3, trigger_hash = $4
     WHERE workspace = $1 AND flow = $2 AND trigger_path IS NOT NULL`,
    [workspace, flow, trigger.path, trigger.tokenHash],
  );
  if (changed === 0) throw new StoreRefusal('not-found', 'there is no such flow, or it has no HTTP trigger');
}

/** A hook that has another token from now on, or is deleted, is known as gone by this one (R78). Without a flow: all hooks. */
export async function buryToken(tx: Tx, { workspace, flow }: { workspace: number; flow?: number }): Promise<void> {
  await tx.run(
    `INSERT INTO hook_tombstones (workspace, token, flow) SELECT workspace, trigger_path, flow FROM flows
     WHERE workspace = $1 AND kind = 'scenario' AND trigger_path IS NOT NULL ${flow === undefined ? '' : 'AND flow = $2'}
     ON CONFLICT DO NOTHING`,
    flow === undefined ? [workspace] : [workspace, flow],
  );
}
