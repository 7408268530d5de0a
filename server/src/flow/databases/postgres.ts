// PostgreSQL at an address that a user names: every connection goes to an address the guard has judged.
//
// All settings are given: nothing of this process's environment, and no file it could read, decides who connects to what.
import { isIP, Socket, type LookupFunction } from 'node:net';
import pg from 'pg';
import type { Json } from '../../model/flow/definition.ts';
import { ActionFailed } from '../action.ts';
import { weightOf, type Database, type Query, type Rows, type SessionBounds } from './database.ts';
import { postgresFault, tooMuch, tooSlow } from './outcome.ts';

/** Which addresses may be connected to, as the operator says. */
export interface Addresses {
  /** Null when the IP address may be connected to, else the reason, as a clause. */
  judge(ip: string): string | null;
  /** Resolves names, and fails for those that lead where nobody may go. */
  lookup: LookupFunction;
}

/** A database with its pool. */
export interface PostgresDatabase extends Database {
  kind: 'postgres';
  close(): Promise<void>;
}

const MOST_CONNECTIONS = 4;
const IDLE_MS = 10_000;
const CONNECT_MS = 10_000;
/** A statement that nobody waits for any more ends at the server, too. */
const SERVER_MS = 600_000;
/** How the words in a URL's `sslmode` are understood; `require` does not trust just anybody either. */
const TLS_MODES: Readonly<Record<string, false | object>> = { disable: false, require: {}, 'verify-full': {} };

/** Opens it; connects when something is asked. Throws `ActionFailed` on a URL that cannot be used. */
export function openPostgres(url: URL, addresses: Addresses): PostgresDatabase {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const where = `the database at ${url.host}`;
  const pool = new pg.Pool({
    ...settingsOf(url, host),
    stream: () => guardedSocket(addresses),
    max: MOST_CONNECTIONS,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: SERVER_MS,
    types: { getTypeParser },
    application_name: 'bellwire',
    keepAlive: true,
  });
  // Connections nobody holds, and connections that end between two statements: the next one tells of it.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  return {
    kind: 'postgres',
    session: (bounds, work) => runSession({ pool, where }, bounds, work),
    close: () => pool.end(),
  };
}

function settingsOf(url: URL, host: string): pg.PoolConfig {
  for (const name of url.searchParams.keys()) {
    if (name !== 'sslmode') throw refused(`its parameter ${name} is not known; sslmode is`);
  }
  const mode = url.searchParams.get('sslmode') ?? (isLocal(host) ? 'disable' : 'verify-full');
  const ssl = Object.hasOwn(TLS_MODES, mode) ? TLS_MODES[mode]! : null;
  if (ssl === null) throw refused(`its sslmode must be one of ${Object.keys(TLS_MODES).join(', ')}`);
  const user = decodeURIComponent(url.username);
  const database = decodeURIComponent(url.pathname.slice(1));
  if (host === '' || user === '' || database === '') throw refused('it needs a host, a user and a database');
  const password = decodeURIComponent(url.password);
  // Given by a function even when it is empty: otherwise it would be looked for in the environment and in files.
  return { host, port: Number(url.port || 5432), user, database, password: () => password, ssl };
}

function isLocal(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function refused(words: string): ActionFailed {
  return new ActionFailed(`the connection cannot be used: ${words}`, { retryable: false });
}

function guardedSocket({ judge, lookup }: Addresses): Socket {
  const socket = new Socket();
  const connect = socket.connect.bind(socket);
  const guarded = (port: number, host: string): Socket => {
    const refusal = isIP(host) === 0 ? null : judge(host);
    if (refusal === null) return connect({ port, host, lookup });
    const message = `${host} is ${refusal}, which the operator does not allow`;
    process.nextTick(() => socket.destroy(Object.assign(new Error(message), { code: 'ADDRESS_REFUSED' })));
    return socket;
  };
  return Object.assign(socket, { connect: guarded as Socket['connect'] });
}

async function runSession<T>(
  { pool, where }: { pool: pg.Pool; where: string },
  bounds: SessionBounds,
  work: (query: Query) => Promise<T>,
): Promise<T> {
  const client = await pool.connect().catch((error: unknown) => {
    throw postgresFault(where, error);
  });
  let isSpent = false;
  // The connection is closed: the server ends what it was about.
  const cut = (): void => {
    if (isSpent) return;
    isSpent = true;
    void client.end().catch(() => undefined);
    streamOf(client).destroy(new Error('the session was cut off'));
  };
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    cut();
  }, bounds.deadlineMs);
  bounds.signal.addEventListener('abort', cut, { once: true });
  try {
    bounds.signal.throwIfAborted();
    return await work((text, params) => ask(client, { text, params, bounds, cut }));
  } catch (error) {
    isSpent ||= !(await isClean(client));
    if (bounds.signal.aborted) throw bounds.signal.reason;
    throw isLate ? tooSlow(where, bounds.deadlineMs) : postgresFault(where, error);
  } finally {
    clearTimeout(timer);
    bounds.signal.removeEventListener('abort', cut);
    client.release(isSpent);
  }
}

// Rolls back what is left of a transaction; outside of one that is a warning.
async function isClean(client: pg.PoolClient): Promise<boolean> {
  return client.query('ROLLBACK').then(
    () => true,
    () => false,
  );
}

interface Asking {
  text: string;
  params: readonly Json[];
  bounds: SessionBounds;
  cut(): void;
}

function ask(client: pg.PoolClient, { text, params, bounds, cut }: Asking): Promise<Rows> {
  return new Promise((resolve, reject) => {
    // Extended: one statement, whatever stands in the text.
    const query = new pg.Query({ text, values: [...params], queryMode: 'extended' } as pg.QueryConfig);
    const rows: Rows['rows'] = [];
    let bytes = 0;
    const stream = streamOf(client);
    // One row may be larger than all that is allowed: it is seen as it comes.
    const count = (chunk: Buffer): void => {
      bytes += chunk.length;
      if (bytes > bounds.bytes * 2 + 65_536) stop();
    };
    const stop = (): void => {
      reject(tooMuch(bounds));
      cut();
    };
    const end = (): void => void stream.off('data', count);
    stream.on('data', count);
    let weight = 0;
    query.on('row', (row: Rows['rows'][number]) => {
      for (const [name, value] of Object.entries(row)) weight += name.length + 4 + weightOf(value);
      if (rows.push(row) > bounds.rows || weight > bounds.bytes) stop();
    });
    query.on('error', (error: Error) => {
      end();
      reject(error);
    });
    query.on('end', (result: { rowCount: number | null }) => {
      end();
      resolve({ rows, count: result.rowCount ?? rows.length });
    });
    client.query(query as unknown as pg.Submittable);
  });
}

function streamOf(client: pg.PoolClient): Socket {
  return (client as unknown as { connection: { stream: Socket } }).connection.stream;
}

/** Type ids of PostgreSQL (catalog pg_type) whose text is not what JSON should hold. */
const PARSERS: Readonly<Record<number, (text: string) => Json>> = {
  16: (text) => text === 't',
  17: (text) => Buffer.from(text.slice(2), 'hex').toString('base64'),
  20: exact,
  21: Number,
  23: Number,
  26: Number,
  114: (text) => JSON.parse(text) as Json,
  700: finite,
  701: finite,
  1184: (text) => new Date(text).toISOString(),
  1700: exact,
  3802: (text) => JSON.parse(text) as Json,
};
/** Lists of texts, of whole numbers, of booleans: pg reads these. */
const LISTS = new Set([1000, 1005, 1007, 1009, 1015]);

function getTypeParser(type: number): (text: string) => Json {
  if (LISTS.has(type)) return pg.types.getTypeParser(type, 'text') as (text: string) => Json;
  return PARSERS[type] ?? ((text) => text);
}

function exact(text: string): Json {
  const number = Number(text);
  return String(number) === text ? number : text;
}

function finite(text: string): Json {
  const number = Number(text);
  return Number.isFinite(number) ? number : text;
}
