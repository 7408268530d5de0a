// The trace of a run: its span, and one for each of its steps, below the step in which it stands.
//
// A run that was interrupted begins another span when it goes on: the first one was never told of.
import type { ClaimedRun, StepState } from '../store/flows/contract.ts';
import type { Span, Tracer } from '../tracing/index.ts';

/** What a span is told of a step that begins. */
export interface TracedStep {
  place: string;
  name: string | null;
  action: string;
}

/** Traces one run. Without a tracer it only hands on the context that the run was started with. */
export class RunTrace {
  readonly #tracer: Tracer | null;
  readonly #given: string | null;
  readonly #span: Span | null;
  readonly #steps = new Map<string, Span>();

  constructor(tracer: Tracer | null, claimed: ClaimedRun) {
    this.#tracer = tracer;
    this.#given = claimed.trace;
    this.#span = tracer && tracer.begin(NAMES[claimed.kind], { parent: claimed.trace });
    if (!this.#span?.isRecorded) return;
    const { run, flow, name, version, cause, steps } = claimed;
    this.#span.set({
      'bellwire.run': run,
      'bellwire.flow': flow,
      'bellwire.flow.name': name,
      'bellwire.flow.version': version,
      'bellwire.cause': cause.by,
      'bellwire.resumed': steps.length > 0,
    });
  }

  /** The context of the run. */
  get trace(): string | null {
    return this.#span?.trace ?? this.#given;
  }

  /** The context of what a step does. */
  of(place: string): string | null {
    return this.#steps.get(place)?.trace ?? this.trace;
  }

  /** A step begins. */
  begin({ place, name, action }: TracedStep): void {
    if (!this.#tracer || !this.#span?.isRecorded) return;
    const parent = this.of(outerOf(place));
    const span = this.#tracer.begin(`step ${action}`, { parent });
    span.set({ 'bellwire.step.place': place, 'bellwire.step.name': name, 'bellwire.step.action': action });
    this.#steps.set(place, span);
  }

  /** It has ended, or was left as it is. */
  end(place: string, { state, tries, error }: { state: StepState; tries: number; error: string | null }): void {
    const span = this.#steps.get(place);
    if (!span) return;
    this.#steps.delete(place);
    span.set({ 'bellwire.outcome': state === 'running' ? 'left' : state, 'bellwire.tries': tries });
    span.end(state === 'failed' || state === 'aborted' ? error : null);
  }

  /** The run has ended as this, or is left to others. */
  conclude(state: string, reason: string | null): void {
    this.#span?.set({ 'bellwire.outcome': state });
    this.#span?.end(state === 'failed' || state === 'aborted' ? reason : null);
  }
}

const NAMES = { job: 'run job', scenario: 'run scenario', 'policy-set': 'evaluate policy set' } as const;

/** The place of the step in which this one stands; of a step of the run itself, none. */
function outerOf(place: string): string {
  return place.slice(0, Math.max(0, place.lastIndexOf('.steps['))).replace(/\.(?:(?:route|each)\[\d+\]|onError)$/, '');
}
