// What became of requests to hooks, and what scenarios were and are to be, as the client speaks of them.
import type { DraftOut, DryRunIn } from '../api/flows/drafts.ts';
import type { DryRunOut } from '../api/flows/dry-runs.ts';
import type { FlowDetailOut } from '../api/flows/flows.ts';
import type { ReplayOut, ReplayRequestIn } from '../api/flows/replays.ts';
import type { RequestDetailOut, RequestOut, RequestsOut } from '../api/flows/requests.ts';
import type { RunOut, RunsOut } from '../api/flows/runs.ts';
import type { ComparisonOut, VersionDetailOut, VersionsOut } from '../api/flows/versions.ts';
import type { Calls, ListOptions } from './calls.ts';
import { path, type CallOptions } from './request.ts';

/** `client.requests`: requests to hooks. */
export function requestsOf({ get, post }: Calls) {
  return {
    get: (id: string, call?: CallOptions) => get<RequestDetailOut>(path`/v1/requests/${id}`, call),
    /** Once more, by what its scenario is now: live as another run, or dry. */
    replay: (id: string, how: ReplayRequestIn = {}, call?: CallOptions) =>
      post<ReplayOut>(path`/v1/requests/${id}/replay`, { json: how, ...call }),
  };
}

/** The part of `client.scenarios` that is about what was and what is to be. */
export function historyOf({ get, post, put, remove, list }: Calls) {
  const at = (named: string | number, rest: string) => path`/v1/scenarios/${String(named)}` + rest;
  return {
    runs: (named: string | number, query?: ListOptions & { state?: RunOut['state'] | undefined }) =>
      list<RunsOut>(at(named, '/runs'), query),
    requests: (named: string | number, query?: ListOptions & { state?: RequestOut['state'] | undefined }) =>
      list<RequestsOut>(at(named, '/requests'), query),
    draft: (named: string | number, call?: CallOptions) => get<DraftOut>(at(named, '/draft'), call),
    putDraft: (name: string, document: string, call?: CallOptions) =>
      put<DraftOut>(at(name, '/draft'), {
        body: { bytes: document, headers: { 'content-type': 'application/yaml' } },
        ...call,
      }),
    deleteDraft: (named: string | number, call?: CallOptions) => remove(at(named, '/draft'), call),
    /** Makes the draft what the scenario is. */
    publish: (named: string | number, call?: CallOptions) => post<FlowDetailOut>(at(named, '/publish'), call),
    /** What it, its draft or a version of it would do with a request that was kept, or with a sample. */
    dryRun: (named: string | number, what: DryRunIn, call?: CallOptions) =>
      post<DryRunOut>(at(named, '/dry-run'), { json: what, repeatable: true, ...call }),
    versions: (named: string | number, query?: ListOptions) => list<VersionsOut>(at(named, '/versions'), query),
    version: (named: string | number, version: number, call?: CallOptions) =>
      get<VersionDetailOut>(at(named, `/versions/${version}`), call),
    /** What differs between two versions: numbers, `published` (unless said: from) or `draft` (unless said: to). */
    difference: (named: string | number, query: { from?: string; to?: string } = {}, call?: CallOptions) =>
      get<ComparisonOut>(at(named, '/difference'), { query, ...call }),
  };
}
