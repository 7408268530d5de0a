// The trace of an accept: a span of the wait for the commit, and one for each event that brings a trace of its own.
//
// What is kept with an event is the context its deliveries belong to: that of its own span, or else that of the publish.
import { isSampled } from '../model/trace-context.ts';
import type { AcceptResult, CommitFacts, Publish } from '../store/contract.ts';
import type { Span, Tracer } from '../tracing/index.ts';

/** An accept under way. */
export interface TracedAccept {
  end(result: AcceptResult): void;
  fail(error: Error): void;
}

/** The first of those that share a commit, whom the others name. */
const leaders = new WeakMap<CommitFacts, string>();

/** Begins the spans; null where nothing of it is recorded. Events that bring a trace get the context of their span. */
export function traceAccept({ events, trace }: Publish, tracer: Tracer | null): TracedAccept | null {
  if (tracer === null || trace === null) return null;
  const own: Span[] = [];
  for (const event of events) {
    if (!event.trace || !isSampled(event.trace)) continue;
    const span = tracer.begin('accept event', {
      parent: event.trace,
      links: [trace],
      attributes: { 'messaging.system': 'bellwire', 'bellwire.event.type': event.type },
    });
    event.trace = span.trace;
    own.push(span);
  }
  if (own.length === 0 && !isSampled(trace)) return null;
  const span = tracer.begin('accept', { parent: trace, attributes: attributesOf(events) });
  return {
    end(result) {
      if (result.kind !== 'accepted') return endAll([...own, span], result.kind);
      const { commit, accepted } = result;
      const leader = leaders.get(commit);
      if (leader !== undefined) span.link(leader);
      else if (span.isRecorded) leaders.set(commit, span.trace);
      span.set({
        'bellwire.accepted': accepted.filter(({ duplicate }) => !duplicate).length,
        'bellwire.commit.publishes': commit.publishes,
        'bellwire.commit.events': commit.events,
      });
      endAll([...own, span], null);
    },
    fail: (error) => endAll([...own, span], error.message),
  };
}

function attributesOf(events: Publish['events']): Record<string, string | number | undefined> {
  const [first] = events;
  return {
    'messaging.system': 'bellwire',
    'messaging.operation.name': 'publish',
    'messaging.operation.type': 'send',
    'messaging.batch.message_count': events.length,
    'bellwire.event.type': events.length === 1 ? first?.type : undefined,
  };
}

function endAll(spans: readonly Span[], fault: string | null): void {
  for (const span of spans) span.end(fault);
}
