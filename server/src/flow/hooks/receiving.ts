// The way of a request to a hook, from its bytes to the answer.
//
//   token ─▶ verified, or a challenge ─▶ read ─▶ shape ─▶ dedupe ─▶ kept on disk with its run ─▶ the run's reply
//   404 410   401 405 413 503           400 415    400               429 503 500                  200 202 500
//
// What is refused is kept with the reason; the caller learns less than those who may read it.
import type { Clock } from '../../model/clock.ts';
import type { Json } from '../../model/flow/definition.ts';
import { nextStart } from '../../model/flow/cron.ts';
import { DEPTH_ATTRIBUTE, DEPTH_HEADER, depthAfterEvent, depthAfterRequest } from '../../model/flow/depth.ts';
import { ExpressionError } from '../../model/flow/expression/index.ts';
import { isObject } from '../../model/flow/input-rules.ts';
import { readRequest, type RequestBundle } from '../../model/hook/body.ts';
import type { HookCall, HookReply, HookRequest } from '../../model/hook/exchange.ts';
import { namesOfRequest } from '../../model/hook/names.ts';
import { LANES, type OwnedLane } from '../../store/contract.ts';
import type { Hooks, KeptRequest, Receipt } from '../../store/hooks/contract.ts';
import { misfitOf } from '../request-scope.ts';
import type { Runner } from '../runner.ts';
import { textOf } from '../text-of.ts';
import { ACCEPTED, failedBefore, goesOn, refusal } from './answers.ts';
import type { KnownHook, KnownHooks } from './known.ts';
import type { ReplyDesk } from './waiting.ts';

/** What it stands on. */
export interface ReceiveParts {
  hooks: Pick<Hooks, 'receive' | 'keep'>;
  known: KnownHooks;
  runner: Pick<Runner, 'expect' | 'arrive'>;
  desk: ReplyDesk;
  lanes: { owned(): OwnedLane[] };
  clock: Clock;
  /** Runs that may start one another. */
  maxDepth: number;
  onError(error: unknown): void;
}

/** Takes a request and resolves its answer. Rejects only where the store does not answer. */
export type Receive = (call: HookCall, tell?: Tell) => Promise<HookReply>;

/** Says what is known of a request: for its line of the log. */
export type Tell = (facts: { workspaceNumber: number; flow: number; run?: number; taken: string }) => void;

/** Makes it. */
export function createReceive(parts: ReceiveParts): Receive {
  return async (call, tell) => {
    const { token, cutAt, trace = null, ...request } = call;
    for (const anew of [false, true]) {
      const found = parts.known.find(token, anew);
      const hook = found instanceof Promise ? await found : found;
      if (hook === null) return refusal('not-found', 'There is no such hook.');
      if (hook === 'gone') return GONE;
      const reply = await new Reception(parts, hook, { token, cutAt, trace, request, tell }).answer();
      // It was changed since it was read: once more, by what it is now.
      if (reply !== 'stale') return reply;
    }
    return refusal('unavailable', 'The hook is being changed at this moment.', ['retry-after', '1']);
  };
}

const GONE = refusal('deleted', 'The hook was deleted.');

/** When to ask again: whoever waits is through by then, most often; what is switched off takes somebody's hand. */
const SOON = ['retry-after', '5'] as const;
const LATER = ['retry-after', '60'] as const;

interface Arrived {
  token: string;
  cutAt: number | null;
  trace: string | null;
  request: HookRequest;
  tell: Tell | undefined;
}

/** Why a request starts no run. */
interface Turned {
  state: KeptRequest['state'];
  /** For those who may read it. */
  reason: string;
  reply: HookReply;
}

/** A request that is about to be kept. */
interface Readied {
  bundle: RequestBundle;
  /** Why it fits no shape, where that is only noted. */
  misfit: string | null;
  doubt: string | null;
  dedupe: string | null;
}

/** One request at one hook. */
class Reception {
  readonly #parts: ReceiveParts;
  readonly #hook: KnownHook;
  readonly #arrived: Arrived;
  readonly #now: number;

  constructor(parts: ReceiveParts, hook: KnownHook, arrived: Arrived) {
    this.#parts = parts;
    this.#hook = hook;
    this.#arrived = arrived;
    this.#now = parts.clock.now();
  }

  /** `stale`: the hook is another one by now. */
  async answer(): Promise<HookReply | 'stale'> {
    const { request } = this.#arrived;
    const judged = request.method === 'OPTIONS' ? this.#handshake() : this.#judge();
    if ('status' in judged) return judged;
    if ('reply' in judged) return this.#turn(judged);
    const readied = this.#ready(judged.doubt);
    return 'reply' in readied ? this.#turn(readied) : this.#take(readied);
  }

  /* Who asks, and what for */

  // The consent is the header, not the status (CloudEvents, HTTP 1.1 Web Hooks, section 4). What stands in
  // WebHook-Request-Callback is never fetched.
  #handshake(): Turned | HookReply {
    const { enabled, hook } = this.#hook.scenario;
    const allowed: HookReply = { status: 204, headers: ['allow', this.#allowed()], body: '' };
    const origin = headerOf(this.#arrived.request, 'webhook-request-origin');
    if (!origin) return allowed;
    if (!enabled) return this.#closed('The scenario is not enabled.');
    if (hook.origins !== null && !hook.origins.includes(origin.toLowerCase())) {
      return { state: 'refused', reason: `${origin} is not one of the hook’s origins.`, reply: allowed };
    }
    const consent = ['webhook-allowed-origin', origin, 'webhook-allowed-rate', '*'];
    const reply = { ...allowed, status: 200, headers: [...allowed.headers, ...consent] };
    return { state: 'challenge', reason: `${origin} has asked whether it may deliver, and may.`, reply };
  }

  #judge(): Turned | { doubt: string | null } {
    const { scenario, verifier } = this.#hook;
    const { request, cutAt } = this.#arrived;
    const { hook } = scenario;
    if (!scenario.enabled) return this.#closed('The scenario is not enabled.');
    const most = cutAt ?? (request.body.length > hook.bodyBytes ? hook.bodyBytes : null);
    if (most !== null) {
      const reason = `The body exceeds the limit of ${most} bytes.`;
      return { state: 'refused', reason, reply: refusal('request-too-large', reason) };
    }
    if (!verifier.ok) return this.#closed(verifier.reason);
    const verdict = verifier.verify?.(request) ?? null;
    const isPassed =
      verdict?.kind === 'challenge' && hook.challenge === 'pass' && verdict.challenge === hook.verify?.preset;
    if (verdict?.kind === 'challenge' && !isPassed) {
      const { status, headers, body } = verdict.answer;
      const reason = `The challenge of ${verdict.challenge} was answered.`;
      return { state: 'challenge', reason, reply: { status, headers: Object.entries(headers).flat(), body } };
    }
    if (!hook.methods.includes(request.method === 'HEAD' ? 'GET' : request.method)) {
      const reason = `${request.method} is not one of ${this.#allowed()}.`;
      const reply = refusal('method-not-allowed', reason, ['allow', this.#allowed()]);
      return { state: 'refused', reason, reply };
    }
    if (verdict?.kind === 'refused')
      return {
        state: 'refused',
        reason: `${verdict.reason}: ${verdict.detail}`,
        reply: hook.verify?.preset === 'basic' ? NO_CREDENTIAL : UNVERIFIED,
      };
    const doubt = verdict?.kind === 'accepted' && hook.verify !== null ? verdict.doubt : undefined;
    return { doubt: doubt === undefined ? null : `${doubt.reason}: ${doubt.detail}` };
  }

  #closed(reason: string): Turned {
    return { state: 'refused', reason, reply: refusal('hook-closed', 'The hook takes no requests at present.', LATER) };
  }

  #allowed(): string {
    const { methods } = this.#hook.scenario.hook;
    return [...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  }

  /* What it says */

  #ready(doubt: string | null): Turned | Readied {
    const { request } = this.#arrived;
    const encoding = headerOf(request, 'content-encoding');
    if (encoding !== null && encoding.toLowerCase() !== 'identity') {
      const reason = `The Content-Encoding ${encoding} is not read here.`;
      return { state: 'unreadable', reason, reply: refusal('unsupported-media-type', reason) };
    }
    const read = readRequest(request);
    if (!read.ok) {
      return { state: 'unreadable', reason: read.reason, reply: refusal('unreadable-request', read.reason) };
    }
    const { bundle } = read;
    const { hook } = this.#hook.scenario;
    const misfit = misfitOf(hook, bundle.body);
    if (misfit !== null && hook.onMisfit === 'refuse') {
      return { state: 'misfit', reason: misfit, reply: refusal('unfit-request', misfit) };
    }
    try {
      return { bundle, misfit, doubt, dedupe: this.#dedupe(bundle) };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const reason = `The value that tells repetitions cannot be made: ${error.message}.`;
      return { state: 'misfit', reason, reply: refusal('unfit-request', reason) };
    }
  }

  // What is empty names nothing: such requests are not all the same one.
  #dedupe(bundle: RequestBundle): string | null {
    const { dedupe } = this.#hook;
    if (dedupe === null) return null;
    const names = namesOfRequest(bundle, { from: this.#arrived.request.from, receivedAt: this.#now });
    return textOf(dedupe.evaluate(names, { now: this.#now })) || null;
  }

  /* Its run */

  async #take(readied: Readied): Promise<HookReply | 'stale'> {
    const { stored, scenario } = this.#hook;
    const { hooks, runner, maxDepth } = this.#parts;
    const { token, trace, request } = this.#arrived;
    const { bundle, doubt, dedupe } = readied;
    const { workspace, flow, version } = stored;
    const { queue, schedule } = scenario.hook;
    const beginAt = schedule === null ? null : nextOf(schedule, this.#now);
    const lane = beginAt === null && runner.expect(workspace) ? this.#lane() : undefined;
    let receipt: Receipt;
    try {
      const depth = depthOf(bundle);
      const of = { workspace, flow, token, version, request, dedupe, queue, beginAt, doubt, lane: lane ?? null };
      receipt = await hooks.receive({ ...of, depth, maxDepth, trace, now: this.#now });
    } catch (error) {
      if (lane !== undefined) runner.arrive(workspace, null);
      throw error;
    }
    this.#tell(receipt.kind, runOf(receipt));
    const heard = this.#hear(receipt, beginAt);
    if (lane !== undefined) runner.arrive(workspace, receipt.kind === 'begun' ? this.#begun(receipt, readied) : null);
    return heard;
  }

  /** Null: it is expected here, and the lane is another node's by now. */
  #lane(): OwnedLane | null {
    const lane = this.#hook.stored.bucket % LANES;
    return this.#parts.lanes.owned().find((one) => one.lane === lane) ?? null;
  }

  #begun({ run }: Receipt & { kind: 'begun' }, { bundle, misfit }: Readied): Parameters<Runner['arrive']>[1] {
    const { secrets, masker } = this.#hook;
    return { run, prepared: { secrets, masker, bundle, misfit } };
  }

  async #hear(receipt: Receipt, beginAt: number | null): Promise<HookReply | 'stale'> {
    switch (receipt.kind) {
      case 'begun':
        return this.#wait(receipt.run.run, { looks: false, beginAt });
      case 'queued':
        return this.#wait(receipt.run, { looks: false, beginAt });
      case 'known':
        return this.#wait(receipt.run, { looks: true, beginAt: null });
      case 'failed':
        return failedBefore(receipt.run);
      case 'full': {
        const detail = 'As many requests wait at this hook as may.';
        return this.#turn({ state: 'refused', reason: detail, reply: refusal('queue-full', detail, SOON) });
      }
      case 'disabled':
        return this.#turn(this.#closed('The scenario is not enabled.'));
      case 'gone':
        return GONE;
      case 'stale':
        return 'stale';
    }
  }

  async #wait(run: number, { looks, beginAt }: { looks: boolean; beginAt: number | null }): Promise<HookReply> {
    const { stored, scenario, replies } = this.#hook;
    const { workspace } = stored;
    const { replyWithinMs: withinMs } = scenario.hook;
    // What is on disk is done: nobody has to wait for steps that say nothing to him.
    if (!replies) return ACCEPTED;
    if (beginAt !== null && beginAt > this.#now + withinMs) return goesOn(run);
    const heard = await this.#parts.desk.wait({ workspace, run }, { withinMs, looks });
    if (heard.kind === 'replied') return heard.reply;
    if (heard.kind === 'late') return goesOn(run);
    return heard.state === 'completed' ? ACCEPTED : failedBefore(run);
  }

  #tell(taken: string, run?: number): void {
    const { workspace: workspaceNumber, flow } = this.#hook.stored;
    this.#arrived.tell?.({ workspaceNumber, flow, taken, ...(run === undefined ? {} : { run }) });
  }

  /* Those that start none */

  async #turn({ state, reason, reply }: Turned): Promise<HookReply> {
    this.#tell(state);
    const { stored, masker } = this.#hook;
    const { workspace, flow } = stored;
    const { request } = this.#arrived;
    try {
      const told = { state, reason: masker.text(reason), status: reply.status };
      await this.#parts.hooks.keep({ workspace, flow, request, ...told, now: this.#now });
    } catch (error) {
      // The caller is answered all the same: it is not kept to be worked at.
      this.#parts.onError(error);
    }
    return reply;
  }
}

/** Which of the reasons it was, nobody is told who does not know the secret. */
const UNVERIFIED = refusal('unverified', 'The request could not be verified.');
/** Clients that know a user and a password often send them only when they are asked to (RFC 7617). */
const NO_CREDENTIAL = refusal('unverified', 'The request could not be verified.', [
  'www-authenticate',
  'Basic realm="hook"',
]);

function runOf(receipt: Receipt): number | undefined {
  if (receipt.kind === 'begun') return receipt.run.run;
  return 'run' in receipt ? receipt.run : undefined;
}

function nextOf({ at, timezone }: { at: string; timezone: string }, now: number): number | null {
  return nextStart({ at, timezone, skip: [], startTimeoutMs: null, catchUp: 'none', params: {} }, now);
}

function headerOf({ headers }: HookRequest, name: string): string | null {
  const at = headers.findIndex((one, index) => index % 2 === 0 && one.toLowerCase() === name);
  return at < 0 ? null : (headers[at + 1] as string);
}

/** A request that a run has sent, itself or as an event it published, goes on with the chain (R16). */
function depthOf({ headers: named, body }: RequestBundle): number {
  const asked = depthAfterRequest(named[DEPTH_HEADER] as string | undefined, false);
  const event = isObject(body) ? body : {};
  const type = event['type'] ?? named['ce-type'];
  if (typeof type !== 'string') return asked;
  const binary = named[`ce-${DEPTH_ATTRIBUTE}`];
  const told: Json = event[DEPTH_ATTRIBUTE] ?? (binary === undefined ? null : Number(binary));
  return Math.max(
    asked,
    depthAfterEvent({ type, attributes: { [DEPTH_ATTRIBUTE]: told }, data: event['data'] ?? body }),
  );
}
