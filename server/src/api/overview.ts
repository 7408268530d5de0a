// The overview: how things go at present, on one screen. Rates and the worst webhooks from the memory of the node that is
// asked, backlogs from the latest count of the store: however often it is asked for, the store only names the worst.
import { Type, type Static } from 'typebox';
import { backlogOf } from '../model/backlog.ts';
import { formatId } from '../model/ids.ts';
import type { PulseReading, WebhookPulse } from '../model/pulse.ts';
import { isWebhook, shownState } from '../model/webhook.ts';
import type { Counts, OpenOfTarget, TargetKey, Webhook, Workspace } from '../store/contract.ts';
import { isAdmin, ok, operation, type Call, type Tools } from './kernel.ts';
import { Instant, instant, orNull, WorkspaceQuery } from './wire.ts';

const Count = Type.Integer({ minimum: 0 });
const Rates = Type.Array(Type.Number({ minimum: 0 }), { minItems: 60, maxItems: 60 });
const Milliseconds = Type.Number({ minimum: 0 });

/** A webhook among the worst. */
const WorstOut = Type.Object({
  id: Type.String(),
  name: Type.String(),
  workspace: Type.String(),
  state: Type.Enum(['pending', 'active', 'warning', 'critical', 'paused', 'disabled']),
  open: Type.Integer({ minimum: 0, description: 'Deliveries that are scheduled or held.' }),
  oldestDueMs: orNull(Milliseconds),
  attempts: Type.Integer({ minimum: 0, description: 'In the last five minutes or so, by the node that answers.' }),
  failures: Count,
  answerMs: orNull(Milliseconds),
  error: orNull(Type.String({ description: 'Why the latest attempt that failed did.' })),
});
export type WorstOut = Static<typeof WorstOut>;

/** How things go. */
export const OverviewOut = Type.Object(
  {
    at: Instant,
    version: Type.String(),
    /** Null: the whole installation. */
    workspace: orNull(Type.String({ description: 'Null: the whole installation.' })),
    rates: Type.Object(
      { accepted: Rates, delivered: Rates, failed: Rates },
      { description: 'Events and deliveries in each of the last 60 seconds, oldest first, of the node that answers.' },
    ),
    latencyMs: orNull(
      Type.Object(
        { p50: Milliseconds, p95: Milliseconds, p99: Milliseconds },
        { description: 'From the accept to the delivery, over the last minute or so.' },
      ),
    ),
    deliveries: Type.Object(
      { scheduled: Count, held: Count, dead: Count, oldestDueMs: Milliseconds, countedAt: Instant },
      { description: 'In the store, as of the latest count.' },
    ),
    webhooks: Type.Record(Type.String(), Count, { description: 'Webhooks by state.' }),
    node: orNull(
      Type.Object(
        {
          name: Type.String(),
          lanes: Count,
          ready: Count,
          underWay: Count,
          places: Count,
          connections: Count,
          runs: Count,
          memoryBytes: Count,
        },
        { description: 'The node that answers; for keys of the whole installation.' },
      ),
    ),
    worst: Type.Array(WorstOut),
  },
  {
    examples: [
      {
        at: '2026-11-22T09:30:00.000Z',
        version: '0.1.0',
        workspace: null,
        rates: {
          accepted: Array.from({ length: 60 }, () => 120),
          delivered: Array.from({ length: 60 }, () => 118),
          failed: Array.from({ length: 60 }, () => 2),
        },
        latencyMs: { p50: 8, p95: 42, p99: 130 },
        deliveries: { scheduled: 12, held: 340, dead: 3, oldestDueMs: 0, countedAt: '2026-11-22T09:29:58.000Z' },
        webhooks: { active: 7, warning: 1, paused: 1 },
        node: {
          name: 'gateway-1/4711/9f3c21aa',
          lanes: 64,
          ready: 4,
          underWay: 8,
          places: 2048,
          connections: 16,
          runs: 0,
          memoryBytes: 183_000_000,
        },
        worst: [
          {
            id: 'wh_2HcXvWq8_3',
            name: 'billing',
            workspace: 'default',
            state: 'warning',
            open: 340,
            oldestDueMs: 61_000,
            attempts: 240,
            failures: 96,
            answerMs: 812.5,
            error: 'answered 503',
          },
        ],
      },
    ],
  },
);
export type OverviewOut = Static<typeof OverviewOut>;

const SORTS = ['backlog', 'failures', 'latency'] as const;
type Sort = (typeof SORTS)[number];

export const OverviewQuery = Type.Object(
  {
    ...WorkspaceQuery,
    sort: Type.Optional(Type.Enum([...SORTS], { description: 'What the worst webhooks are the worst by; backlog.' })),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: 'Worst webhooks; 15.' })),
  },
  { additionalProperties: false },
);

export const readOverview = operation<null, OverviewOut>()({
  summary: 'How things go: rates, backlog, and the worst webhooks',
  description:
    'Of the workspace that is named; without one, a key of the whole installation sees all of it. Rates and attempts are those of the node that answers, counts are those of the store, some seconds old.',
  query: OverviewQuery,
  reach: 'installation',
  errors: ['workspace-required', 'unknown-workspace'],
  quiet: true,
  async handle(call, tools) {
    const { query } = call;
    const { watching, version, clock } = tools;
    const workspace = await scopeOf(call, tools);
    const only = workspace === null ? null : workspace.workspace;
    const pulse = watching.pulse(only === null ? null : [only]);
    const counts = await watching.census();
    const isHere = (row: { workspace: number }): boolean => only === null || row.workspace === only;
    const open = counts.open.filter(isHere);
    const { accepted, delivered, failed, latencyMs } = pulse;
    const { countedAt } = counts;
    return ok({
      at: instant(clock.now()),
      version,
      workspace: workspace === null ? null : workspace.name,
      rates: { accepted, delivered, failed },
      latencyMs,
      deliveries: {
        ...backlogOf(open, countedAt),
        dead: counts.dead.filter(isHere).reduce((sum, { dead }) => sum + dead, 0),
        countedAt: instant(countedAt),
      },
      webhooks: statesOf(counts.webhooks.filter(isHere)),
      node: workspace === null || isAdmin(call.key) ? watching.node() : null,
      worst: await worstOf(
        { open, pulse },
        { sort: query.sort ?? 'backlog', limit: query.limit ?? 15, countedAt },
        tools,
      ),
    });
  },
});

/** The workspace whose overview it is; null for the whole installation. */
function scopeOf({ query, key, header }: Call<null, Static<typeof OverviewQuery>>, { auth }: Tools) {
  const named = query.workspace ?? header('bellwire-workspace');
  return named === undefined && key.workspaces === null ? null : auth.locate(key, named);
}

function statesOf(webhooks: Counts['webhooks']): Record<string, number> {
  const states: Record<string, number> = {};
  for (const { intent, health, count } of webhooks) {
    const state = shownState(intent, health);
    states[state] = (states[state] ?? 0) + count;
  }
  return states;
}

/** What is known of a webhook before it is looked up. */
interface Candidate extends TargetKey {
  open: number;
  oldestDueAt: number | null;
  recent: WebhookPulse;
}

const WORSE: Readonly<Record<Sort, (one: Candidate) => number>> = {
  backlog: ({ open }) => open,
  failures: ({ recent }) => recent.failures,
  latency: ({ recent }) => recent.answerMs,
};

async function worstOf(
  { open, pulse }: { open: readonly OpenOfTarget[]; pulse: PulseReading },
  { sort, limit, countedAt }: { sort: Sort; limit: number; countedAt: number },
  { store: { settings } }: Tools,
): Promise<WorstOut[]> {
  const value = WORSE[sort];
  const tie = ({ open: count, recent }: Candidate): number => recent.failures * 1e6 + count + recent.answerMs / 1e6;
  const worst = largest(candidatesOf(open, pulse), limit, (a, b) => value(a) - value(b) || tie(a) - tie(b));
  const places = new Map<number, Promise<Workspace | null>>();
  for (const { workspace } of worst) places.set(workspace, places.get(workspace) ?? settings.workspace({ workspace }));
  const found = await Promise.all(
    worst.map(async (one) => {
      const { workspace, target } = one;
      const [webhook, place] = await Promise.all([settings.webhook(workspace, target), places.get(workspace)]);
      return webhook && place ? show(one, { webhook, place, countedAt }) : null;
    }),
  );
  return found.filter((one) => one !== null);
}

const NOT_SENT_TO: WebhookPulse = { attempts: 0, failures: 0, answerMs: 0, error: null };

/** Webhooks that have something open, or that something was sent to of late. */
function* candidatesOf(open: readonly OpenOfTarget[], { webhooks }: PulseReading): Generator<Candidate> {
  const had = new Set<WebhookPulse>();
  for (const { workspace, target, mode, open: count, oldestDueAt } of open) {
    if (!isWebhook(mode)) continue;
    const recent = webhooks.get(workspace)?.get(target);
    if (recent) had.add(recent);
    yield { workspace, target, open: count, oldestDueAt, recent: recent ?? NOT_SENT_TO };
  }
  for (const [workspace, those] of webhooks) {
    for (const [target, recent] of those) {
      if (!had.has(recent)) yield { workspace, target, open: 0, oldestDueAt: null, recent };
    }
  }
}

/** The largest of them, the largest first. There may be a hundred thousand: sorting all of them stops everybody. */
function largest<T>(all: Iterable<T>, limit: number, compare: (one: T, other: T) => number): T[] {
  const found: T[] = [];
  for (const one of all) {
    let at = found.length;
    while (at > 0 && compare(one, found[at - 1]!) > 0) at--;
    if (at === limit) continue;
    found.splice(at, 0, one);
    if (found.length > limit) found.pop();
  }
  return found;
}

function show(
  { open, oldestDueAt, recent }: Candidate,
  { webhook, place, countedAt }: { webhook: Webhook; place: Workspace; countedAt: number },
): WorstOut {
  return {
    id: formatId('wh', webhook.token, webhook.webhook),
    name: webhook.name,
    workspace: place.name,
    state: shownState(webhook.intent, webhook.health),
    open,
    oldestDueMs: oldestDueAt === null ? null : Math.max(0, countedAt - oldestDueAt),
    ...recent,
    answerMs: recent.attempts === 0 ? null : recent.answerMs,
  };
}
