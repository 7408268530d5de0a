// The catalog of one workspace at one version, compiled: which event types exist, who is subscribed. Pure.

/** How strictly an event's data is checked against its type's schema at publish. */
export type SchemaCheck = 'off' | 'warn' | 'block';

/** An event type as the catalog holds it. `workspace` 0 means the installation's own. */
export interface EventType {
  workspace: number;
  type: string;
  service: string | null;
  description: string;
  /** JSON Schema 2020-12 as text, or null when the type has none. */
  schema: string | null;
  /** SHA-256 of `schema` in hex: the cache key of its compiled form. */
  schemaHash: string | null;
  schemaCheck: SchemaCheck;
  /** An example of `data`, as JSON text. */
  example: string | null;
  /** Why the type is deprecated and what to use instead, or null. */
  deprecation: string | null;
  createdAt: number;
  updatedAt: number;
}

/** A subscription, ready to be matched. */
export interface CompiledSubscription {
  webhook: number;
  /** An exact type, or a pattern that ends in `.*`. */
  type: string;
  matches: ((event: FilteredEvent) => boolean) | null;
}

/** What a filter may look at. */
export interface FilteredEvent {
  type: string;
  attributes: Readonly<Record<string, string | number | boolean>>;
  data: unknown;
}

/** The versions a snapshot was read at: the installation's catalog and the workspace's own settings. */
export interface CatalogVersion {
  installation: number;
  workspace: number;
}

/** Everything a publish needs to know about its workspace, as of one version. */
export interface Catalog {
  workspace: number;
  token: string;
  version: CatalogVersion;
  types: ReadonlyMap<string, EventType>;
  /** The webhooks that an event is for: each once, in ascending order, however many subscriptions match. */
  targetsOf(event: FilteredEvent): number[];
}

/** Compiles subscriptions into a matcher: exact types by look-up, patterns by prefix. */
export function compileSubscriptions(subscriptions: readonly CompiledSubscription[]): Catalog['targetsOf'] {
  const exact = new Map<string, CompiledSubscription[]>();
  const patterns: { prefix: string; subscription: CompiledSubscription }[] = [];
  for (const subscription of subscriptions) {
    if (isPattern(subscription.type)) {
      patterns.push({ prefix: subscription.type.slice(0, -1), subscription });
    } else {
      const same = exact.get(subscription.type);
      if (same) same.push(subscription);
      else exact.set(subscription.type, [subscription]);
    }
  }
  return (event) => {
    const targets = new Set<number>();
    const consider = (subscription: CompiledSubscription): void => {
      if (targets.has(subscription.webhook)) return;
      if (subscription.matches === null || subscription.matches(event)) targets.add(subscription.webhook);
    };
    for (const subscription of exact.get(event.type) ?? []) consider(subscription);
    for (const { prefix, subscription } of patterns) if (event.type.startsWith(prefix)) consider(subscription);
    return [...targets].sort((a, b) => a - b);
  };
}

/** Is the type of a subscription a pattern (`com.example.*`)? The `.*` stands for one or more further segments. */
export function isPattern(type: string): boolean {
  return type.endsWith('.*');
}
