// All that a platform says and keeps: every route that can be read, the live stream, the command line, the store, the log.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { createPrettyLines } from '../../server/src/log/pretty.ts';
import { auditEvent, STRUCTURED } from '../../server/test/api-ground.ts';
import { bellwire } from '../../server/test/cli-ground.ts';
import { eventually } from '../kit/handler.ts';
import { ask, type Ground, type Json } from './ground.ts';
import type { Marks } from './marks.ts';

/** Every GET route of the document, with everything there is. */
export async function walk(ground: Ground): Promise<void> {
  const { api, marks } = ground;
  const { paths } = (await api.expect(200, 'GET /openapi.json')) as { paths: Record<string, Json> };
  const known = new Map<string, string[]>();
  const routes = Object.keys(paths).filter((path) => 'get' in paths[path]!);
  // The one never ends, and the other is a hook's.
  const walked = routes.filter((path) => path !== '/v1/stream' && path !== '/hooks/{token}');
  const asked = new Set<string>();
  // What lists hold fills the paths of others, lists among them: until there is nothing new.
  for (let before = -1; asked.size > before;) {
    before = asked.size;
    for (const path of walked) {
      for (const filled of fill(path, known)) {
        if (asked.has(filled)) continue;
        asked.add(filled);
        const { items } = (await ask(ground, `GET ${filled}`)) as { items?: Json[] };
        const name = NAMES[path.split('/').at(-1)!];
        if (items === undefined || name === undefined) continue;
        const ids = items.map((item) => String(item[NAMED.get(name) ?? 'id']));
        known.set(name, [...new Set([...(known.get(name) ?? []), ...ids])].slice(0, 30));
      }
    }
  }
  await ask(ground, 'GET /v1/policy-sets/judged/history?rule=given&resource=a');
  await listenIn(ground);
  const unread = routes.filter(
    (path) => marks.count(new RegExp(`^GET ${path.replaceAll(/\{\w+\}/g, '[^/]+')}(\\?.*)? 200$`)) === 0,
  );
  assert.deepEqual(unread, ['/hooks/{token}']);
}

/** The live stream, from the first event to an attempt that is made meanwhile. */
async function listenIn({ api, marks }: Ground): Promise<void> {
  const headers = { authorization: `Bearer ${api.platform.adminKey}` };
  const response = await fetch(`${api.url}/v1/stream?after=0`, { headers });
  const begun = api.expect(202, 'POST /v1/events', { body: auditEvent(), headers: STRUCTURED });
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('event: delivery')) break;
  }
  await begun;
  marks.note(`GET /v1/stream ${response.status}`, text);
}

/** By which member a path names an item, where that is not its id. */
const NAMED = new Map([
  ['event', 'event'],
  ['type', 'type'],
  ['version', 'version'],
  ['secret', 'name'],
  ['sheet', 'name'],
]);

/** What the items of a list are called in paths. */
const NAMES: Record<string, string> = {
  'event-types': 'type',
  workspaces: 'workspace',
  events: 'event',
  webhooks: 'webhook',
  subscriptions: 'subscription',
  deliveries: 'delivery',
  operations: 'operation',
  erasures: 'erasure',
  groups: 'group',
  'post-processings': 'postProcessing',
  jobs: 'job',
  runs: 'run',
  scenarios: 'scenario',
  requests: 'request',
  versions: 'version',
  'policy-sets': 'policySet',
  evaluations: 'evaluation',
  secrets: 'secret',
  sheets: 'sheet',
  services: 'service',
  keys: 'key',
};

function fill(path: string, known: ReadonlyMap<string, string[]>): string[] {
  const name = /\{(\w+)\}/.exec(path)?.[1];
  if (name === undefined) return [path];
  return (known.get(name) ?? []).flatMap((id) => fill(path.replace(`{${name}}`, encodeURIComponent(id)), known));
}

/** What the command line prints, of the platform and of the installation beneath it; and a backup. */
export async function useCommandLine({ marks, folder, env, api }: Ground): Promise<void> {
  const said = async (env: Record<string, string>, ...args: string[]): Promise<void> => {
    const { stdout, stderr } = await bellwire(args, { folder, env });
    assert.notEqual(stdout + stderr, '', args.join(' '));
    marks.note(`bellwire ${args.join(' ')}`, stdout + stderr);
  };
  const file = join(folder, 'all.backup');
  await said(env, 'doctor');
  await said(env, 'backup', file);
  marks.note('store bellwire, in a backup', readFileSync(file));
  const client = { BELLWIRE_URL: api.url, BELLWIRE_KEY: api.platform.adminKey };
  await said(client, 'webhooks', 'list', '--json');
  await said({ ...client, BELLWIRE_KEY: marks.make('WrongKeyOfCli', (text) => `bw_${text}`) }, 'webhooks', 'list');
  const password = marks.make('PasswordOfNowhere');
  await said({ ...env, BELLWIRE_STORE: `postgres://bell:${password}@127.0.0.1:9/x` }, 'serve', '--port', '0');
  await said(env, 'serve', '--print-settings');
}

/** The database takes nobody for a while. */
export async function takeStoreAway(ground: Ground, address: string): Promise<void> {
  const elsewhere = new URL(address);
  const name = elsewhere.pathname.slice(1);
  elsewhere.pathname = '/postgres';
  const client = new pg.Client({ connectionString: elsewhere.href });
  await client.connect();
  await client.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS false`);
  await client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]);
  for (const path of ['/readyz', '/v1/webhooks', '/v1/events', '/metrics']) await ask(ground, `GET ${path}`);
  const { status } = await ground.api.ask('GET /readyz');
  assert.equal(status, 503);
  await client.query(`ALTER DATABASE "${name}" ALLOW_CONNECTIONS true`);
  await client.end();
  await eventually('the store is back', async () => (await ground.api.ask('GET /readyz')).status === 200, 30_000);
}

/** All that is kept: the files of the embedded store, or each row of each table. */
export async function noteStore(marks: Marks, address: string, folder: string): Promise<void> {
  if (address === 'sqlite') {
    for (const name of ['bellwire.db', 'bellwire.db-wal'])
      marks.note(`store ${name}`, readFileSync(join(folder, name)));
    return;
  }
  const client = new pg.Client({ connectionString: address });
  await client.connect();
  const { rows: tables } = await client.query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')`,
  );
  for (const { name } of tables) {
    const { rows } = await client.query<{ row: string }>(`SELECT t::text AS row FROM "${name}" t`);
    marks.note(`store ${name}`, rows.map(({ row }) => row).join('\n'));
  }
  await client.end();
}

/** A line of the log, as programs and as people read it. */
export function noteLine(marks: Marks, line: string): void {
  marks.note('log', line);
  createPrettyLines({ write: (pretty) => marks.note('log for people', pretty) }, false).write(line);
}
