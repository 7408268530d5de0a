// What tests of hooks put in: scenarios, and requests to their hooks.
import type { HookRequest } from '../src/model/hook/exchange.ts';
import type { FlowSetting, KeptRequest, NewRequest, OwnedLane, Receipt, StoredFlow } from '../src/store/index.ts';
import { addFlow } from './flow-furniture.ts';
import { NOON, type Place } from './store-furniture.ts';

/** A scenario whose hook has the token `hook-NAME`. */
export function addScenario(place: Place, name = 'intake', over: Partial<FlowSetting> = {}): Promise<StoredFlow> {
  const trigger = { path: `hook-${name}`, tokenHash: null };
  return addFlow(place, name, { kind: 'scenario', trigger, concurrency: { max: 100, then: 'queue' }, ...over });
}

/** A request with this body. */
export function newContent(body: string | Uint8Array, over: Partial<HookRequest> = {}): HookRequest {
  const headers = ['Content-Type', 'application/json', 'X-Twice', 'a', 'x-twice', 'b\u00e9'];
  return { method: 'POST', query: 'a=1&a=%20', headers, body: Buffer.from(body), from: '192.0.2.7', ...over };
}

/** A request to a scenario, handed in with its lane where it is given. */
export function newRequest(flow: StoredFlow, over: Partial<NewRequest> = {}): NewRequest {
  const { workspace, flow: number, version, triggerPath } = flow;
  return {
    workspace,
    flow: number,
    token: triggerPath!,
    version,
    request: newContent('{"id":1}'),
    dedupe: null,
    queue: 50,
    beginAt: null,
    doubt: null,
    lane: null,
    depth: 0,
    maxDepth: 10,
    now: NOON,
    ...over,
  };
}

/** A request that was refused, unless said otherwise. */
export function newKept(flow: StoredFlow, over: Partial<KeptRequest> = {}): KeptRequest {
  const { workspace, flow: number } = flow;
  const refused = { state: 'refused', reason: 'the signature does not fit', status: 401 } as const;
  return { workspace, flow: number, request: newContent('no'), ...refused, now: NOON, ...over };
}

/** The lane of a flow, among those that a node owns. */
export function laneOf({ lanes }: { lanes: readonly OwnedLane[] }, { bucket }: Pick<StoredFlow, 'bucket'>): OwnedLane {
  return lanes.find(({ lane }) => lane === bucket % 64)!;
}

/** How many came out how. */
export function kinds(receipts: readonly Receipt[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { kind } of receipts) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
