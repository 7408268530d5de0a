// Groups: what jobs, policy sets and post-processings belong to.
import { Type, type Static } from 'typebox';
import { formatId } from '../model/ids.ts';
import { didYouMean } from '../model/near-names.ts';
import { MAX_NAME_LENGTH } from '../model/post-processing.ts';
import { refuse } from '../model/problem.ts';
import type { Workspace } from '../store/contract.ts';
import type { Group } from '../store/post-processings/contract.ts';
import { created, done, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { absent, idOf, Instant, instant, numberOf, pageOf, PageQuery } from './wire.ts';

/** A name for people: 1–255 characters that are not all white space (R5). */
export const Name = Type.String({ minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: '\\S' });

const EXAMPLE = { name: 'operations' };

/** What a group is made of. */
export const GroupIn = Type.Object({ name: Name }, { additionalProperties: false, examples: [EXAMPLE] });
export type GroupIn = Static<typeof GroupIn>;

/** A group as it is shown. */
export const GroupOut = Type.Object(
  { id: idOf('grp'), name: Name, createdAt: Instant },
  { examples: [{ id: 'grp_k3v9x2m4q7_9', ...EXAMPLE, createdAt: '2026-11-22T09:30:00.000Z' }] },
);
export type GroupOut = Static<typeof GroupOut>;

export const GroupsOut = pageOf(GroupOut);
export type GroupsOut = Static<typeof GroupsOut>;

export const GroupsQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const GroupParams = Type.Object({ group: idOf('grp') });

export const createGroup = operation<GroupIn, GroupOut>()({
  summary: 'Make a group',
  success: { 201: 'It was made.' },
  errors: ['name-taken'],
  async handle({ body, workspace, now }, { store }) {
    return created(show(await store.postProcessings.createGroup(workspace.workspace, body.name, now), workspace));
  },
});

export const listGroups = operation<null, GroupsOut>()({
  summary: 'List the groups',
  query: GroupsQuery,
  async handle({ query, workspace }, { store }) {
    const all = await store.postProcessings.groups(workspace.workspace);
    const { items, next } = pageThrough(
      { list: `groups ${workspace.token}`, items: all, keyOf: ({ group }) => group },
      query,
    );
    return ok({ items: items.map((one) => show(one, workspace)), next });
  },
});

export const getGroup = operation<null, GroupOut>()({
  summary: 'Show a group',
  params: GroupParams,
  async handle({ params, workspace }, { store }) {
    const number = numberOf('grp', workspace, params.group);
    const found = (await store.postProcessings.groups(workspace.workspace)).find(({ group }) => group === number);
    if (found === undefined) throw absent('grp', params.group);
    return ok(show(found, workspace));
  },
});

export const changeGroup = operation<GroupIn, GroupOut>()({
  summary: 'Rename a group',
  params: GroupParams,
  errors: ['name-taken', 'in-use'],
  async handle({ params, body, workspace }, { store }) {
    const key = { workspace: workspace.workspace, group: numberOf('grp', workspace, params.group) };
    return ok(show(await store.postProcessings.renameGroup(key, body.name), workspace));
  },
});

export const deleteGroup = operation<null, null>()({
  summary: 'Delete a group that nothing belongs to',
  params: GroupParams,
  success: { 204: 'It is gone.' },
  errors: ['in-use'],
  async handle({ params, workspace }, { store }) {
    const key = { workspace: workspace.workspace, group: numberOf('grp', workspace, params.group) };
    await store.postProcessings.deleteGroup(key);
    return done();
  },
});

/** The number of a group that a body names by id or by name. Refuses `unknown-group`. */
export async function groupNamed(named: string, { workspace, token }: Workspace, { store }: Tools): Promise<number> {
  const groups = await store.postProcessings.groups(workspace);
  const found = groups.find(({ group, name }) => name === named || formatId('grp', token, group) === named);
  if (found) return found.group;
  const advice =
    didYouMean(
      named,
      groups.map(({ name }) => name),
    ) || '; make it first.';
  throw refuse('unknown-group', `There is no group ${JSON.stringify(named)} in this workspace${advice}`);
}

function show({ group, name, createdAt }: Group, { token }: Workspace): GroupOut {
  return { id: formatId('grp', token, group), name, createdAt: instant(createdAt) };
}
