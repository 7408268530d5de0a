// Opens a store: the engine by its address, the schema brought up to date, the keys checked, the verbs put together.
import { makeAcceptor, type AcceptLimits } from './accept.ts';
import { makeBatchVerbs } from './batches.ts';
import { Catalogs } from './catalogs.ts';
import { counts } from './counting.ts';
import type { Log, Settings, Store } from './contract.ts';
import { makeFlows } from './flows/index.ts';
import { makeHooks } from './hooks/index.ts';
import type { Keyring } from './keyring.ts';
import { makeIdempotencyVerbs, makeKeyVerbs } from './keys.ts';
import { makeLanes } from './lanes.ts';
import { Listeners } from './listeners.ts';
import { makeErasures } from './erasures.ts';
import { migrate } from './migrate.ts';
import { makeOperations } from './operations.ts';
import { makePostProcessings } from './post-processings/index.ts';
import { openPostgres } from './postgres.ts';
import { prune } from './prune.ts';
import { makePulls } from './pulls.ts';
import { makeRelays } from './relays.ts';
import { delivery, deliveries, event, events, headOf, WINDOW } from './reading.ts';
import { reseal } from './resealing.ts';
import { DeadLetters } from './dead-letters.ts';
import { settle } from './settle.ts';
import { watchBacklogs } from './backlog-watch.ts';
import { MOST_ROWS } from './sheets/appending.ts';
import { makeSheets } from './sheets/index.ts';
import type { Sql } from './sql.ts';
import { openSqlite } from './sqlite.ts';
import { makeExpander } from './fanouts.ts';
import { backlogs, expedite, followClock, pending, refill } from './waiting.ts';
import { bury } from './burials.ts';
import { makeSubscriptionVerbs } from './subscriptions.ts';
import { makeWebhookVerbs } from './webhooks.ts';
import { timed, type StoreWatch } from './timed.ts';
import { makeCatalogVerbs, makeWorkspaceVerbs } from './workspaces.ts';

export * from './contract.ts';
export type { StoreWatch } from './timed.ts';

/** What a store is opened with. */
export interface StoreOptions {
  /** `postgres://…`, or the path of the SQLite file. */
  address: string;
  keyring: Keyring;
  /** This process, by a name no other has: the holder of its lanes. */
  node: string;
  limits: AcceptLimits;
  /** Rows a built-in sheet may have; default 1,000,000. */
  sheetRows?: number;
  /** Numbers that one filtered page of a list looks through at most; a test makes it small. */
  listWindow?: number;
  /** Connections to PostgreSQL, how long one may take to open, and how long a statement may run. */
  connections: number;
  connectTimeoutMs?: number;
  statementTimeoutMs?: number;
  /** On PostgreSQL: may an erasure end by rewriting tables, for which everybody else has to wait? Default: no. */
  rewritesErased?: boolean;
  /** Is told of errors that belong to no verb: an idle connection that broke, a listener that threw. */
  onError(error: unknown): void;
  /** Is told of every transaction. */
  watch?: StoreWatch;
}

/**
 * Opens the store. Throws, in words, when the file is in use, the database does not answer, the schema is newer than
 * this program, or the keys do not open what is sealed in it.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { address, keyring, node, connections, onError } = options;
  const { connectTimeoutMs = 10_000, statementTimeoutMs = 60_000, rewritesErased = false } = options;
  const sql = /^postgres(ql)?:\/\//.test(address)
    ? openPostgres(address, { connections, connectTimeoutMs, statementTimeoutMs, rewritesErased, onError })
    : openSqlite(address);
  try {
    await migrate(sql);
    await checkKeys(sql, keyring);
    await sql.holdSession(node);
  } catch (error) {
    await sql.close();
    throw error;
  }
  return assemble(options.watch ? timed(sql, options.watch) : sql, options);
}

function assemble(
  sql: Sql,
  { keyring, limits, listWindow = WINDOW, sheetRows = MOST_ROWS, onError }: StoreOptions,
): Store {
  const listeners = new Listeners(onError, sql.hints);
  const catalogs = new Catalogs(sql);
  const acceptor = makeAcceptor(sql, listeners, limits);
  const parts = { sql, keyring, catalogs, listeners };
  const { flows, drained } = makeFlows(parts);
  const hooking = makeHooks({ sql, listeners, onError });
  const { sheets, drained: sheetsDrained } = makeSheets({ sql, listeners, mostRows: sheetRows });
  const settling = { sql, listeners, deadLetters: new DeadLetters() };
  const log: Log = {
    accept: async (publish) => {
      const result = await acceptor.accept(publish);
      if (result.kind === 'stale' || result.kind === 'gone') catalogs.forgetStale(publish.catalog);
      return result;
    },
    settle: (batch) => settle(settling, batch),
    ...makeBatchVerbs(sql, limits.group),
    watchBacklogs: (threshold, now) => watchBacklogs({ sql, listeners }, { threshold, now }),
    refill: (query) => refill(sql, query),
    backlogs: (lanes) => backlogs(sql, lanes),
    expedite: (target, now, { parked = false } = {}) => expedite(sql, target, { now, parked }),
    followClock: (target, step) => followClock(sql, target, step),
    bury: (limit) => bury(sql, limit),
    wakeOwners: (targets) => listeners.tellOthersDue(targets),
    expandFanouts: makeExpander(sql, listeners),
    events: (query) => events(sql, query, listWindow),
    event: (workspace, number) => event(sql, workspace, number),
    head: (workspace) => headOf(sql, workspace),
    deliveries: (query) => deliveries(sql, query, listWindow),
    delivery: (key) => delivery(sql, key),
    pending: (key) => pending(sql, key),
    prune: (retention, now, limit) => prune(sql, { retention, now, limit }),
    shrink: () => sql.shrink(),
    counts: (now) => counts(sql, now),
  };
  const settings: Settings = {
    catalog: (workspace) => catalogs.get(workspace),
    ...makeWorkspaceVerbs(sql, catalogs, listeners),
    ...makeCatalogVerbs(sql, catalogs),
    ...makeWebhookVerbs(parts),
    ...makeSubscriptionVerbs(parts),
    ...makeKeyVerbs(sql),
    ...makeIdempotencyVerbs(sql),
    reseal: (limit) => reseal(sql, keyring, limit),
  };
  return {
    log,
    operations: makeOperations(sql, listeners),
    erasures: makeErasures(sql, listeners),
    pulls: makePulls(sql),
    relays: makeRelays({ sql, keyring, listeners }),
    flows,
    hooks: hooking.hooks,
    settings,
    postProcessings: makePostProcessings(parts),
    sheets,
    lanes: makeLanes(sql),
    on: (listener) => listeners.add(listener),
    check: async () => void (await sql.read('SELECT 1 AS one')),
    close: async () => {
      await Promise.all([acceptor.drained(), drained(), hooking.drained(), sheetsDrained()]);
      await sql.close();
    },
  };
}

// A node whose keys do not open the store would only find out at the first webhook it has to sign for.
async function checkKeys(sql: Sql, keyring: Keyring): Promise<void> {
  const canary = await sql.write(async (tx) => {
    await tx.run(`INSERT INTO installation (name, value) VALUES ('canary', $1) ON CONFLICT DO NOTHING`, [
      keyring.makeCanary(),
    ]);
    const [row] = await tx.all<{ value: string }>(`SELECT value FROM installation WHERE name = 'canary'`);
    return row!.value;
  });
  const complaint = keyring.checkCanary(canary);
  if (complaint !== null) throw new Error(complaint);
}
