// What policies found: results packed a thousand to a row, what is known of each rule, and the history of what changed.
//
// Packing is done beside the hot thread, before the transaction: 200,000 results are a few hundred rows of a few KiB.
import { promisify } from 'node:util';
import { deflateRaw, inflateRaw } from 'node:zlib';
import { isGone, type Compliance } from '../../model/policy/judge.ts';
import type { Page } from '../page.ts';
import type { Sql, Tx, Value } from '../sql.ts';
import type {
  Flows,
  FoundResource,
  HistoryQuery,
  KnownResource,
  ResultsQuery,
  RuleResult,
  RunKey,
  StoredResult,
  StoredRule,
} from './contract.ts';
import { storable } from './rows.ts';

type FindingVerbs = Pick<Flows, 'rules' | 'known' | 'results' | 'history'>;

/** Resources of one row. */
const CHUNK = 1000;
/** Rows of history that are inserted before others get a turn. */
const SLICE = 5000;

const RANKS: Readonly<Record<string, number>> = { NON_COMPLIANT: 0, INSUFFICIENT_DATA: 1, COMPLIANT: 2 };
const LAST_RANK = 3;

/* ── Packing ────────────────────────────────────────────────────────────────────────────────────────────────── */

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

type Packed = [id: string, name: string, detail: string | null, before: Compliance | null];

async function pack(resources: readonly FoundResource[]): Promise<Uint8Array> {
  const rows = resources.map(({ id, name, detail, before }): Packed => [id, name, detail, before]);
  return deflate(JSON.stringify(rows), { level: 1 });
}

async function unpack(bytes: Uint8Array): Promise<Packed[]> {
  return JSON.parse((await inflate(bytes)).toString()) as Packed[];
}

/** The findings of an evaluation, ready to be stored. */
export interface Findings {
  rules: readonly StoredRule[];
  chunks: readonly { rule: string; compliance: string; resources: Uint8Array }[];
  /** Resources that are something else than last time. */
  changed: readonly Changed[];
  /** Resources that were not known. */
  appeared: readonly Changed[];
}

interface Changed extends FoundResource {
  rule: string;
}

/** Packs what an evaluation found; null when it found nothing, as a job's run does. */
export async function packFindings(results: readonly RuleResult[]): Promise<Findings | null> {
  if (results.length === 0) return null;
  const groups = results.flatMap((result, position) => {
    const kinds = Map.groupBy(result.resources, ({ compliance }) => compliance);
    return [...kinds].map(([compliance, resources]) => ({ rule: result.rule, position, compliance, resources }));
  });
  groups.sort((a, b) => rankOf(a.compliance) - rankOf(b.compliance) || a.position - b.position);
  const chunks: Findings['chunks'][number][] = [];
  for (const { rule, compliance, resources } of groups) {
    const sorted = resources.toSorted((a, b) => (a.id < b.id ? -1 : Number(a.id > b.id)));
    for (let from = 0; from < sorted.length; from += CHUNK) {
      chunks.push({ rule, compliance, resources: await pack(sorted.slice(from, from + CHUNK)) });
    }
  }
  const moved = results.flatMap(({ rule, resources }) =>
    // What is gone is not known any more: its history has to say so, whatever it was.
    resources.filter((one) => one.before !== one.compliance || isGone(one)).map((resource) => ({ ...resource, rule })),
  );
  return {
    rules: results.map(storedRule),
    chunks,
    changed: moved.filter(({ before }) => before !== null),
    appeared: moved.filter(({ before }) => before === null),
  };
}

function rankOf(compliance: string): number {
  return RANKS[compliance] ?? LAST_RANK;
}

function storedRule({ rule, status, reason, resources }: RuleResult): StoredRule {
  const counts: Record<string, number> = {};
  let changes = 0;
  for (const { compliance, before } of resources) {
    counts[compliance] = (counts[compliance] ?? 0) + 1;
    if (before !== null && before !== compliance) changes++;
  }
  return { rule, status, reason, counts, changes };
}

/* ── Storing ────────────────────────────────────────────────────────────────────────────────────────────────── */

/** Stores them, the row of the workspace held. */
export async function storeFindings(
  tx: Tx,
  { key, flow, findings, now }: { key: RunKey; flow: number; findings: Findings; now: number },
): Promise<void> {
  const { workspace, run } = key;
  await tx.insert(
    'policy_rules',
    findings.rules.map(({ rule, status, reason, counts, changes }, position) => {
      return [workspace, run, rule, position, status, storable(reason), JSON.stringify(counts), changes];
    }),
  );
  await tx.insert(
    'policy_results',
    findings.chunks.map(({ rule, compliance, resources }, i) => {
      return [workspace, run, i + 1, rule, compliance, now, resources];
    }),
  );
  const known = await moveKnown(tx, { key, flow, findings, now });
  // What the first evaluation of a rule saw is no change: the rule's row says when that was.
  const appeared = findings.appeared.filter(({ rule }) => known.has(rule));
  const rows = [...findings.changed, ...appeared].map((one): Value[] => {
    const { rule, id, name, compliance, detail, before } = one;
    return [workspace, flow, rule, storable(id), run, now, storable(name), compliance, storable(detail), before];
  });
  for (let from = 0; from < rows.length; from += SLICE) {
    if (from > 0) await new Promise<void>((done) => setImmediate(done));
    await tx.insert('policy_history', rows.slice(from, from + SLICE), 'keep');
  }
}

// What is known of a rule that could not be evaluated is what was known before; a rule that the set has no more is
// forgotten. Resolves the rules known until now.
async function moveKnown(
  tx: Tx,
  { key, flow, findings, now }: { key: RunKey; flow: number; findings: Findings; now: number },
): Promise<ReadonlySet<string>> {
  const { workspace, run } = key;
  const rows = await tx.all<{ rule: string }>('SELECT rule FROM policy_known WHERE workspace = $1 AND flow = $2', [
    workspace,
    flow,
  ]);
  for (const { rule, status } of findings.rules) {
    if (status !== 'completed') continue;
    await tx.run(
      `INSERT INTO policy_known (workspace, flow, rule, run, first_run, first_at) VALUES ($1, $2, $3, $4, $4, $5)
       ON CONFLICT (workspace, flow, rule) DO UPDATE SET run = excluded.run`,
      [workspace, flow, rule, run, now],
    );
  }
  const known = new Set(rows.map(({ rule }) => rule));
  const named = new Set(findings.rules.map(({ rule }) => rule));
  for (const rule of known) {
    if (named.has(rule)) continue;
    await tx.run('DELETE FROM policy_known WHERE workspace = $1 AND flow = $2 AND rule = $3', [workspace, flow, rule]);
  }
  return known;
}

/* ── Reading ────────────────────────────────────────────────────────────────────────────────────────────────── */

interface ChunkRow {
  chunk: number;
  rule: string;
  compliance: Compliance;
  at: number;
  resources: Uint8Array;
}

const CHUNKS = 'SELECT c.chunk, c.rule, c.compliance, c.at, c.resources FROM policy_results c';

/** The verbs that read them. */
export function makeFindingVerbs(sql: Sql): FindingVerbs {
  return {
    rules: async ({ workspace, run }) => {
      const rows = await sql.read<Omit<StoredRule, 'counts'> & { counts: string }>(
        'SELECT rule, status, reason, counts, changes FROM policy_rules WHERE workspace = $1 AND run = $2 ORDER BY position',
        [workspace, run],
      );
      return rows.map((row) => ({ ...row, counts: JSON.parse(row.counts) as Record<string, number> }));
    },
    known: async (workspace, flow, rule) => {
      const rows = await sql.scan<ChunkRow>(
        `${CHUNKS} JOIN policy_known k ON k.workspace = c.workspace AND k.run = c.run AND k.rule = c.rule
         WHERE k.workspace = $1 AND k.flow = $2 AND k.rule = $3 ORDER BY c.chunk`,
        [workspace, flow, rule],
      );
      const known: KnownResource[] = [];
      for (const { compliance, resources } of rows) {
        for (const [id, name, detail] of await unpack(resources)) {
          if (!isGone({ compliance, detail })) known.push({ id, name, compliance });
        }
      }
      return known;
    },
    results: (query) => results(sql, query),
    history: (query) => history(sql, query),
  };
}

/** Rows looked at in one go: each may be a thousand results, or one. */
const LOOK = 20;

async function results(sql: Sql, query: ResultsQuery): Promise<Page<StoredResult>> {
  const { workspace, run, limit } = query;
  const [chunk = 0, skip = 0] = (query.cursor ?? '0.0').split('.').map(Number);
  const values: Value[] = [workspace, run];
  let where = 'c.workspace = $1 AND c.run = $2';
  for (const column of ['rule', 'compliance'] as const) {
    const value = query[column];
    if (value !== undefined) where += ` AND c.${column} = $${values.push(value)}`;
  }
  const rows: StoredResult[] = [];
  for (let from = chunk, passed = skip; ;) {
    const found = await sql.scan<ChunkRow>(
      `${CHUNKS} WHERE ${where} AND c.chunk >= $${values.length + 1} ORDER BY c.chunk LIMIT ${LOOK}`,
      [...values, from],
    );
    for (const { chunk: number, rule, compliance, at, resources } of found) {
      const all = await unpack(resources);
      const start = number === chunk ? passed : 0;
      for (const [i, [id, name, detail, before]] of all.entries()) {
        if (i < start) continue;
        if (rows.length === limit) return { rows, next: `${number}.${i}` };
        rows.push({ run, rule, at, id, name, compliance, detail, before });
      }
    }
    if (found.length < LOOK) return { rows, next: null };
    from = found.at(-1)!.chunk + 1;
    passed = 0;
  }
}

async function history(sql: Sql, { workspace, flow, rule, resource, limit }: HistoryQuery): Promise<StoredResult[]> {
  const rows = await sql.scan<StoredResult>(
    `SELECT run, rule, at, resource AS id, name, compliance, detail, was AS before FROM policy_history
     WHERE workspace = $1 AND flow = $2 AND rule = $3 AND resource = $4 ORDER BY run DESC LIMIT $5`,
    [workspace, flow, rule, resource, limit],
  );
  const oldest = rows.at(-1);
  if (rows.length === limit || oldest?.before === null) return rows;
  const first = await firstSeen(sql, { workspace, flow, rule, resource, limit }, oldest);
  return first ? [...rows, first] : rows;
}

// What it was at the first evaluation of its rule: what it changed from first, or what it still is.
async function firstSeen(
  sql: Sql,
  { workspace, flow, rule, resource }: HistoryQuery,
  oldest: StoredResult | undefined,
): Promise<StoredResult | null> {
  const [known] = await sql.read<{ run: number; firstRun: number; firstAt: number }>(
    `SELECT run, first_run AS "firstRun", first_at AS "firstAt" FROM policy_known
     WHERE workspace = $1 AND flow = $2 AND rule = $3`,
    [workspace, flow, rule],
  );
  if (!known) return null;
  const { firstRun: run, firstAt: at } = known;
  if (oldest) {
    const { id, name, before } = oldest;
    return { run, rule, at, id, name, compliance: before!, detail: null, before: null };
  }
  const rows = await sql.scan<ChunkRow>(
    `${CHUNKS} WHERE c.workspace = $1 AND c.run = $2 AND c.rule = $3 ORDER BY c.chunk`,
    [workspace, known.run, rule],
  );
  for (const { compliance, resources } of rows) {
    const found = (await unpack(resources)).find(([id]) => id === resource);
    if (found) return { run, rule, at, id: found[0], name: found[1], compliance, detail: found[2], before: null };
  }
  return null;
}
