// What a room records of a unit of work: spans, by a tracer that is handed in. Types alone.

/** Values of attributes; what is null or undefined is left out. Names are those of OpenTelemetry's conventions, or `bellwire.…`. */
export type Attributes = Readonly<Record<string, string | number | boolean | null | undefined>>;

/** One unit of work on its way into a trace. */
export interface Span {
  /** The context (model/trace-context.ts) to hand on to whatever is done for it. */
  readonly trace: string;
  /** False: nobody will see it, and attributes need not be made. */
  readonly isRecorded: boolean;
  set(attributes: Attributes): void;
  /** Names another unit of work that has to do with this one. */
  link(trace: string): void;
  /** Ends it, once; `fault` says in words that it failed, and why. */
  end(fault?: string | null): void;
}

/** What a span is when it begins. */
export interface SpanStart {
  /** Who began it: somebody else's request, one to somebody else, or neither. */
  kind?: 'server' | 'client' | 'internal';
  /** The context it belongs to; null begins a trace of its own. */
  parent: string | null;
  /** Contexts that have to do with it. One without a parent is recorded if any of them is. */
  links?: readonly string[];
  attributes?: Attributes;
}

/** Begins spans. */
export interface Tracer {
  begin(name: string, start: SpanStart): Span;
}
