// The ground a test of hooks stands on: a real platform, scenarios kept in its store, requests through real sockets.
import type { TestContext } from 'node:test';
import { randomBytes } from 'node:crypto';
import type { Clock } from '../src/model/clock.ts';
import type { Hook, Scenario, Step } from '../src/model/flow/definition.ts';
import { PLAIN_HOOK } from '../src/model/flow/document/hook.ts';

import type { StoredFlow, StoredRun, StoredStep, RequestHead } from '../src/store/index.ts';
import { startApi, type ApiGround } from './api-ground.ts';
import { settingOf } from './flow-ground.ts';

/** A scenario on a platform. */
export interface Placed {
  flow: StoredFlow;
  token: string;
  url: string;
}

/** A platform with scenarios. */
export interface HookGround extends ApiGround {
  workspace: number;
  scenario(
    name: string,
    steps: readonly Step[],
    more?: { hook?: Partial<Hook>; over?: Partial<Scenario> },
  ): Promise<Placed>;
  secret(name: string, value: string): Promise<void>;
  runs(placed: Placed): Promise<StoredRun[]>;
  /** The one run there is, when it has ended. */
  ended(placed: Placed): Promise<StoredRun>;
  steps(run: number): Promise<StoredStep[]>;
  log(run: number): Promise<string[]>;
  requests(placed: Placed): Promise<RequestHead[]>;
}

/** A request that came back. */
export interface Back {
  status: number;
  headers: Headers;
  text: string;
}

/** Posts JSON unless said otherwise. */
export async function post(url: string, body: unknown = {}, init: RequestInit = {}): Promise<Back> {
  const isRaw = typeof body === 'string' || body instanceof Uint8Array;
  const headers = { 'content-type': 'application/json', ...(init.headers as Record<string, string>) };
  const text = isRaw ? (body as string) : JSON.stringify(body);
  const response = await fetch(url, { method: 'POST', body: text, ...init, headers });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

/** Starts one. */
export async function startHooks(t: TestContext, overrides: object = {}, clock?: Clock): Promise<HookGround> {
  const api = await startApi(t, overrides, clock);
  const { store } = api.platform;
  const [first] = await store.settings.workspaces();
  const workspace = first!.workspace;
  const ground: HookGround = {
    ...api,
    workspace,
    async scenario(name, steps, { hook = {}, over = {} } = {}) {
      const token = randomBytes(24).toString('base64url');
      const flow = newScenario(name, steps, { ...over, hook: { ...PLAIN_HOOK, ...hook } });
      const trigger = { path: token, tokenHash: null };
      const put = await store.flows.put({ ...settingOf(workspace, flow), trigger }, Date.now());
      const path = put.flow.triggerPath ?? token;
      return { flow: put.flow, token: path, url: `${api.url}/hooks/${path}` };
    },
    secret: (name, value) => store.flows.putSecret({ workspace, name, value }, Date.now()),
    runs: async ({ flow }) => (await store.flows.runs({ workspace, flow: flow.flow, cursor: null, limit: 100 })).rows,
    async ended(placed) {
      for (let looks = 0; ; looks++) {
        const [run] = await ground.runs(placed);
        if (run && run.finishedAt !== null) return run;
        if (looks > 3_000) throw new Error(`no run of ${placed.flow.name} has ended: ${JSON.stringify(run)}`);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    },
    steps: (run) => store.flows.steps({ workspace, run }),
    log: async (run) => (await store.flows.lines({ workspace, run }, 0, 1_000)).map(({ text }) => text),
    requests: async ({ flow }) => {
      return (await store.hooks.requests({ workspace, flow: flow.flow, cursor: null, limit: 100 })).rows;
    },
  };
  return ground;
}

/** A scenario whose hook takes what comes. */
export function newScenario(name: string, steps: readonly Step[], over: Partial<Scenario> = {}): Scenario {
  return {
    kind: 'scenario',
    name,
    description: '',
    group: null,
    enabled: true,
    params: {},
    on: { cron: [], http: false, events: [] },
    hook: PLAIN_HOOK,
    timeoutMs: 86_400_000,
    concurrency: { max: 100, then: 'queue' },
    after: { completed: [], failed: [] },
    steps,
    ...over,
  };
}
