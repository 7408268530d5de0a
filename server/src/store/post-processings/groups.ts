// Groups: names that jobs, policy sets and post-processings belong to.
import { StoreRefusal } from '../contract.ts';
import type { Sql, Tx } from '../sql.ts';
import { nextNumber } from '../webhooks.ts';
import type { Group, GroupKey, PostProcessings } from './contract.ts';

const GROUP = 'SELECT workspace, number AS "group", name, created_at AS "createdAt" FROM groups';

/** The verbs about groups. */
export function makeGroupVerbs(
  sql: Sql,
): Pick<PostProcessings, 'groups' | 'createGroup' | 'renameGroup' | 'deleteGroup'> {
  return {
    groups: (workspace) => sql.read<Group>(`${GROUP} WHERE workspace = $1 ORDER BY name`, [workspace]),
    createGroup: (workspace, name, now) =>
      sql.write(async (tx) => {
        const { head: group } = await nextNumber(sql, tx, workspace);
        await refuseTakenName(tx, { workspace, name });
        await tx.run('INSERT INTO groups (workspace, number, name, created_at) VALUES ($1, $2, $3, $4)', [
          workspace,
          group,
          name,
          now,
        ]);
        return { workspace, group, name, createdAt: now };
      }),
    renameGroup: (key, name) =>
      sql.write(async (tx) => {
        const { workspace, group } = key;
        await nextNumber(sql, tx, workspace);
        const before = await readGroup(tx, key);
        if (before.name === name) return before;
        await refuseWhileNamed(tx, key);
        await refuseTakenName(tx, { workspace, name });
        await tx.run('UPDATE groups SET name = $3 WHERE workspace = $1 AND number = $2', [workspace, group, name]);
        return { ...before, name };
      }),
    deleteGroup: (key) =>
      sql.write(async (tx) => {
        const { workspace, group } = key;
        await nextNumber(sql, tx, workspace);
        await readGroup(tx, key);
        await refuseWhileNamed(tx, key);
        const members = await tx.all<{ name: string }>(
          'SELECT name FROM post_processings WHERE workspace = $1 AND group_number = $2 ORDER BY name',
          [workspace, group],
        );
        if (members.length > 0) {
          const names = listed(members.map(({ name }) => name));
          throw new StoreRefusal('in-use', `post-processings belong to it: ${names}`);
        }
        await tx.run('DELETE FROM groups WHERE workspace = $1 AND number = $2', [workspace, group]);
      }),
  };
}

/** The group. Refuses `not-found`. */
export async function readGroup(tx: Tx, { workspace, group }: GroupKey): Promise<Group> {
  const [row] = await tx.all<Group>(`${GROUP} WHERE workspace = $1 AND number = $2`, [workspace, group]);
  if (!row) throw new StoreRefusal('not-found', 'there is no such group');
  return row;
}

// Their documents name it: under another name they could not be put again.
async function refuseWhileNamed(tx: Tx, { workspace, group }: GroupKey): Promise<void> {
  const flows = await tx.all<{ kind: string; name: string }>(
    'SELECT kind, name FROM flows WHERE workspace = $1 AND group_number = $2 ORDER BY kind, name',
    [workspace, group],
  );
  if (flows.length > 0) throw new StoreRefusal('in-use', `these belong to it: ${flowNames(flows)}`);
}

/** Jobs and policy sets that stand in the way, in words. */
export function flowNames(flows: readonly { kind: string; name: string }[]): string {
  return listed(flows.map(({ kind, name }) => `${kind.replace('-', ' ')} ${name}`));
}

/** More names than these say less. */
const MOST_NAMED = 20;

function listed(names: readonly string[]): string {
  const rest = names.length - MOST_NAMED;
  return names.slice(0, MOST_NAMED).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}

async function refuseTakenName(tx: Tx, { workspace, name }: { workspace: number; name: string }): Promise<void> {
  const taken = await tx.all('SELECT 1 AS one FROM groups WHERE workspace = $1 AND name = $2', [workspace, name]);
  if (taken.length > 0) throw new StoreRefusal('name-taken', `there is already a group named ${name}`);
}
