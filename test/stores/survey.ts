// What can be seen of an installation through its API, as a tree of names, states and counts: the same of a frozen store
// at whichever release it is opened with.
import type { Client } from '../../server/src/client/index.ts';

type Tree = { [name: string]: string | number | boolean | null | Tree | (string | number)[] };

/** Looks through everything that the API lists of one workspace. */
export async function survey(client: Client): Promise<Tree> {
  return {
    services: names(await client.services.list().all(), 'service'),
    types: names(await client.eventTypes.list().all(), 'type'),
    events: (await client.events.list({ order: 'oldest-first' }).all()).map(({ id }) => id),
    subscriptions: (await client.subscriptions.list().all())
      .map(({ type, filter }) => `${type} ${filter ?? ''}`.trim())
      .sort(),
    keys: names(await client.keys.list().all(), 'name'),
    groups: names(await client.groups.list().all(), 'name'),
    'post-processings': names(await client.postProcessings.list().all(), 'name'),
    operations: tally(await client.operations.list().all(), ({ kind, state }) => `${kind} ${state}`),
    erasures: tally(await client.erasures.list().all(), ({ state, erased }) => `${state} ${erased}`),
    secrets: names(await client.secrets.list().all(), 'name'),
    webhooks: await webhooks(client),
    flows: await flows(client),
    sheets: await sheets(client),
  };
}

async function webhooks(client: Client): Promise<Tree> {
  const tree: Tree = {};
  for (const { id, name, state, mode } of await client.webhooks.list().all()) {
    const deliveries = await client.webhooks.deliveries(id).all();
    tree[name] = {
      state,
      mode,
      deliveries: tally(deliveries, (one) => one.state),
      attempts: deliveries.reduce((sum, { attemptCount }) => sum + attemptCount, 0),
      batches: new Set(deliveries.map(({ batch }) => batch).filter((batch) => batch !== null)).size,
      changes: (await client.webhooks.changes(id).all()).length,
    };
  }
  return tree;
}

async function flows(client: Client): Promise<Tree> {
  const tree: Tree = {};
  for (const { name } of await client.jobs.list().all()) {
    tree[`job ${name}`] = { runs: tally(await client.jobs.runs(name).all(), ({ state }) => state) };
  }
  for (const { name } of await client.policySets.list().all()) {
    const runs = await client.policySets.runs(name).all();
    const results: Tree = {};
    for (const { id } of runs) {
      results[id] = tally(
        await client.evaluations.results(id).all(),
        ({ rule, compliance }) => `${rule} ${compliance}`,
      );
    }
    tree[`policy set ${name}`] = { runs: tally(runs, ({ state }) => state), results };
  }
  for (const { name } of await client.scenarios.list().all()) {
    const draft = await client.scenarios.draft(name).then(
      () => true,
      () => false,
    );
    tree[`scenario ${name}`] = {
      runs: tally(await client.scenarios.runs(name).all(), ({ state }) => state),
      requests: tally(await client.scenarios.requests(name).all(), ({ state }) => state),
      versions: (await client.scenarios.versions(name).all()).length,
      draft,
    };
  }
  return tree;
}

async function sheets(client: Client): Promise<Tree> {
  const tree: Tree = {};
  for (const { name } of await client.sheets.list().all()) {
    tree[name] = (await client.sheets.rows(name).all()).map((row) => JSON.stringify(row.cells));
  }
  return tree;
}

function names<Name extends string>(items: readonly Readonly<Record<Name, string>>[], name: Name): string[] {
  return items.map((item) => item[name]).sort();
}

function tally<Item>(items: readonly Item[], of: (item: Item) => string): Tree {
  const counts: Record<string, number> = {};
  for (const item of items) counts[of(item)] = (counts[of(item)] ?? 0) + 1;
  return counts;
}
