// One run under way: what it is given, its time-out, its steps or rules, and its end.
import type { Flow, Job, Json, PolicySet, Scenario } from '../model/flow/definition.ts';
import { jobEndEvent, policyEndEvent, scenarioEndEvent } from '../model/flow/end-events.ts';
import type { Clock } from '../model/clock.ts';
import type { RequestBundle } from '../model/hook/body.ts';
import type { HookReply } from '../model/hook/exchange.ts';
import { formatSpan } from '../model/quantities.ts';
import { StoreOutage } from '../store/contract.ts';
import type { Cause, ClaimedRun, Flows, RuleResult, RunEnd, RunKey, StoredStep } from '../store/flows/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import type { Action, RunFacts } from './action.ts';
import { Ending, Halt, Stopped } from './ending.ts';
import { Journal } from './journal.ts';
import { createMasker, type Masker } from '../model/flow/mask.ts';
import { StepFailed } from './perform.ts';
import { Seat, type Places } from './places.ts';
import type { Plan } from './plan.ts';
import type { Evaluate } from './policy-door.ts';
import { Replies } from './replies.ts';
import { RunTrace } from './run-trace.ts';
import { misfitOf, readAgain, scopeOfScenario } from './request-scope.ts';
import { Scope } from './scope.ts';
import { Walk } from './walk.ts';

/** What every run of a node stands on. */
export interface RunParts {
  flows: Flows;
  clock: Clock;
  places: Places;
  actions: ReadonlyMap<string, Action>;
  evaluate: Evaluate;
  /** The part of all ids of a workspace; null when the workspace is gone. */
  tokenOf(workspace: number): Promise<string | null>;
  limits: RunLimits;
  /** Null while nothing is traced. */
  tracer: Tracer | null;
  /** Those who wait for what runs reply. */
  waiting: RunWatch;
  onError(error: unknown): void;
  watch?: FlowWatch | undefined;
}

/** Is told of what ends at this node. Called in the middle of the work: it must be quick, and must not throw. */
export interface FlowWatch {
  /** A step has ended. Its row is not committed yet. */
  step(step: StoredStep): void;
  /** A run has ended, and that is committed. */
  run(end: EndedRun): void;
}

/** A run that has ended. Instants epoch ms. */
export interface EndedRun {
  claimed: ClaimedRun;
  kind: Flow['kind'];
  state: RunEnd['state'];
  /** Masked. */
  reason: string | null;
  finishedAt: number;
  /** The trace context of the run, or null. */
  trace: string | null;
}

/** Hears of runs of scenarios on this node. */
export interface RunWatch {
  /** It has replied. True: somebody here has waited for it. */
  replied(key: RunKey, reply: HookReply): boolean;
  /** It ends, whether it has replied or not. */
  ended(key: RunKey, state: RunEnd['state']): void;
}

/** What is known already to who hands a run over that begins. */
export interface Prepared {
  /** The values of its secrets. */
  secrets: Record<string, string>;
  masker: Masker;
  bundle: RequestBundle;
  /** Why the request fits no shape of the hook; null where it does. */
  misfit: string | null;
}

/** What a run may use. */
export interface RunLimits {
  /** Bytes of the input or the output of one step. */
  stepBytes: number;
  /** Bytes of its log. */
  logBytes: number;
  /** Steps, those of all rounds of its loops. */
  steps: number;
}

/** A store that does not answer is asked again after this. */
const RETRY_MS = 1_000;

/** How the work at a run was left off: it has ended, goes on elsewhere or later, or its end could not be written. */
type Departure = 'ended' | 'left' | 'stuck';

/** How the work of a run came out. */
interface Conclusion {
  state: RunEnd['state'];
  reason: string | null;
  results: readonly RuleResult[];
}

/** Works at one run. */
export class RunUnderWay {
  readonly claimed: ClaimedRun;
  readonly #plan: Plan;
  readonly #parts: RunParts;
  readonly #halt = new Halt();
  readonly #journal: Journal;
  readonly #seat: Seat;
  readonly #replies: Replies;
  readonly #trace: RunTrace;
  readonly #prepared: Prepared | null;
  /** As what it has ended; null while it has not. */
  #conclusion: Pick<Conclusion, 'state' | 'reason'> | null = null;

  constructor(
    { claimed, plan, prepared }: { claimed: ClaimedRun; plan: Plan; prepared: Prepared | null },
    parts: RunParts,
  ) {
    this.claimed = claimed;
    this.#plan = plan;
    this.#parts = parts;
    this.#prepared = prepared;
    const { workspace, run, lane } = claimed;
    const isScenario = plan.flow.kind === 'scenario';
    this.#replies = new Replies(isScenario ? (reply) => this.#reply(reply) : null);
    this.#trace = new RunTrace(parts.tracer, claimed);
    this.#seat = new Seat(parts.places, workspace);
    this.#journal = new Journal({
      flows: parts.flows,
      key: { workspace, run },
      lane,
      clock: parts.clock,
      logBytes: parts.limits.logBytes,
      isLazy: isScenario,
      onLost: () => this.end(new Ending('lost', 'the run is another node’s by now')),
      onError: parts.onError,
      onStep: parts.watch ? (step) => parts.watch?.step(step) : undefined,
    });
  }

  /** Tells it to end; it does so in its own time. */
  end(ending: Ending): void {
    this.#halt.end(ending);
  }

  /** What is under way is cut off, and nothing more is written. */
  cut(ending: Ending): void {
    this.#halt.cut(ending);
    this.#journal.abandon(ending);
  }

  /** Works until the run has `ended`, is `left` to others, or is `stuck`: its end could not be written. Never rejects. */
  async work(): Promise<Departure> {
    const how = await this.#work();
    const { state, reason } = this.#conclusion ?? { state: how === 'ended' ? 'left' : how, reason: null };
    this.#trace.conclude(state, reason);
    return how;
  }

  async #work(): Promise<Departure> {
    const { clock } = this.#parts;
    const { startedAt } = this.claimed;
    const { timeoutMs } = this.#plan.flow;
    const late = (): Ending => new Ending('abort', `it took longer than ${formatSpan(timeoutMs)}`);
    const timer = clock.after(startedAt + timeoutMs - clock.now(), () => this.end(late()));
    try {
      await this.#seat.take();
      return await this.#conclude();
    } catch (error) {
      if (!(error instanceof Ending)) this.#parts.onError(error);
      // A platform that stops leaves the run as it is, with all that it has come to.
      await this.#journal.flush().catch(() => undefined);
      this.#journal.abandon(new Ending('lost', 'the run was left'));
      return error instanceof Ending ? 'left' : 'stuck';
    } finally {
      timer.cancel();
      this.#seat.leave();
    }
  }

  async #conclude(): Promise<Departure> {
    const token = await this.#ask(() => this.#parts.tokenOf(this.claimed.workspace));
    if (token === null) return 'left';
    const given = { token, ...(this.#prepared ?? (await this.#open())) };
    const { state, reason: why, results } = await this.#do(given);
    const reason = why === null ? null : given.masker.text(why);
    this.#parts.waiting.ended(this.claimed, state);
    return this.#finish({ state, reason, results: results.length > 0 ? results : this.#unjudged(reason) });
  }

  async #open(): Promise<Pick<Given, 'secrets' | 'masker'>> {
    const { secrets: names } = this.#plan;
    const { workspace, request } = this.claimed;
    const { flows } = this.#parts;
    const secrets = names.length === 0 ? {} : await this.#ask(() => flows.secrets(workspace, names));
    // An old request may say what was a secret when it came.
    const hidden = request === null ? Object.values(secrets) : await this.#ask(() => flows.everySecret(workspace));
    return { secrets, masker: createMasker(hidden) };
  }

  // An evaluation that was ended tells so for each of its rules: nothing else is told of a policy set (R2, R39).
  #unjudged(reason: string | null): readonly RuleResult[] {
    const { flow } = this.#plan;
    if (flow.kind !== 'policy-set') return [];
    return flow.rules.map(({ name }) => ({ rule: name, status: 'failed', reason, resources: [] }));
  }

  /** Does the work. Rejects with an {@link Ending} when the run is to be left as it is. */
  async #do(given: Given): Promise<Conclusion> {
    try {
      const { flow } = this.#plan;
      if (this.claimed.abortAsked !== null) throw abortedBy(this.claimed.abortAsked);
      if (flow.kind === 'policy-set') return await this.#evaluate(flow, given);
      const scope = flow.kind === 'scenario' ? this.#scopeOfRequest(given) : this.#scope(given);
      if (!(scope instanceof Scope)) return failed(scope.reason);
      await this.#walk(flow, { ...given, scope });
      // Its last step may have ended as the run was told to.
      return { state: 'completed', reason: null, results: [] };
    } catch (error) {
      if (error instanceof StepFailed) return failed(error.message);
      if (error instanceof Stopped) return this.#stopped(error);
      if (error instanceof Ending && (error.kind === 'stop' || error.kind === 'lost')) throw error;
      if (!(error instanceof Ending)) {
        this.#parts.onError(error);
        return failed(`something went wrong in the platform: ${(error as Error).message}`);
      }
      const text = `${error.kind === 'abort' ? 'Aborted' : 'Failed'}: ${error.message}`;
      this.#journal.line({ place: '', stream: 'note', text });
      return error.kind === 'abort' ? { state: 'aborted', reason: error.message, results: [] } : failed(error.message);
    }
  }

  #stopped({ as, message }: Stopped): Conclusion {
    if (as === 'failed') return failed(message);
    this.#journal.line({ place: '', stream: 'note', text: `Stopped: ${message}` });
    return { state: 'completed', reason: null, results: [] };
  }

  async #walk({ steps }: Job | Scenario, given: Given & { scope: Scope }): Promise<void> {
    const { actions, clock, limits, onError } = this.#parts;
    const { masker, token, scope } = given;
    const walk = new Walk({
      facts: this.#facts(token),
      actions,
      expressions: this.#plan.expressions,
      journal: this.#journal,
      masker,
      halt: this.#halt,
      seat: this.#seat,
      replies: this.#replies,
      trace: this.#trace,
      clock,
      stepBytes: limits.stepBytes,
      mostSteps: limits.steps,
      onError,
      former: new Map(this.claimed.steps.map((step) => [step.place, step])),
    });
    await walk.steps(steps, '', scope);
  }

  async #evaluate(set: PolicySet, given: Given): Promise<Conclusion> {
    const { workspace, flow } = this.claimed;
    const { evaluate, flows } = this.#parts;
    const scope = this.#scope(given);
    const results = await evaluate({
      set,
      scope: scope.names,
      secrets: given.secrets,
      signal: this.#halt.signal,
      trace: this.#trace.trace,
      known: (rule) => flows.known(workspace, flow, rule),
      log: (rule, text) => this.#journal.line({ place: rule, stream: 'note', text: given.masker.text(text) }),
    });
    this.#halt.check();
    const masked = results.map((result) => given.masker.json(result as unknown as Json) as unknown as RuleResult);
    const broken = masked.filter(({ status }) => status === 'failed');
    if (broken.length === 0) return { state: 'completed', reason: null, results: masked };
    const [first] = broken as [RuleResult];
    const others = broken.length === 1 ? '' : ` (and ${broken.length - 1} more)`;
    return { state: 'failed', reason: `${first.rule}: ${first.reason}${others}`, results: masked };
  }

  #scope({ secrets }: Given): Scope {
    const { flow, params, event } = this.claimed;
    return new Scope({ params, event, run: { job: flow, ...this.#about() }, secret: secrets });
  }

  #scopeOfRequest({ token, secrets, masker }: Given): Scope | { reason: string } {
    const { claimed } = this;
    const { request, steps, flow } = claimed;
    const read = this.#prepared ? { ok: true as const, bundle: this.#prepared.bundle } : readAgain(request);
    if (!read.ok || request === null) return { reason: read.ok ? '' : read.reason };
    if (steps.length === 0) this.#noteRequest(read.bundle, masker);
    const run = { scenario: flow, ...this.#about() };
    return scopeOfScenario({ claimed, request, bundle: read.bundle, token, run, secrets });
  }

  // What has waited was judged by another node, or before a crash: it is judged again.
  #noteRequest({ body }: RequestBundle, masker: Masker): void {
    const { hook } = this.#plan.flow as Scenario;
    const doubt = this.claimed.request?.doubt ?? null;
    const observed = doubt === null ? null : `Observed: it would have been refused: ${doubt}`;
    const misfit = this.#prepared ? this.#prepared.misfit : misfitOf(hook, body);
    for (const text of [observed, misfit]) {
      if (text !== null) this.#journal.line({ place: '', stream: 'note', text: masker.text(text) });
    }
  }

  #about(): { [name: string]: Json } {
    const { run, name, startedAt, cause } = this.claimed;
    return { id: run, name, startedAt: new Date(startedAt).toISOString(), cause: shownCause(cause) };
  }

  #facts(token: string): RunFacts {
    const { workspace, run, flow, name, cause, depth, startedAt, request: asked } = this.claimed;
    const request = asked && { request: asked.request, key: asked.dedupe ?? String(asked.request) };
    const origin = cause.by === 'continue' ? cause.origin : run;
    return { workspace, token, run, origin, flow, name, depth, startedAt, request };
  }

  #reply(reply: HookReply): void {
    this.#journal.reply(reply);
    // Somebody at another node may wait for it.
    if (!this.#parts.waiting.replied(this.claimed, reply)) this.#journal.hurry();
  }

  async #finish({ state, reason, results }: Conclusion): Promise<Departure> {
    const { flows, clock, onError } = this.#parts;
    const { workspace, run, lane } = this.claimed;
    const { trace } = this.#trace;
    let left = await this.#journal.close();
    const now = clock.now();
    const events = this.#endEvents({ state, reason, results }, now);
    // Nothing is left to work at: others may, while this is written down.
    this.#seat.leave();
    for (let failures = 0; ;) {
      if (this.#halt.isLeft) return 'left';
      try {
        const end = { key: { workspace, run }, lane, ...left, state, reason, now, events, results, trace };
        this.#conclusion = { state, reason };
        if ((await flows.finish(end)) === 'finished') this.#told({ state, reason, finishedAt: now });
        return 'ended';
      } catch (error) {
        onError(error);
        // Rows that cannot be stored must not keep the run from ending.
        if (!(error instanceof StoreOutage) && ++failures > 1) left = { steps: [], lines: [] };
        if (failures > 3) return 'stuck';
        await new Promise<void>((again) => clock.after(RETRY_MS, again));
      }
    }
  }

  #told(end: Pick<EndedRun, 'state' | 'reason' | 'finishedAt'>): void {
    this.#parts.watch?.run({ claimed: this.claimed, kind: this.#plan.flow.kind, trace: this.#trace.trace, ...end });
  }

  /** What tells of its end: of a job one event, of a policy set one for each rule (R1, R2). */
  #endEvents({ state, reason, results }: Conclusion, finishedAt: number): RunEnd['events'] {
    const { flow, run, name, group, depth, startedAt } = this.claimed;
    if (this.#plan.flow.kind !== 'policy-set') {
      const end = { run, name, group, status: state, startedAt, finishedAt, reason, depth };
      const isJob = this.#plan.flow.kind === 'job';
      const event = isJob ? jobEndEvent({ job: flow, ...end }) : scenarioEndEvent({ scenario: flow, ...end });
      return [{ event, after: state === 'completed' ? 'completed' : 'failed' }];
    }
    return results.map(({ rule, status, reason: why, resources }) => {
      const evaluations = resources.map(({ id, name: resource, compliance, detail }) => {
        return { ResourceId: id, ResourceName: resource, ComplianceType: compliance, ResultDetailCode: detail };
      });
      const about = { policySet: flow, evaluation: run, policySetName: name, group, depth };
      const event = policyEndEvent({ ...about, rule, status, evaluatedAt: finishedAt, evaluations, reason: why });
      return { event, after: status };
    });
  }

  // Outages of the store are waited out, for as long as the run may.
  async #ask<Answer>(question: () => Promise<Answer>): Promise<Answer> {
    for (;;) {
      this.#halt.check();
      try {
        return await question();
      } catch (error) {
        if (!(error instanceof StoreOutage)) throw error;
        this.#parts.onError(error);
      }
      await new Promise<void>((again) => this.#parts.clock.after(RETRY_MS, again));
    }
  }
}

/** What a run is given beside its flow. */
interface Given {
  token: string;
  secrets: Record<string, string>;
  masker: Masker;
}

/** The word that it was asked to end. */
export function abortedBy(by: string): Ending {
  return new Ending('abort', `aborted by ${by}`);
}

function failed(reason: string): Conclusion {
  return { state: 'failed', reason, results: [] };
}

function shownCause(cause: Cause): Json {
  return { by: cause.by, ...(cause.by === 'event' ? { type: cause.type } : {}) };
}
