// The typed client of the HTTP API: one method per operation, on fetch alone. For programs, the CLI and browsers.
//
//   const client = createClient({ url: 'http://127.0.0.1:8470', key });
//   const { id } = await client.webhooks.create({ name: 'audit', url: 'https://hooks.example.com/audit' });
//   await client.subscriptions.create({ webhook: id, type: 'com.example.order.*' });
//   await client.events.publish({ source: '//shop', type: 'com.example.order.created', data: { order: 7 } });
//   for await (const delivery of client.deliveries.list({ webhook: id })) console.log(delivery.state);
//
// What may be done twice is repeated by itself when no answer comes (or 502, 503, 504): reads, PUT, PATCH, DELETE,
// publish (an event carries its id, so a repeat is a duplicate), subscribe, pause and its like. What may not (create,
// test, rotate, retry, replay) is repeated only with an `idempotencyKey`. 429 is repeated, and `Retry-After` obeyed up to 10 s.
import type { DeliveriesOut, DeliveryDetailOut, DeliveryOut, RetryOut } from '../api/deliveries.ts';
import type { ErasureOut, ErasuresOut } from '../api/erasures.ts';
import type { EventTypeIn, EventTypeOut, EventTypesOut } from '../api/event-types.ts';
import type { EventOut, EventsOut, PublishOut } from '../api/events.ts';
import type { GroupIn, GroupOut, GroupsOut } from '../api/groups.ts';
import type { KeyCreatedOut, KeyIn, KeysOut } from '../api/keys.ts';
import type { OverviewOut } from '../api/overview.ts';
import type { OperationOut, OperationsOut, RecoverIn, RedriveIn, ReplayIn } from '../api/operations.ts';
import type {
  PostProcessingIn,
  PostProcessingOut,
  PostProcessingPatchIn,
  PostProcessingsOut,
  TestReportIn,
  TestReportOut,
} from '../api/post-processings.ts';
import type { AnswersIn, AnswersOut, ListenIn, ListenOut } from '../api/listeners.ts';
import type { AckIn, ExtendIn, LeasesOut, PullIn, PullOut, ReturnIn } from '../api/pulls.ts';
import type { ServiceIn, ServiceOut, ServicesOut } from '../api/services.ts';
import type { SubscriptionIn, SubscriptionOut, SubscriptionsOut } from '../api/subscriptions.ts';
import type {
  RotateIn,
  TestOut,
  WebhookChangesOut,
  WebhookIn,
  WebhookOut,
  WebhookPatchIn,
  WebhookSecretOut,
  WebhooksOut,
} from '../api/webhooks.ts';
import type { WorkspaceIn, WorkspaceOut, WorkspacePatchIn, WorkspacesOut } from '../api/workspaces.ts';
import { createCalls, type Calls, type ListOptions } from './calls.ts';
import { requestsOf } from './history.ts';
import { evaluationsOf, flowsOf, jobsOf, policySetsOf, runsOf, scenariosOf, secretsOf } from './flows.ts';
import { sheetsOf } from './sheets.ts';
import { publishCall, type NewEvent, type RawEvent } from './publish.ts';
import { createRequester, path, type CallOptions, type ClientOptions, type Requester } from './request.ts';
import { follow, type StreamMessage, type StreamOptions } from './stream.ts';

export type { Listing, ListOptions } from './calls.ts';
export type { LogLine, LogOptions, RunListOptions } from './flows.ts';
export { BellwireError } from './request.ts';
export type { CallOptions, ClientOptions, Fault } from './request.ts';
export type { NewEvent, RawEvent } from './publish.ts';
export type { StreamMessage, StreamOptions } from './stream.ts';

/** What lists of deliveries take. */
export interface DeliveryListOptions extends ListOptions {
  state?: DeliveryOut['state'] | undefined;
}

/** What an overview takes: what the worst webhooks are the worst by, and how many of them. */
export interface OverviewOptions extends Pick<CallOptions, 'signal'> {
  sort?: 'backlog' | 'failures' | 'latency' | undefined;
  limit?: number | undefined;
}

/** What the list of events takes: from the log's beginning, or from its end. Instants RFC 3339. */
export interface EventListOptions extends ListOptions {
  type?: string | undefined;
  source?: string | undefined;
  since?: string | undefined;
  until?: string | undefined;
  order?: 'oldest-first' | 'newest-first' | undefined;
}

/** The client. Every method rejects with {@link BellwireError}. */
export interface Client {
  readonly services: ReturnType<typeof servicesOf>;
  readonly eventTypes: ReturnType<typeof eventTypesOf>;
  readonly workspaces: ReturnType<typeof workspacesOf>;
  readonly events: ReturnType<typeof eventsOf>;
  readonly webhooks: ReturnType<typeof webhooksOf>;
  /** How things go: of the client's workspace, or, for a key of the whole installation that names none, of all. */
  overview(options?: OverviewOptions): Promise<OverviewOut>;
  readonly subscriptions: ReturnType<typeof subscriptionsOf>;
  readonly deliveries: ReturnType<typeof deliveriesOf>;
  readonly operations: ReturnType<typeof operationsOf>;
  readonly groups: ReturnType<typeof groupsOf>;
  readonly postProcessings: ReturnType<typeof postProcessingsOf>;
  readonly erasures: ReturnType<typeof erasuresOf>;
  readonly keys: ReturnType<typeof keysOf>;
  readonly flows: ReturnType<typeof flowsOf>;
  readonly jobs: ReturnType<typeof jobsOf>;
  readonly policySets: ReturnType<typeof policySetsOf>;
  readonly scenarios: ReturnType<typeof scenariosOf>;
  readonly runs: ReturnType<typeof runsOf>;
  readonly requests: ReturnType<typeof requestsOf>;
  readonly evaluations: ReturnType<typeof evaluationsOf>;
  readonly secrets: ReturnType<typeof secretsOf>;
  readonly sheets: ReturnType<typeof sheetsOf>;
  /** The live stream: events and outcomes as they come. Comes back by itself and skips no event. */
  stream(options?: StreamOptions): AsyncGenerator<StreamMessage, void, void>;
}

/** How long the platform may take to try an endpoint (its own limit for one try is 120 s). */
const TRY_MS = 150_000;
/** How long a listener's question may take beyond what it waits: a platform that is silent is asked anew. */
const LISTEN_MS = 10_000;
/** How long a pull may take beyond what it waits. */
const PULL_MS = 60_000;

/** Makes a client. Nothing is sent yet. Throws {@link BellwireError} when the URL is none. */
export function createClient(options: ClientOptions): Client {
  const requester = createRequester(options);
  const calls = createCalls(requester);
  return {
    services: servicesOf(calls),
    eventTypes: eventTypesOf(calls),
    workspaces: workspacesOf(calls),
    events: eventsOf(calls, requester),
    webhooks: webhooksOf(calls),
    overview: ({ signal, ...query } = {}) => calls.get<OverviewOut>('/v1/overview', { query, signal }),
    subscriptions: subscriptionsOf(calls),
    deliveries: deliveriesOf(calls),
    operations: operationsOf(calls),
    groups: groupsOf(calls),
    postProcessings: postProcessingsOf(calls),
    erasures: erasuresOf(calls),
    keys: keysOf(calls),
    flows: flowsOf(calls),
    jobs: jobsOf(calls),
    policySets: policySetsOf(calls),
    scenarios: scenariosOf(calls),
    runs: runsOf(calls),
    requests: requestsOf(calls),
    evaluations: evaluationsOf(calls),
    secrets: secretsOf(calls),
    sheets: sheetsOf(calls, requester),
    stream: (from) => follow(requester, from),
  };
}

function servicesOf({ post, remove, list }: Calls) {
  return {
    /** Registers a service; the same again is harmless. */
    put: (service: ServiceIn, call?: CallOptions) =>
      post<ServiceOut>('/v1/services', { json: service, repeatable: true, ...call }),
    list: (query?: ListOptions) => list<ServicesOut>('/v1/services', query),
    delete: (service: string, call?: CallOptions) => remove(path`/v1/services/${service}`, call),
  };
}

function eventTypesOf({ get, put, remove, list }: Calls) {
  return {
    /** Registers or replaces an event type; the same again is harmless. */
    put: (type: string, body: EventTypeIn, call?: CallOptions) =>
      put<EventTypeOut>(path`/v1/event-types/${type}`, { json: body, ...call }),
    get: (type: string, call?: CallOptions) => get<EventTypeOut>(path`/v1/event-types/${type}`, call),
    list: (query?: ListOptions & { service?: string | undefined }) => list<EventTypesOut>('/v1/event-types', query),
    delete: (type: string, call?: CallOptions) => remove(path`/v1/event-types/${type}`, call),
  };
}

function workspacesOf({ get, post, patch, remove, list }: Calls) {
  return {
    create: (workspace: WorkspaceIn, call?: CallOptions) =>
      post<WorkspaceOut>('/v1/workspaces', { json: workspace, ...call }),
    get: (workspace: string, call?: CallOptions) => get<WorkspaceOut>(path`/v1/workspaces/${workspace}`, call),
    list: (query?: ListOptions) => list<WorkspacesOut>('/v1/workspaces', query),
    limit: (workspace: string, limits: NonNullable<WorkspacePatchIn['limits']>, call?: CallOptions) =>
      patch<WorkspaceOut>(path`/v1/workspaces/${workspace}`, { json: { limits }, ...call }),
    retain: (workspace: string, retention: NonNullable<WorkspacePatchIn['retention']>, call?: CallOptions) =>
      patch<WorkspaceOut>(path`/v1/workspaces/${workspace}`, { json: { retention }, ...call }),
    delete: (workspace: string, call?: CallOptions) => remove(path`/v1/workspaces/${workspace}`, call),
  };
}

function eventsOf({ get, post, list }: Calls, requester: Requester) {
  return {
    /**
     * Publishes one event, a batch (all of it or nothing), or bytes with attributes (binary mode). An event without
     * `id` gets a random one, so that a repeat is recognised. Resolves when event and deliveries are committed.
     */
    publish: (event: NewEvent | readonly NewEvent[] | RawEvent, call?: CallOptions) =>
      post<PublishOut>('/v1/events', { ...publishCall(event), repeatable: true, ...call }),
    /** Publishes text that is composed already: sent as it is, byte by byte. */
    publishText: (body: string | Uint8Array, mediaType: string, call?: CallOptions) =>
      post<PublishOut>('/v1/events', {
        body: { bytes: body, headers: { 'content-type': mediaType } },
        repeatable: true,
        ...call,
      }),
    get: (event: string, call?: CallOptions) => get<EventOut>(path`/v1/events/${event}`, call),
    /** The event's exact bytes, as they were accepted: parsing JSON may change a number. */
    bytes: async (event: string, call?: CallOptions) => {
      const accept = 'application/cloudevents+json';
      const response = await requester.send({ method: 'GET', path: path`/v1/events/${event}`, accept, ...call });
      return new Uint8Array(await response.arrayBuffer());
    },
    list: (query?: EventListOptions) => list<EventsOut>('/v1/events', query),
  };
}

function webhooksOf({ get, post, patch, remove, list }: Calls) {
  return {
    create: (webhook: WebhookIn, call?: CallOptions) =>
      post<WebhookSecretOut>('/v1/webhooks', { json: webhook, ...call }),
    get: (id: string, call?: CallOptions) => get<WebhookOut>(path`/v1/webhooks/${id}`, call),
    list: (query?: ListOptions) => list<WebhooksOut>('/v1/webhooks', query),
    /** A changed `signing` may generate a key that is shown once, so that change is not repeated by itself. */
    change: (id: string, changes: WebhookPatchIn, call?: CallOptions) =>
      patch<WebhookSecretOut>(path`/v1/webhooks/${id}`, {
        json: changes,
        repeatable: changes.signing === undefined,
        ...call,
      }),
    /** With subscriptions only by `force`. */
    delete: (id: string, { force, ...call }: CallOptions & { force?: boolean | undefined } = {}) =>
      remove(path`/v1/webhooks/${id}`, { query: { force }, ...call }),
    /** A new challenge now. A wrong answer is no error: it stands in the outcome. */
    test: (id: string, call?: CallOptions) =>
      post<TestOut>(path`/v1/webhooks/${id}/test`, { timeoutMs: TRY_MS, ...call }),
    pause: (id: string, call?: CallOptions) =>
      post<WebhookOut>(path`/v1/webhooks/${id}/pause`, { repeatable: true, ...call }),
    resume: (id: string, call?: CallOptions) =>
      post<WebhookOut>(path`/v1/webhooks/${id}/resume`, { repeatable: true, ...call }),
    unpark: (id: string, call?: CallOptions) =>
      post<WebhookOut>(path`/v1/webhooks/${id}/unpark`, { repeatable: true, ...call }),
    enable: (id: string, call?: CallOptions) =>
      post<WebhookOut>(path`/v1/webhooks/${id}/enable`, { repeatable: true, ...call }),
    disable: (id: string, call?: CallOptions) =>
      post<WebhookOut>(path`/v1/webhooks/${id}/disable`, { repeatable: true, ...call }),
    rotate: (id: string, rotation: RotateIn = {}, call?: CallOptions) =>
      post<WebhookSecretOut>(path`/v1/webhooks/${id}/rotate`, { json: rotation, ...call }),
    changes: (id: string, query?: Pick<ListOptions, 'signal'>) =>
      list<WebhookChangesOut>(path`/v1/webhooks/${id}/changes`, query),
    /**
     * Fetches deliveries of a pull webhook, each under a lease; with `waitMs` it waits for the first one. Not repeated by
     * itself: what was handed out unheard comes again when its lease has ended.
     */
    pull: (id: string, pull: PullIn = {}, call?: CallOptions) =>
      post<PullOut>(path`/v1/webhooks/${id}/pull`, {
        json: pull,
        timeoutMs: (pull.waitMs ?? 0) + PULL_MS,
        ...call,
      }),
    /** These were dealt with. Each has its own verdict; after a repeat it may be `already-delivered`. */
    ack: (id: string, items: AckIn['items'], call?: CallOptions) =>
      post<LeasesOut>(path`/v1/webhooks/${id}/ack`, { json: { items }, repeatable: true, ...call }),
    /** These were not: they are handed out again after a while. */
    return: (id: string, given: ReturnIn, call?: CallOptions) =>
      post<LeasesOut>(path`/v1/webhooks/${id}/return`, { json: given, ...call }),
    /** These take longer. */
    extend: (id: string, extension: ExtendIn, call?: CallOptions) =>
      post<LeasesOut>(path`/v1/webhooks/${id}/extend`, { json: extension, repeatable: true, ...call }),
    /**
     * Listens: fetches a webhook's requests as they would be sent, to be made and answered at once. Without `listener` it
     * begins; with `waitMs` it waits for the first one.
     */
    listen: (id: string, listen: ListenIn = {}, call?: CallOptions) =>
      post<ListenOut>(path`/v1/webhooks/${id}/listen`, {
        json: listen,
        timeoutMs: (listen.waitMs ?? 0) + LISTEN_MS,
        ...call,
      }),
    /** Brings back what was answered. Each has its own verdict; after a repeat it may be `already-answered`. */
    answer: (id: string, given: AnswersIn, call?: CallOptions) =>
      post<AnswersOut>(path`/v1/webhooks/${id}/answers`, { json: given, repeatable: true, ...call }),
    /** Ends listening. */
    leave: (id: string, listener: string, call?: CallOptions) =>
      post<null>(path`/v1/webhooks/${id}/leave`, { json: { listener }, repeatable: true, ...call }),
    /** Begins a recovery: all that the webhook should have got since an instant and has not. */
    recover: (id: string, recovery: RecoverIn, call?: CallOptions) =>
      post<OperationOut>(path`/v1/webhooks/${id}/recover`, { json: recovery, ...call }),
    /** Begins a redrive of its dead letters. */
    redrive: (id: string, redrive: RedriveIn = {}, call?: CallOptions) =>
      post<OperationOut>(path`/v1/webhooks/${id}/redrive`, { json: redrive, ...call }),
    /** Begins a replay: events once more, as copies with ids of their own. */
    replay: (id: string, replay: ReplayIn = {}, call?: CallOptions) =>
      post<OperationOut>(path`/v1/webhooks/${id}/replay`, { json: replay, ...call }),
    deliveries: (id: string, query?: DeliveryListOptions) =>
      list<DeliveriesOut>(path`/v1/webhooks/${id}/deliveries`, query),
  };
}

function subscriptionsOf({ get, post, remove, list }: Calls) {
  return {
    /** The same again answers with the first one. */
    create: (subscription: SubscriptionIn, call?: CallOptions) =>
      post<SubscriptionOut>('/v1/subscriptions', { json: subscription, repeatable: true, ...call }),
    get: (id: string, call?: CallOptions) => get<SubscriptionOut>(path`/v1/subscriptions/${id}`, call),
    list: (query?: ListOptions & { webhook?: string | undefined }) =>
      list<SubscriptionsOut>('/v1/subscriptions', query),
    delete: (id: string, call?: CallOptions) => remove(path`/v1/subscriptions/${id}`, call),
  };
}

function deliveriesOf({ get, post, list }: Calls) {
  return {
    /** With every attempt. */
    get: (id: string, call?: CallOptions) => get<DeliveryDetailOut>(path`/v1/deliveries/${id}`, call),
    list: (query?: DeliveryListOptions & { webhook?: string | undefined; event?: string | undefined }) =>
      list<DeliveriesOut>('/v1/deliveries', query),
    /** One try now. A failed one is no error: it stands in the outcome. */
    retry: (id: string, call?: CallOptions) =>
      post<RetryOut>(path`/v1/deliveries/${id}/retry`, { timeoutMs: TRY_MS, ...call }),
    /** Begins a redrive of the dead letters of all webhooks. */
    redrive: (redrive: RedriveIn = {}, call?: CallOptions) =>
      post<OperationOut>('/v1/deliveries/redrive', { json: redrive, ...call }),
  };
}

function operationsOf({ get, post, list }: Calls) {
  return {
    get: (id: string, call?: CallOptions) => get<OperationOut>(path`/v1/operations/${id}`, call),
    list: (query?: ListOptions & { state?: OperationOut['state'] | undefined; webhook?: string | undefined }) =>
      list<OperationsOut>('/v1/operations', query),
    pause: (id: string, call?: CallOptions) =>
      post<OperationOut>(path`/v1/operations/${id}/pause`, { repeatable: true, ...call }),
    resume: (id: string, call?: CallOptions) =>
      post<OperationOut>(path`/v1/operations/${id}/resume`, { repeatable: true, ...call }),
    cancel: (id: string, call?: CallOptions) =>
      post<OperationOut>(path`/v1/operations/${id}/cancel`, { repeatable: true, ...call }),
  };
}

function groupsOf({ get, post, patch, remove, list }: Calls) {
  return {
    create: (group: GroupIn, call?: CallOptions) => post<GroupOut>('/v1/groups', { json: group, ...call }),
    get: (id: string, call?: CallOptions) => get<GroupOut>(path`/v1/groups/${id}`, call),
    list: (query?: ListOptions) => list<GroupsOut>('/v1/groups', query),
    rename: (id: string, name: string, call?: CallOptions) =>
      patch<GroupOut>(path`/v1/groups/${id}`, { json: { name }, repeatable: true, ...call }),
    delete: (id: string, call?: CallOptions) => remove(path`/v1/groups/${id}`, call),
  };
}

function postProcessingsOf({ get, post, patch, remove, list }: Calls) {
  return {
    create: (setting: PostProcessingIn, call?: CallOptions) =>
      post<PostProcessingOut>('/v1/post-processings', { json: setting, ...call }),
    get: (id: string, call?: CallOptions) => get<PostProcessingOut>(path`/v1/post-processings/${id}`, call),
    list: (query?: ListOptions) => list<PostProcessingsOut>('/v1/post-processings', query),
    change: (id: string, changes: PostProcessingPatchIn, call?: CallOptions) =>
      patch<PostProcessingOut>(path`/v1/post-processings/${id}`, { json: changes, repeatable: true, ...call }),
    /** Refused while a job or policy set reports to it. */
    delete: (id: string, call?: CallOptions) => remove(path`/v1/post-processings/${id}`, call),
    /** One send now. That it was not taken is no error: it stands in the outcome. */
    test: (id: string, as: TestReportIn['as'] = 'job', call?: CallOptions) =>
      post<TestReportOut>(path`/v1/post-processings/${id}/test`, { json: { as }, timeoutMs: TRY_MS, ...call }),
  };
}

function erasuresOf({ get, post, list }: Calls) {
  return {
    /** Begins to erase the payloads of a subject. The same again is harmless: there is nothing left to erase. */
    create: (subject: string, call?: CallOptions) =>
      post<ErasureOut>('/v1/erasures', { json: { subject }, repeatable: true, ...call }),
    get: (id: string, call?: CallOptions) => get<ErasureOut>(path`/v1/erasures/${id}`, call),
    list: (query?: ListOptions) => list<ErasuresOut>('/v1/erasures', query),
  };
}

function keysOf({ post, remove, list }: Calls) {
  return {
    /** The key itself is in this answer and nowhere else. */
    create: (key: KeyIn, call?: CallOptions) => post<KeyCreatedOut>('/v1/keys', { json: key, ...call }),
    list: (query?: ListOptions) => list<KeysOut>('/v1/keys', query),
    delete: (id: string, call?: CallOptions) => remove(path`/v1/keys/${id}`, call),
  };
}
