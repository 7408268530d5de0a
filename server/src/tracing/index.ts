// Tracing, and how it is switched on. Off, which is the default, there is no tracer at all, and nothing of OpenTelemetry is
// loaded.
import type { Tracing, TracingParts } from './otlp.ts';

export type { Tracing, TracingParts } from './otlp.ts';
export type { Attributes, Span, SpanStart, Tracer } from './tracer.ts';

/** Loads what tracing takes, and begins to send spans. */
export async function openTracing(parts: TracingParts): Promise<Tracing> {
  const { createTracing } = await import('./otlp.ts');
  return createTracing(parts);
}
