// Trace contexts (W3C Trace Context, level 1): read from headers and from events, kept and handed on as one text. Pure.
//
// The text is the `traceparent`, followed by a blank and the `tracestate` where there is one: what belongs together is
// stored, carried and compared together, byte for byte as it came.

/** A longer `tracestate` is left out (section 3.3.1.5: at least 512 characters have to be handed on). */
const MAX_STATE = 512;
const MAX_MEMBERS = 32;

/** What versions to come say behind it may be anything that a header can hold, without a blank (section 3.2.4). */
const PARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?$/;
/** One member: a key, which may belong to a tenant, and a value of printable ASCII without `,` and `=`. */
const MEMBER =
  /^[ \t]*(?:[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e])?[ \t]*$/;

/**
 * The context that `traceparent` and `tracestate` tell of. Null where the first is missing or malformed; a malformed
 * second one is as if it were not there (sections 3.2.2, 3.3.1).
 */
export function readTraceContext(traceparent: unknown, tracestate?: unknown): string | null {
  if (typeof traceparent !== 'string' || traceparent.length > 512 || !PARENT.test(traceparent)) return null;
  if (traceparent.startsWith('00') && traceparent.length !== 55) return null;
  return isState(tracestate) ? `${traceparent} ${tracestate}` : traceparent;
}

function isState(state: unknown): state is string {
  if (typeof state !== 'string' || state.length > MAX_STATE || state.trim() === '') return false;
  const members = state.split(',');
  return members.length <= MAX_MEMBERS && members.every((member) => MEMBER.test(member));
}

/** The `traceparent` of a context. */
export function traceparentOf(trace: string): string {
  const blank = trace.indexOf(' ');
  return blank < 0 ? trace : trace.slice(0, blank);
}

/** The `tracestate` of a context, or null. */
export function tracestateOf(trace: string): string | null {
  const blank = trace.indexOf(' ');
  return blank < 0 ? null : trace.slice(blank + 1);
}

/** Adds the headers of a context to those of a request. */
export function setTraceHeaders(headers: Record<string, string>, trace: string | null): void {
  if (trace === null) return;
  headers['traceparent'] = traceparentOf(trace);
  const state = tracestateOf(trace);
  if (state !== null) headers['tracestate'] = state;
}

/** The headers of a context. */
export function traceHeaders(trace: string | null): Record<string, string> {
  const headers: Record<string, string> = {};
  setTraceHeaders(headers, trace);
  return headers;
}

/** The 32 digits that all spans of the trace share. */
export function traceIdOf(trace: string): string {
  return trace.slice(3, 35);
}

/** The 16 digits of the span that the context names. */
export function spanIdOf(trace: string): string {
  return trace.slice(36, 52);
}

/** Does whoever began the trace want it recorded? */
export function isSampled(trace: string): boolean {
  return (parseInt(trace.slice(53, 55), 16) & 1) === 1;
}

/** A context of version 00. */
export function traceContextOf(of: {
  traceId: string;
  spanId: string;
  sampled: boolean;
  state: string | null;
}): string {
  const parent = `00-${of.traceId}-${of.spanId}-${of.sampled ? '01' : '00'}`;
  return of.state === null ? parent : `${parent} ${of.state}`;
}
