// The tracer over OpenTelemetry's SDK: spans are sent to an OTLP/HTTP collector as JSON. Loaded only when tracing is on.
//
// Whether a trace is recorded is decided here, once, by its first span: by the sampled flag of who began it, or by the
// share that is set. What is not recorded never reaches the SDK, and costs a look at a flag.
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import {
  createTraceState,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as api,
  TraceFlags,
  type Span as SdkSpan,
  type SpanContext,
  type Tracer as SdkTracer,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AlwaysOnSampler, RandomIdGenerator, TracerProvider } from '@opentelemetry/sdk-trace';
import type { Config } from '../config/index.ts';
import type { Log } from '../log/index.ts';
import type { Metrics } from '../metrics.ts';
import type { Clock } from '../model/clock.ts';
import { isSampled, spanIdOf, traceContextOf, traceIdOf, tracestateOf } from '../model/trace-context.ts';
import { EXPORT_MS, SpanQueue } from './span-queue.ts';
import type { Attributes, Span, SpanStart, Tracer } from './tracer.ts';

/** Tracing that is switched on. */
export interface Tracing {
  tracer: Tracer;
  /** Sends what is left, for two seconds at most. Never rejects. */
  stop(): Promise<void>;
}

/** What tracing stands on. */
export interface TracingParts {
  setting: NonNullable<Config['tracing']>;
  clock: Clock;
  log: Log;
  metrics: Metrics;
  version: string;
  /** This process, by a name no other has. */
  node: string;
}

/** Longer texts of attributes are cut. */
const LONGEST_VALUE = 1_024;

/** A collector that is well takes all that waits in less. One that is not must not keep the platform from ending. */
const LAST_WORDS_MS = 2_000;

/** Begins to send spans. */
export function createTracing({ setting, clock, log, metrics, version, node }: TracingParts): Tracing {
  const agent = new (setting.endpoint.startsWith('https:') ? HttpsAgent : HttpAgent)({ keepAlive: true });
  const exporter = new OTLPTraceExporter({
    url: setting.endpoint,
    headers: { ...setting.headers },
    timeoutMillis: EXPORT_MS,
    httpAgentOptions: () => agent,
  });
  const dropped = metrics.counter({
    name: 'bellwire_trace_spans_dropped_total',
    help: 'Spans that did not reach the collector, by the reason.',
    labels: ['reason'],
  });
  const queue = new SpanQueue({ exporter, clock, log, dropped });
  const ids = new Ids();
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      'service.name': setting.service,
      'service.version': version,
      'service.instance.id': node,
      ...setting.attributes,
    }),
    sampler: new AlwaysOnSampler(),
    idGenerator: ids,
    spanLimits: { attributeValueLengthLimit: LONGEST_VALUE },
    spanProcessors: [queue],
  });
  const tracer = new OtlpTracer({ sdk: provider.getTracer('bellwire', version), ids, clock, share: setting.sample });
  return {
    tracer,
    async stop() {
      const late = Promise.withResolvers<void>();
      const timer = clock.after(LAST_WORDS_MS, late.resolve);
      await Promise.race([queue.forceFlush(), late.promise]);
      timer.cancel();
      await queue.shutdown();
      // A request that hangs must not keep the process.
      agent.destroy();
    },
  };
}

/** Random ids; that of a trace is known before its first span is made, for it decides whether that is made. */
class Ids extends RandomIdGenerator {
  #next: string | null = null;

  /** The id of the next trace. */
  draw(): string {
    this.#next = super.generateTraceId();
    return this.#next;
  }

  override generateTraceId(): string {
    return this.#next ?? super.generateTraceId();
  }
}

interface OtlpTracerParts {
  sdk: SdkTracer;
  ids: Ids;
  clock: Clock;
  /** Of traces that begin here, 0 to 1. */
  share: number;
}

const KINDS = { server: SpanKind.SERVER, client: SpanKind.CLIENT, internal: SpanKind.INTERNAL };

class OtlpTracer implements Tracer {
  readonly #parts: OtlpTracerParts;
  readonly #time: PreciseTime;

  constructor(parts: OtlpTracerParts) {
    this.#parts = parts;
    this.#time = new PreciseTime(parts.clock);
  }

  begin(name: string, { kind = 'internal', parent, links = [], attributes = {} }: SpanStart): Span {
    const { sdk, ids, share } = this.#parts;
    let isRecorded: boolean;
    if (parent !== null) {
      if (!isSampled(parent)) return new Unrecorded(parent);
      isRecorded = true;
    } else {
      const traceId = ids.draw();
      isRecorded = links.length > 0 ? links.some(isSampled) : isOfShare(traceId, share);
      if (!isRecorded) return new Unrecorded(unsampled(traceId, ids.generateSpanId()));
    }
    const context = parent === null ? ROOT_CONTEXT : api.setSpanContext(ROOT_CONTEXT, contextOf(parent));
    const options = {
      kind: KINDS[kind],
      links: links.map((link) => ({ context: contextOf(link) })),
      attributes: known(attributes),
      startTime: this.#time.now(),
    };
    return new Recorded(
      sdk.startSpan(name, options, context),
      this.#time,
      parent === null ? null : tracestateOf(parent),
    );
  }
}

function unsampled(traceId: string, spanId: string): string {
  return traceContextOf({ traceId, spanId, sampled: false, state: null });
}

// By the trace's random half, so that all who sample by the same rule keep the same traces (W3C Trace Context level 2).
function isOfShare(traceId: string, share: number): boolean {
  return share >= 1 || parseInt(traceId.slice(18), 16) < share * 2 ** 56;
}

function contextOf(trace: string): SpanContext {
  const state = tracestateOf(trace);
  return {
    traceId: traceIdOf(trace),
    spanId: spanIdOf(trace),
    traceFlags: isSampled(trace) ? TraceFlags.SAMPLED : TraceFlags.NONE,
    isRemote: true,
    ...(state === null ? {} : { traceState: createTraceState(state) }),
  };
}

function known(attributes: Attributes): Record<string, string | number | boolean> {
  const left: Record<string, string | number | boolean> = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (value !== null && value !== undefined) left[name] = value;
  }
  return left;
}

/** Of a trace that nobody records: its context is handed on as it is. */
class Unrecorded implements Span {
  readonly trace: string;
  readonly isRecorded = false;
  constructor(trace: string) {
    this.trace = trace;
  }
  set(): void {}
  link(): void {}
  end(): void {}
}

class Recorded implements Span {
  readonly trace: string;
  readonly isRecorded = true;
  readonly #span: SdkSpan;
  readonly #time: PreciseTime;

  constructor(span: SdkSpan, time: PreciseTime, state: string | null) {
    this.#span = span;
    this.#time = time;
    const { traceId, spanId } = span.spanContext();
    this.trace = traceContextOf({ traceId, spanId, sampled: true, state });
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(known(attributes));
  }

  link(trace: string): void {
    this.#span.addLink({ context: contextOf(trace) });
  }

  end(fault: string | null = null): void {
    if (fault !== null) this.#span.setStatus({ code: SpanStatusCode.ERROR, message: fault.slice(0, LONGEST_VALUE) });
    this.#span.end(this.#time.now());
  }
}

/** How far the wall clock may be from where it was read last before that is read anew, ms. */
const MOST_DRIFT_MS = 20;

/** Wall time finer than a millisecond: most spans take less. */
class PreciseTime {
  readonly #clock: Clock;
  #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = clock.now() - clock.monotonic();
  }

  /** Seconds and nanoseconds. */
  now(): [number, number] {
    const wall = this.#clock.now();
    const monotonic = this.#clock.monotonic();
    if (Math.abs(wall - monotonic - this.#offset) > MOST_DRIFT_MS) this.#offset = wall - monotonic;
    const ms = monotonic + this.#offset;
    const seconds = Math.floor(ms / 1_000);
    return [seconds, Math.round((ms - seconds * 1_000) * 1e6)];
  }
}
