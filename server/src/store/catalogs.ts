// Catalogs of the workspaces: compiled once per version, kept until a commit shows that the version has moved.
//
// Two counters make the version: the installation's (services and types of everybody) and the workspace's own (its
// types and subscriptions). Whoever changes either moves its counter in the same transaction; every accept compares.
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

/** The cache. */
export class Catalogs {
  readonly #sql: Sql;
  readonly #known = new Map<number, Promise<Catalog | null>>();
  /** The promise by which a catalog was handed out. */
  readonly #handedOut = new WeakMap<Catalog, Promise<Catalog | null>>();

  constructor(sql: Sql) {
    this.#sql = sql;
  }

  /** The catalog at the newest version known here; null when the workspace is gone. */
  get(workspace: number): Promise<Catalog | null> {
    let catalog = this.#known.get(workspace);
    if (!catalog) {
      catalog = load(this.#sql, workspace);
      this.#known.set(workspace, catalog);
      // Neither a failure nor an absence is remembered.
      const known = catalog;
      const forget = (): void => this.#forgetOne(workspace, known);
      known.then((loaded) => (loaded ? void this.#handedOut.set(loaded, known) : forget()), forget);
    }
    return catalog;
  }

  /** Forgets a catalog that proved stale, unless a newer one is known already: many find it stale at once. */
  forgetStale(catalog: Catalog): void {
    const known = this.#handedOut.get(catalog);
    if (known) this.#forgetOne(catalog.workspace, known);
  }

  #forgetOne(workspace: number, catalog: Promise<Catalog | null>): void {
    if (this.#known.get(workspace) === catalog) this.#known.delete(workspace);
  }

  /** Forgets one workspace's catalog, or all of them. */
  forget(workspace?: number): void {
    if (workspace === undefined || workspace === 0) this.#known.clear();
    else this.#known.delete(workspace);
  }
}

interface Version {
  token: string;
  workspace: number;
  installation: number;
}

// Read between two readings of the version: when they agree, what was read between them is of that version.
async function load(sql: Sql, workspace: number): Promise<Catalog | null> {
  for (;;) {
    const version = await readVersion(sql, workspace);
    if (!version) return null;
    const types = await sql.read<EventType>(`${EVENT_TYPE} WHERE workspace IN (0, $1) ORDER BY workspace, type`, [
      workspace,
    ]);
    const subscriptions = await sql.read<{ webhook: number; type: string; filter: string }>(
      'SELECT webhook, type, filter FROM subscriptions WHERE workspace = $1',
      [workspace],
    );
    const after = await readVersion(sql, workspace);
    if (after?.workspace !== version.workspace || after.installation !== version.installation) continue;
    return {
      workspace,
      token: version.token,
      version: { installation: version.installation, workspace: version.workspace },
      types: new Map(types.map((type) => [type.type, type])),
      targetsOf: compileSubscriptions(subscriptions.map(compile)),
    };
  }
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

// A stored filter was compiled before it was stored. One that a newer program wrote and this one cannot read matches
// everything: an event too many can be ignored, one too few is lost.
function compile({ webhook, type, filter }: { webhook: number; type: string; filter: string }): CompiledSubscription {
  if (filter === '') return { webhook, type, matches: null };
  const compiled = compileFilter(filter);
  return { webhook, type, matches: compiled.ok ? compiled.matches : null };
}
