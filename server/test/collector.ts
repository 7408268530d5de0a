// A collector for tests: takes spans over OTLP/HTTP as JSON, and says how they hang together.
import { startReceiver, type Received, type TestReceiver } from '../../test/kit/receiver.ts';

/** A span as it came. */
export interface SeenSpan {
  name: string;
  traceId: string;
  spanId: string;
  /** Empty for the first of a trace. */
  parentId: string;
  /** 1 internal, 2 server, 3 client. */
  kind: number;
  attributes: Record<string, unknown>;
  links: { traceId: string; spanId: string }[];
  state: string;
  startedAt: number;
  endedAt: number;
  /** In words where it failed, or null. */
  fault: string | null;
}

export interface Collector extends TestReceiver {
  /** Settings that send spans here. */
  setting: { tracing: { endpoint: string } };
  spans(): SeenSpan[];
  /** Waits for a span that is so. */
  span(name: string, where?: (span: SeenSpan) => boolean): Promise<SeenSpan>;
  /** Attributes of whoever sends. */
  resource(): Record<string, unknown>;
}

/** Starts one. */
export async function startCollector(): Promise<Collector> {
  const receiver = await startReceiver();
  const spans = (): SeenSpan[] => receiver.requests.flatMap(spansOf);
  return {
    ...receiver,
    setting: { tracing: { endpoint: `${receiver.url}/v1/traces` } },
    spans,
    async span(name, where = () => true) {
      const has = (one: SeenSpan): boolean => one.name === name && where(one);
      await receiver.received(1, { withinMs: 20_000, where: (request) => spansOf(request).some(has) });
      return spans().find(has)!;
    },
    resource: () => valuesOf(bodyOf(receiver.requests[0]!).resourceSpans[0]!.resource.attributes),
  };
}

interface Value {
  stringValue?: string;
  intValue?: number | string;
  doubleValue?: number;
  boolValue?: boolean;
}

type Pairs = { key: string; value: Value }[];

interface RawSpan {
  name: string;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  traceState?: string;
  kind: number;
  attributes: Pairs;
  links: { traceId: string; spanId: string }[];
  status: { code: number; message?: string };
  startTimeUnixNano: string;
  endTimeUnixNano: string;
}

interface Body {
  resourceSpans: { resource: { attributes: Pairs }; scopeSpans: { spans: RawSpan[] }[] }[];
}

function bodyOf({ body }: Received): Body {
  return JSON.parse(body.toString()) as Body;
}

function spansOf(request: Received): SeenSpan[] {
  const all = bodyOf(request).resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans));
  return all.map((span) => ({
    name: span.name,
    traceId: span.traceId,
    spanId: span.spanId,
    parentId: span.parentSpanId ?? '',
    kind: span.kind,
    attributes: valuesOf(span.attributes),
    links: span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
    state: span.traceState ?? '',
    startedAt: Number(BigInt(span.startTimeUnixNano) / 1_000n) / 1_000,
    endedAt: Number(BigInt(span.endTimeUnixNano) / 1_000n) / 1_000,
    fault: span.status.code === 2 ? (span.status.message ?? '') : null,
  }));
}

function valuesOf(pairs: Pairs): Record<string, unknown> {
  const named = pairs.map(({ key, value }) => [key, Object.values(value)[0]]);
  return Object.fromEntries(named) as Record<string, unknown>;
}
