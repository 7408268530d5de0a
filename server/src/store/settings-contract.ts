// The part of the store's contract about the catalog and the settings: workspaces, types, webhooks, subscriptions, keys.
import type { Batching } from '../model/batch.ts';
import type { Catalog, EventType, SchemaCheck } from '../model/catalog.ts';
import type { ChallengeNote } from '../model/challenge.ts';
import type { Order, Recovery } from '../model/order.ts';
import type { ReportSetting } from '../model/post-processing.ts';
import type {
  Format,
  Health,
  Intent,
  Mode,
  OAuthClient,
  Signing,
  TlsSettings,
  Verification,
} from '../model/webhook.ts';
import type { Retention, TargetKey } from './log-contract.ts';
import type { Listener } from './relays-contract.ts';

/** A tenant. `workspace` is its key in every table, `token` the part of all its ids. */
export interface Workspace {
  workspace: number;
  token: string;
  name: string;
  limits: WorkspaceLimits;
  retention: WorkspaceRetention;
  createdAt: number;
}

/** How long a workspace keeps what is finished; null is as long as the installation says. */
export type WorkspaceRetention = { [Span in keyof Retention]: number | null };

/** What may change about a workspace. */
export interface WorkspacePatch {
  limits?: Partial<WorkspaceLimits>;
  retention?: Partial<WorkspaceRetention>;
}

/** What a workspace may use; null is unlimited. Events and bytes count per UTC day, the others in all. */
export interface WorkspaceLimits {
  eventsPerDay: number | null;
  bytesPerDay: number | null;
  webhooks: number | null;
  subscriptions: number | null;
  /** Of its own; those of the installation are nobody's. */
  eventTypes: number | null;
}

/** A publisher of the platform-wide catalog. */
export interface Service {
  service: string;
  description: string;
  createdAt: number;
}

/** What may be said about an event type. */
export interface EventTypeSetting {
  workspace: number;
  type: string;
  service: string | null;
  description: string;
  schema: string | null;
  schemaCheck: SchemaCheck;
  example: string | null;
  deprecation: string | null;
}

/** A webhook with everything about it but its secrets. Instants epoch ms, spans ms. */
export interface Webhook {
  workspace: number;
  webhook: number;
  token: string;
  bucket: number;
  name: string;
  description: string;
  mode: Mode;
  /** Empty for the modes `pull` and `listen`. */
  url: string;
  verification: Verification;
  signing: readonly Signing[];
  format: Format;
  /** Of the user's own: their values stand in what `target` resolves alone, a mask everywhere else. */
  headers: Readonly<Record<string, string>>;
  /** Delays between tries, or null for the installation's plan. */
  retryDelaysMs: readonly number[] | null;
  /** One deadline over connect, headers and body, or null for the installation's. */
  timeoutMs: number | null;
  /** Requests per minute at most, or null for as many as the endpoint bears. */
  rate: number | null;
  order: Order;
  recovery: Recovery;
  /** How large its batches may be, or null: each delivery goes alone. */
  batch: Batching | null;
  /** Requests per minute the endpoint allowed when it was verified, or null for no limit. */
  allowedRate: number | null;
  /** Until when it asked to be left alone (`Retry-After`), or null. */
  quietUntil: number | null;
  intent: Intent;
  health: Health;
  streak: number;
  lastSuccessAt: number | null;
  /** Why it is in its state. */
  reason: string;
  /** ed25519 public key (`whpk_…`) of the `standard-v1a` signature, or null. */
  publicKey: string | null;
  /** How its access tokens are got, or null: it needs none. */
  oauth: OAuthClient | null;
  /** What its TLS connections show and trust, or null: as the platform's own. */
  tls: TlsSettings | null;
  /** Until when the former secret is honoured beside the present one, or null. */
  secondaryUntil: number | null;
  /** The last attempt at a challenge of it as it is now, or null. */
  challenge: ChallengeNote | null;
  /** When it last proved that it is willing, as it is now, or null. */
  provedAt: number | null;
  createdAt: number;
  updatedAt: number;
  /** Who listens for it, or did lately; null when nobody did. */
  listener: Listener | null;
  /** Grows with every change: the compare-and-set of `updateWebhook`. */
  revision: number;
}

/** A webhook's secrets in the clear; they leave the store only towards the engine. */
export interface WebhookSecrets {
  /** HMAC key of challenge and HPE signature, as text. */
  secret: string;
  /** The former (or next) secret, honoured during a rotation. */
  secondarySecret: string | null;
  /** Which of the two the endpoint proved last: the HPE signature, which can carry only one, is made with it. */
  proved: 'secret' | 'secondarySecret';
  /** Standard Webhooks keys (`whsec_…`), the present first; former ones until `secondaryUntil`. */
  standardKeys: readonly string[];
  /** ed25519 key (`whsk_…`) of `standard-v1a`, or null. */
  signingKey: string | null;
  /** Verbatim `Authorization` value, or null (R4). */
  authorization: string | null;
  /** The secret of the OAuth 2 client, or null. */
  clientSecret: string | null;
  /** The private key of the client certificate, PEM, or null. */
  privateKey: string | null;
}

/** A target as the engine reaches it. */
export interface Reached {
  webhook: Webhook;
  secrets: WebhookSecrets;
  /** Present when it is a post-processing: then the webhook is only what both kinds have in common. */
  report?: ReportSetting;
  /** Present when it is a flow: what is delivered to it starts a run. */
  isFlow?: boolean;
}

/** What is said of a webhook when it is made, and may be said anew later. */
type WebhookTerms = Pick<
  Webhook,
  | 'name'
  | 'description'
  | 'url'
  | 'verification'
  | 'signing'
  | 'format'
  | 'headers'
  | 'retryDelaysMs'
  | 'timeoutMs'
  | 'rate'
  | 'order'
  | 'recovery'
  | 'publicKey'
  | 'oauth'
  | 'tls'
  | 'health'
> & { secrets: WebhookSecrets };

/** What a new webhook is made of. */
export interface NewWebhook extends WebhookTerms, Pick<Webhook, 'workspace' | 'reason'> {
  /** `push` when left out. */
  mode?: Mode;
  /** None when left out. */
  batch?: Batching | null;
  now: number;
}

/** What becomes of a webhook by itself, or by hand. */
type WebhookCourse = Pick<
  Webhook,
  'allowedRate' | 'quietUntil' | 'intent' | 'streak' | 'lastSuccessAt' | 'secondaryUntil' | 'challenge' | 'provedAt'
>;

/** Fields of a webhook that may change; absent ones stay. */
export type WebhookPatch = Partial<WebhookTerms & WebhookCourse & Pick<Webhook, 'batch'>>;

/** A recorded change of state. */
export interface WebhookChange {
  at: number;
  intent: Intent;
  health: Health;
  reason: string;
}

/** Webhook + event type (or pattern) + optional filter. */
export interface Subscription {
  workspace: number;
  subscription: number;
  webhook: number;
  type: string;
  filter: string | null;
  createdAt: number;
}

/** An API key; only its hash is kept. */
export interface ApiKey {
  key: string;
  name: string;
  scopes: readonly KeyScope[];
  /** The workspaces it may act for; null is the installation's own key, for all. */
  workspaces: readonly number[] | null;
  /** The service it is bound to: it publishes only that one's types. */
  service: string | null;
  createdAt: number;
}

/** What a key may do. */
export type KeyScope = 'publish' | 'read' | 'manage' | 'pull';

/** The first answer to a request with an `Idempotency-Key`, or the state of it. */
export type IdempotencyClaim =
  | { kind: 'claimed' }
  | { kind: 'running' }
  | { kind: 'other-body' }
  | { kind: 'answered'; status: number; body: string };

/** Catalog, webhooks, subscriptions, keys. */
export interface Settings {
  /** The compiled catalog of a workspace, at its newest version known here; null when the workspace is gone. */
  catalog(workspace: number): Promise<Catalog | null>;

  workspaces(): Promise<Workspace[]>;
  workspace(by: { workspace: number } | { token: string } | { name: string }): Promise<Workspace | null>;
  createWorkspace(name: string, limits: WorkspaceLimits, now: number): Promise<Workspace>;
  /** Changes limits and retention; what is left out stays. */
  changeWorkspace(workspace: number, patch: WorkspacePatch): Promise<Workspace>;
  /** Deletes a workspace with all it holds (rows go in chunks, the workspace at once). */
  deleteWorkspace(workspace: number, now: number): Promise<void>;

  services(): Promise<Service[]>;
  /** Makes a service; the same again is harmless (R49). */
  putService(service: string, description: string, now: number): Promise<Service>;
  deleteService(service: string): Promise<void>;
  /** Makes or replaces an event type; the same again is harmless (R49). */
  putType(type: EventTypeSetting, now: number): Promise<EventType>;
  /** Refuses `in-use` while subscriptions name exactly this type. */
  deleteType(workspace: number, type: string): Promise<void>;

  createWebhook(webhook: NewWebhook): Promise<Webhook>;
  webhooks(workspace: number): Promise<Webhook[]>;
  webhook(workspace: number, webhook: number): Promise<Webhook | null>;
  /** The target with its secrets: for sending, signing and challenging only. */
  target(key: TargetKey): Promise<Reached | null>;
  /** Changes a webhook if it still has that revision (`changed-meanwhile` otherwise); a change of state is recorded. */
  updateWebhook(change: WebhookUpdate): Promise<Webhook>;
  /** Notes what an attempt at a challenge came to, unless the webhook was changed meanwhile. It is no change of it. */
  noteChallenge(note: TargetKey & { revision: number; note: ChallengeNote }): Promise<void>;
  /** Enabled webhooks that have to prove themselves: pending ones, and critical ones left alone since before then. */
  unproved(criticalBefore: number): Promise<Unproved[]>;
  /** Ends up to `limit` rotations whose time is over: forgets former secrets and keys; resolves how many ended. */
  endRotations(now: number, limit: number): Promise<number>;
  /**
   * Refuses `in-use` while subscriptions exist, unless forced. Its open deliveries become dead letters: some at once,
   * the rest by `log.bury`.
   */
  deleteWebhook(key: TargetKey, force: boolean, now: number): Promise<void>;
  webhookChanges(workspace: number, webhook: number, limit: number): Promise<WebhookChange[]>;

  /** Makes a subscription; the same again answers the first one with `created: false`. */
  createSubscription(subscription: NewSubscription): Promise<{ subscription: Subscription; created: boolean }>;
  subscriptions(workspace: number, webhook?: number): Promise<Subscription[]>;
  deleteSubscription(workspace: number, subscription: number): Promise<void>;

  createKey(key: ApiKey, hash: string): Promise<void>;
  keys(): Promise<ApiKey[]>;
  deleteKey(key: string): Promise<void>;
  /** The key with this SHA-256 hash (hex), or null. */
  findKey(hash: string): Promise<ApiKey | null>;

  /**
   * Seals up to `limit` secrets again that a former key has sealed; resolves how many: call again until 0. Then the
   * former key can be taken away.
   */
  reseal(limit: number): Promise<number>;

  /** Claims an `Idempotency-Key` for a request with this body hash, or tells what became of the first one. */
  claim(key: IdempotencyKey, now: number): Promise<IdempotencyClaim>;
  /** Stores the answer of a claimed request; a null answer releases the claim (the request failed before acting). */
  fulfil(key: IdempotencyKey, answer: { status: number; body: string } | null): Promise<void>;
}

/** A change of a webhook. */
export interface WebhookUpdate extends TargetKey {
  revision: number;
  patch: WebhookPatch;
  /** Reason to record when intent or health changes. */
  reason: string | null;
  now: number;
}

/** A webhook that has to prove itself. */
export interface Unproved extends TargetKey {
  bucket: number;
  /** `critical` only if it has proved itself before, as it is now: nobody else's address is asked again and again. */
  health: 'pending' | 'critical';
}

/** What a new subscription is made of. */
export interface NewSubscription {
  workspace: number;
  webhook: number;
  type: string;
  filter: string | null;
  now: number;
}

/** Names one request that carries an `Idempotency-Key`. */
export interface IdempotencyKey {
  workspace: number;
  /** The key that authenticated the request, and the request's own key. */
  owner: string;
  key: string;
  bodyHash: string;
}
