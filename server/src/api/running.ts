// What operators ask: is it alive, is it ready, what are its numbers, what does it offer.
import { Type, type Static } from 'typebox';
import { METRICS_TYPE } from '../metrics.ts';
import { refuse } from '../model/problem.ts';
import { ok, operation } from './kernel.ts';

/** It is well. */
export const HealthOut = Type.Object({ status: Type.Literal('ok') }, { examples: [{ status: 'ok' }] });
export type HealthOut = Static<typeof HealthOut>;

/** What is here, for whoever comes without a path. */
export const IndexOut = Type.Object(
  {
    name: Type.Literal('Bellwire'),
    version: Type.String(),
    openapi: Type.String({ description: 'Where this API is described (OpenAPI 3.1).' }),
    health: Type.String(),
    docs: Type.String({ description: 'The same as a page for people.' }),
  },
  {
    examples: [
      {
        name: 'Bellwire',
        version: '0.1.0',
        openapi: '/openapi.json',
        health: '/healthz',
        docs: '/docs',
      },
    ],
  },
);
export type IndexOut = Static<typeof IndexOut>;

/** The OpenAPI 3.1 description of this API. */
export const DocumentOut = Type.Record(Type.String(), Type.Unknown());
export type DocumentOut = Static<typeof DocumentOut>;

/** Text in the format of Prometheus. */
export const MetricsOut = Type.String();
export type MetricsOut = Static<typeof MetricsOut>;

export const index = operation<null, IndexOut>()({
  summary: 'What is here, and where it is described',
  description: 'A browser, which asks for HTML, is sent to the reference page.',
  reach: 'installation',
  quiet: true,
  success: { 200: 'What is here.', 302: 'A browser finds the page there.' },
  handle: async ({ header }, { version }) => {
    const docs = '/docs';
    const body = { name: 'Bellwire' as const, version, openapi: '/openapi.json', health: '/healthz', docs };
    const isBrowser = /\btext\/html\b/.test(header('accept') ?? '');
    return isBrowser ? { status: 302, body, headers: { location: docs } } : ok(body);
  },
});

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
  async handle(_call, { store, sources, log }) {
    if (sources.ending.aborted) throw refuse('unavailable', 'It is shutting down.');
    try {
      await store.check();
    } catch (error) {
      // Why is for the operator: it names hosts and users, and anybody may ask this.
      log.warn({ error }, 'not ready: the store does not answer');
      throw refuse('unavailable', 'The store does not answer; the log says why.', { 'retry-after': '1' });
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
