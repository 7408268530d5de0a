// Catalogs of the workspaces: compiled once per version, kept until a commit shows that the version has moved.
//
// Two counters make the version: the installation's (services and types of everybody) and the workspace's own (its
// types and subscriptions). Whoever changes either moves its counter in the same transaction; every accept compares.
//
// What was not asked for lately goes when there is too much of it; all share the types of the installation.
import { LRUCache } from 'lru-cache';
import { compileSubscriptions, type Catalog, type CompiledSubscription, type EventType } from '../model/catalog.ts';
import { compileFilter } from '../model/filter/index.ts';
import { StoreRefusal } from './contract.ts';
import type { Sql, Tx } from './sql.ts';

/** Columns of an event type, under the model's names. */
export const EVENT_TYPE = `
  SELECT workspace, type, service, description, schema, schema_hash AS "schemaHash", schema_check AS "schemaCheck",
         example, deprecation, created_at AS "createdAt", updated_at AS "updatedAt" FROM event_types`;

/** Moves the installation's catalog on, within the transaction that changes it. */
export async function moveInstallationCatalog(tx: Tx): Promise<void> {
  await tx.run(`UPDATE installation SET value = CAST(CAST(value AS BIGINT) + 1 AS TEXT) WHERE name = 'catalog'`);
}

/** Moves a workspace's catalog on. Refuses `not-found` when the workspace is gone. */
export async function moveWorkspaceCatalog(tx: Tx, workspace: number): Promise<void> {
  const moved = await tx.run(
    'UPDATE workspaces SET catalog = catalog + 1 WHERE workspace = $1 AND deleted_at IS NULL',
    [workspace],
  );
  if (moved === 0) throw new StoreRefusal('not-found', 'there is no such workspace');
}

/** Types and subscriptions of workspaces that are kept, about; each takes a few hundred bytes, with a filter a few KiB. */
const MOST_KEPT = 200_000;

/** The cache. */
export class Catalogs {
  readonly #sql: Sql;
  readonly #loading = new Map<number, Promise<Catalog | null>>();
  readonly #known: LRUCache<number, Catalog>;
  #installation: Installation | null = null;

  constructor(sql: Sql, mostKept = MOST_KEPT) {
    this.#sql = sql;
    // A catalog too large for the cache alone is kept as if it just fitted: it would be read for every publish.
    this.#known = new LRUCache({ maxSize: mostKept });
  }

  /** How many catalogs are kept. */
  get size(): number {
    return this.#known.size;
  }

  /** The catalog at the newest version known here; null when the workspace is gone. */
  get(workspace: number): Promise<Catalog | null> {
    const known = this.#known.get(workspace);
    if (known) return Promise.resolve(known);
    const under = this.#loading.get(workspace);
    if (under) return under;
    // Neither a failure nor an absence is kept, nor what was forgotten while it was read.
    const loading: Promise<Catalog | null> = this.#read(workspace)
      .then((read) => {
        if (!read) return null;
        const size = Math.min(read.size, this.#known.maxSize);
        if (this.#loading.get(workspace) === loading) this.#known.set(workspace, read.catalog, { size });
        return read.catalog;
      })
      .finally(() => {
        if (this.#loading.get(workspace) === loading) this.#loading.delete(workspace);
      });
    this.#loading.set(workspace, loading);
    return loading;
  }

  /** Forgets a catalog that proved stale, unless a newer one is known already: many find it stale at once. */
  forgetStale(catalog: Catalog): void {
    if (this.#known.peek(catalog.workspace) === catalog) this.#known.delete(catalog.workspace);
  }

  /** Forgets one workspace's catalog, or all of them. */
  forget(workspace?: number): void {
    if (workspace === undefined || workspace === 0) {
      this.#known.clear();
      this.#loading.clear();
    } else {
      this.#known.delete(workspace);
      this.#loading.delete(workspace);
    }
  }

  // Read between two readings of the version: when they agree, what was read between them is of that version.
  async #read(workspace: number): Promise<{ catalog: Catalog; size: number } | null> {
    for (;;) {
      const version = await readVersion(this.#sql, workspace);
      if (!version) return null;
      const shared = await this.#sharedTypes(version.installation);
      const own = await this.#sql.read<EventType>(`${EVENT_TYPE} WHERE workspace = $1 ORDER BY type`, [workspace]);
      const subscriptions = await this.#sql.read<{ webhook: number; type: string; filter: string }>(
        'SELECT webhook, type, filter FROM subscriptions WHERE workspace = $1',
        [workspace],
      );
      const after = await readVersion(this.#sql, workspace);
      if (after?.workspace !== version.workspace || after.installation !== version.installation) continue;
      const catalog = {
        workspace,
        token: version.token,
        version: { installation: version.installation, workspace: version.workspace },
        types: own.length === 0 ? shared : new Map([...shared, ...own.map((type) => [type.type, type] as const)]),
        targetsOf: compileSubscriptions(subscriptions.map(compileSubscription)),
      };
      return { catalog, size: 1 + subscriptions.length + (own.length === 0 ? 0 : catalog.types.size) };
    }
  }

  async #sharedTypes(version: number): Promise<Types> {
    if (this.#installation?.version === version) return this.#installation.types;
    const rows = await this.#sql.read<EventType>(`${EVENT_TYPE} WHERE workspace = 0 ORDER BY type`);
    const types = new Map(rows.map((type) => [type.type, type]));
    // Of this version for certain only when it is still that afterwards.
    const [now] = await this.#sql.read<{ version: number }>(
      `SELECT CAST(value AS BIGINT) AS version FROM installation WHERE name = 'catalog'`,
    );
    if (now?.version !== version) return types;
    if (this.#installation?.version !== version) this.#installation = { version, types };
    return this.#installation.types;
  }
}

/** The types of the installation at one version of it. */
interface Installation {
  version: number;
  types: Types;
}

type Types = ReadonlyMap<string, EventType>;

interface Version {
  token: string;
  workspace: number;
  installation: number;
}

async function readVersion(sql: Sql, workspace: number): Promise<Version | undefined> {
  const [version] = await sql.read<Version>(
    `SELECT token, catalog AS workspace,
            (SELECT CAST(value AS BIGINT) FROM installation WHERE name = 'catalog') AS installation
     FROM workspaces WHERE workspace = $1 AND deleted_at IS NULL`,
    [workspace],
  );
  return version;
}

/**
 * A subscription, ready to be matched. A stored filter was compiled before it was stored. One that a newer program wrote
 * and this one cannot read matches everything: an event too many can be ignored, one too few is lost.
 */
export function compileSubscription({
  webhook,
  type,
  filter,
}: {
  webhook: number;
  type: string;
  filter: string;
}): CompiledSubscription {
  if (filter === '') return { webhook, type, matches: null };
  const compiled = compileFilter(filter);
  return { webhook, type, matches: compiled.ok ? compiled.matches : null };
}
