// Jobs, policy sets, scenarios and what they leave behind, as the client speaks of them.
import type { EvaluationOut, ResultsOut } from '../api/flows/evaluations.ts';
import type { FlowDetailOut, FlowOut, FlowsOut } from '../api/flows/flows.ts';
import type { PushIn, PushOut } from '../api/flows/push.ts';
import type { ReplayIn, ReplayOut } from '../api/flows/replays.ts';
import type { LogOut, RunDetailOut, StepsOut } from '../api/flows/run-details.ts';
import type { RunIn, RunOut, RunsOut } from '../api/flows/runs.ts';
import type { SecretOut, SecretsOut } from '../api/flows/secrets.ts';
import type { Calls, ListOptions } from './calls.ts';
import { historyOf } from './history.ts';
import { path, pause, type CallOptions } from './request.ts';

/** What lists of runs and evaluations take. */
export interface RunListOptions extends ListOptions {
  state?: RunOut['state'] | undefined;
}

/** Where a log is read from. */
export interface LogOptions extends CallOptions {
  /** Lines behind this one. */
  after?: number | undefined;
  limit?: number | undefined;
}

/** A line of a job log or policy log. */
export type LogLine = LogOut['items'][number];

/** `client.flows`: documents of all kinds at once. */
export function flowsOf({ put }: Calls) {
  return {
    /** Pushes files of documents: none of them when one has a fault. The same again changes nothing. */
    push: (push: PushIn, call?: CallOptions) => put<PushOut>('/v1/flows', { json: push, timeoutMs: PUSH_MS, ...call }),
  };
}

/** A push of many documents is many transactions. */
const PUSH_MS = 300_000;

/** `client.jobs`. A job is named by its id or its name. */
export function jobsOf(calls: Calls) {
  return { ...kindOf(calls, '/v1/jobs', 'runs') };
}

/** `client.scenarios`. A scenario is named by its id or its name. */
export function scenariosOf(calls: Calls) {
  const { list, get, put, delete: remove } = kindOf(calls, '/v1/scenarios', 'runs');
  return {
    list,
    get,
    put,
    delete: remove,
    ...historyOf(calls),
    /** Another URL for its hook; the former one ends at once. */
    renewHook: (named: string | number, call?: CallOptions) =>
      calls.post<FlowOut>(path`/v1/scenarios/${String(named)}/hook`, call),
  };
}

/** `client.policySets`. A policy set is named by its id or its name. */
export function policySetsOf(calls: Calls) {
  return {
    ...kindOf(calls, '/v1/policy-sets', 'evaluations'),
    /** What a resource was found to be over time: the changes, the newest first. */
    history: (named: string | number, query: { rule: string; resource: string; limit?: number }, call?: CallOptions) =>
      calls.get<ResultsOut>(path`/v1/policy-sets/${String(named)}/history`, { query, ...call }),
  };
}

function kindOf({ get, post, put, remove, list }: Calls, base: string, runs: string) {
  const at = (named: string | number, rest = '') => base + path`/${String(named)}` + rest;
  return {
    list: (query?: ListOptions & { group?: string | undefined }) => list<FlowsOut>(base, query),
    get: (named: string | number, call?: CallOptions) => get<FlowDetailOut>(at(named), call),
    /** Makes or replaces it by its document. The token of its HTTP trigger is in the answer that makes it. */
    put: (name: string, document: string, call?: CallOptions) =>
      put<FlowDetailOut>(at(name), {
        body: { bytes: document, headers: { 'content-type': 'application/yaml' } },
        ...call,
      }),
    delete: (named: string | number, call?: CallOptions) => remove(at(named), call),
    /** Another URL and token for its HTTP trigger. */
    renewTrigger: (named: string | number, call?: CallOptions) => post<FlowOut>(at(named, '/trigger'), call),
    /** Asks for a run. It goes on by itself. */
    run: (named: string | number, run: RunIn = {}, call?: CallOptions) =>
      post<RunOut>(at(named, `/${runs}`), { json: run, ...call }),
    runs: (named: string | number, query?: RunListOptions) => list<RunsOut>(at(named, `/${runs}`), query),
  };
}

/** `client.runs`: runs of jobs and scenarios; the list is that of jobs. */
export function runsOf(calls: Calls) {
  const { get, post } = calls;
  return {
    ...executionsOf<RunDetailOut>(calls, '/v1/runs'),
    steps: (id: number, call?: CallOptions) => get<StepsOut>(`/v1/runs/${id}/steps`, call),
    /** The request of a scenario's run once more: live as another run, or dry. */
    replay: (id: number, how: ReplayIn = {}, call?: CallOptions) =>
      post<ReplayOut>(`/v1/runs/${id}/replay`, { json: how, ...call }),
    /** Another run that goes on where this one failed or was aborted, by the present version. */
    continue: (id: number, call?: CallOptions) => post<RunOut>(`/v1/runs/${id}/continue`, call),
  };
}

/** `client.evaluations`: evaluations of policy sets. */
export function evaluationsOf(calls: Calls) {
  return {
    ...executionsOf<EvaluationOut>(calls, '/v1/evaluations'),
    results: (id: number, query?: ListOptions & { rule?: string | undefined; compliance?: string | undefined }) =>
      calls.list<ResultsOut>(`/v1/evaluations/${id}/results`, query),
  };
}

/** How long between two looks at a log: short at first, for most runs are. */
const FIRST_LOOK_MS = 100;
const LONGEST_LOOK_MS = 1_000;

function executionsOf<Out>({ get, post, list }: Calls, base: string) {
  const log = (id: number, { after, limit, ...call }: LogOptions = {}) =>
    get<LogOut>(`${base}/${id}/log`, { query: { after, limit }, ...call });
  return {
    list: (query?: RunListOptions) => list<RunsOut>(base, query),
    get: (id: number, call?: CallOptions) => get<Out>(`${base}/${id}`, call),
    log,
    /** The lines of its log, until it has ended; returns the end of the log, with the reports of post-processings. */
    async *follow(id: number, { after = 0, ...call }: LogOptions = {}): AsyncGenerator<LogLine, LogOut, void> {
      let waitMs = FIRST_LOOK_MS;
      for (let from = after; ;) {
        const seen = await log(id, { after: from, ...call });
        yield* seen.items;
        if (seen.ended) return seen;
        waitMs = seen.items.length > 0 ? FIRST_LOOK_MS : Math.min(waitMs * 1.5, LONGEST_LOOK_MS);
        if (seen.items.length === 0 || seen.next === from) await pause(waitMs, call.signal);
        from = seen.next;
      }
    },
    abort: (id: number, call?: CallOptions) => post<RunOut>(`${base}/${id}/abort`, { repeatable: true, ...call }),
  };
}

/** `client.secrets`: names go both ways, values only in. */
export function secretsOf({ get, put, remove, list }: Calls) {
  return {
    set: (name: string, value: string, call?: CallOptions) =>
      put<SecretOut>(path`/v1/secrets/${name}`, { json: { value }, ...call }),
    get: (name: string, call?: CallOptions) => get<SecretOut>(path`/v1/secrets/${name}`, call),
    list: (query?: ListOptions) => list<SecretsOut>('/v1/secrets', query),
    delete: (name: string, call?: CallOptions) => remove(path`/v1/secrets/${name}`, call),
  };
}
