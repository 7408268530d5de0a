// What operators ask: is it alive, is it ready, what are its numbers, what does it offer.
import { Type, type Static } from 'typebox';
import { METRICS_TYPE, type Metrics } from '../metrics.ts';
import { refuse } from '../model/problem.ts';
import { ok, operation } from './kernel.ts';
import type { ApiParts } from './parts.ts';

/** It is well. */
export const HealthOut = Type.Object({ status: Type.Literal('ok') }, { examples: [{ status: 'ok' }] });
export type HealthOut = Static<typeof HealthOut>;

/** The OpenAPI 3.1 description of this API. */
export const DocumentOut = Type.Record(Type.String(), Type.Unknown());
export type DocumentOut = Static<typeof DocumentOut>;

/** Text in the format of Prometheus. */
export const MetricsOut = Type.String();
export type MetricsOut = Static<typeof MetricsOut>;

export const health = operation<null, HealthOut>()({
  summary: 'Is the process alive? Asks nothing else',
  reach: 'installation',
  quiet: true,
  handle: async () => ok({ status: 'ok' as const }),
});

export const readiness = operation<null, HealthOut>()({
  summary: 'Can it serve? Asks the store',
  reach: 'installation',
  quiet: true,
  errors: ['unavailable'],
  async handle(_call, { store, sources }) {
    if (sources.ending.aborted) throw refuse('unavailable', 'It is shutting down.');
    try {
      await store.check();
    } catch (error) {
      throw refuse('unavailable', `The store does not answer: ${(error as Error).message}`, { 'retry-after': '1' });
    }
    return ok({ status: 'ok' as const });
  },
});

export const readMetrics = operation<null, MetricsOut>()({
  summary: 'Metrics in the text format of Prometheus',
  reach: 'installation',
  quiet: true,
  produces: ['text/plain'],
  handle: async (_call, { metrics }) => ({ status: 200, bytes: await metrics.read(), mediaType: METRICS_TYPE }),
});

export const describe = operation<null, DocumentOut>()({
  summary: 'This description (OpenAPI 3.1)',
  reach: 'installation',
  quiet: true,
  handle: async (_call, { document }) => ({ status: 200, bytes: document(), mediaType: 'application/json' }),
});

/** How old the counts of the store may be: counting a large log takes a while, and scrapers come in pairs. */
const TOTALS_MS = 5_000;

/** Gauges that are read, not kept: the store's totals per workspace, the engine's own. */
export function watchGauges(metrics: Metrics, { store, engine, clock }: ApiParts): void {
  const labels = ['workspace'];
  const open = metrics.gauge({ name: 'bellwire_deliveries_open', help: 'Deliveries still to be done.', labels });
  const dead = metrics.gauge({ name: 'bellwire_deliveries_dead', help: 'Dead letters within retention.', labels });
  const overdue = metrics.gauge({
    name: 'bellwire_deliveries_overdue_seconds',
    help: 'How long the oldest open delivery has been due; 0 when none is. Held ones count.',
    labels,
  });
  let readAt = -Infinity;
  metrics.onRead(async () => {
    for (const [name, value] of Object.entries(engine.stats())) {
      const words = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
      metrics.gauge({ name: `bellwire_engine_${words}`, help: `The delivery engine’s ${name}.` }).set(value);
    }
    if (clock.monotonic() - readAt < TOTALS_MS) return;
    readAt = clock.monotonic();
    const names = new Map((await store.settings.workspaces()).map(({ workspace, name }) => [workspace, name]));
    for (const total of await store.log.totals()) {
      const name = names.get(total.workspace) ?? String(total.workspace);
      open.set(total.open, name);
      dead.set(total.dead, name);
      overdue.set(total.oldestDueAt === null ? 0 : Math.max(0, clock.now() - total.oldestDueAt) / 1_000, name);
    }
  });
}
