// HTTP out: one request in, one Outcome back, always. Pools, bounds and deadlines over undici's HTTP/1.1 client.
//
//   send ─▶ a connection is free or may be opened ──▶ in flight ──▶ outcome
//        └▶ otherwise waits, at most waitMs ─────────▲      └ deadline: over dial, head and body together
//
// Redirects are never followed and bodies never decoded; a response is read to 64 KiB and kept to 16 KiB.
import type { Outcome } from '../../model/outcome.ts';
import type { AddressGuard } from './address-guard.ts';
import { createDialer } from './connect.ts';
import { Connection } from './connection.ts';
import { Exchange, type ExchangeOwner, type OutgoingRequest, type Target } from './exchange.ts';
import { diagnose } from './failure.ts';
import type { ProxySetting } from './proxy.ts';
import type { TlsIdentity } from './tls-identity.ts';

export type { OutgoingRequest, Target } from './exchange.ts';
export type { ProxySetting } from './proxy.ts';
export { nameTlsIdentity, type TlsIdentity } from './tls-identity.ts';

export interface TransportOptions {
  guard: AddressGuard;
  /** Sent when a request has no User-Agent of its own. */
  userAgent: string;
  /** Connections to one origin at a time. Default 128. */
  maxSocketsPerOrigin?: number;
  /** Connections in all, idle ones included. Default 4,096. */
  maxSockets?: number;
  /** How long an idle connection is kept; a shorter Keep-Alive of the server is respected. Default 15 s. */
  keepAliveMs?: number;
  /** How long a request may wait for a free connection. Default 5 s. */
  waitMs?: number;
  /** Certificate authorities to trust instead of the system's, as PEM. */
  ca?: string | string[];
  /** Everything goes through this one; null or left out: straight. */
  proxy?: ProxySetting | null;
}

/** Gauges, read when asked. */
export interface TransportStats {
  origins: number;
  inFlight: number;
  waiting: number;
  idle: number;
}

export interface Transport {
  /** Sends one request. Never throws, never rejects; settles within `waitMs + deadlineMs` and a tick of 25 ms. */
  send(request: OutgoingRequest): Promise<Outcome>;
  stats(): TransportStats;
  /** Takes no more, fails what waits with `closed`, lets what is in flight end (or cuts it). Twice is harmless. */
  close(options?: { force?: boolean }): Promise<void>;
}

/** Splits an absolute http(s) URL. Throws on anything else: judge it first (model/webhook-url.ts). */
export function parseTarget(url: string, tls: TlsIdentity | null = null): Target {
  const { protocol, origin, hostname, pathname, search } = new URL(url);
  if (protocol !== 'http:' && protocol !== 'https:') throw new TypeError(`not an http(s) URL: ${protocol}`);
  return { origin, hostname, path: pathname + search, tls, pool: tls === null ? origin : `${origin} ${tls.name}` };
}

/** Makes a transport. It holds no socket and no timer until something is sent. */
export function createTransport(options: TransportOptions): Transport {
  const pool = new ConnectionPool(options);
  return {
    send: (request) => pool.send(request),
    stats: () => pool.stats(),
    close: ({ force = false } = {}) => pool.close(force),
  };
}

const CUT_OFF = { code: 'closed', message: 'was cut off' } as const;

// Only what may be cut off has somebody listen.
function withSignal(
  signal: AbortSignal | undefined,
  settle: (outcome: Outcome) => void,
  exchange: () => Exchange,
): (outcome: Outcome) => void {
  if (signal === undefined) return settle;
  const cut = (): void => exchange().fail(CUT_OFF);
  signal.addEventListener('abort', cut, { once: true });
  return (outcome) => {
    signal.removeEventListener('abort', cut);
    settle(outcome);
  };
}

/** How exact deadlines are: never early, and this late at most unless very many end together. */
const TICK_MS = 25;
/** Deadlines that end in one turn of the event loop: a thousand connections cut off at once are a fifth of a second. */
const MOST_EXPIRED = 16;
/** A tick that comes later than this was not just delayed by a busy turn. */
const LATE_MS = 50;

/** What connections are shared by: an origin, and who we are to it in TLS. */
interface Origin {
  target: Target;
  busy: number;
  /** The most recently used last: it is the least likely to be stale, and the others may expire. */
  idle: Connection[];
  waiting: Exchange[];
}

class ConnectionPool implements ExchangeOwner {
  readonly #options: Required<Omit<TransportOptions, 'ca' | 'guard' | 'proxy'>>;
  readonly #dial: ReturnType<typeof createDialer>;
  readonly #origins = new Map<string, Origin>();
  /** Idle connections of all origins, the longest unused first. */
  readonly #idle = new Set<Connection>();
  /** Origins below their own limit that wait for the common one, in turn. */
  readonly #ready = new Set<Origin>();
  /** Waiting and in flight: what the sweep looks at. */
  readonly #pending = new Set<Exchange>();
  #busy = 0;
  #isSweeping = false;
  #isClosed = false;
  #isStarting = false;
  readonly #drained = Promise.withResolvers<void>();

  constructor({ guard, ca, proxy, userAgent, ...bounds }: TransportOptions) {
    const { maxSocketsPerOrigin = 128, maxSockets = 4_096, keepAliveMs = 15_000, waitMs = 5_000 } = bounds;
    this.#options = { userAgent, maxSocketsPerOrigin, maxSockets, keepAliveMs, waitMs };
    this.#dial = createDialer({ guard, ca, proxy });
  }

  send(request: OutgoingRequest): Promise<Outcome> {
    return new Promise((resolve) => {
      const exchange = new Exchange(
        request,
        this,
        withSignal(request.signal, resolve, () => exchange),
      );
      if (request.signal?.aborted) exchange.fail(CUT_OFF);
      else if (this.#isClosed) exchange.fail({ code: 'closed', message: 'was not sent to: the platform is stopping' });
      else this.#admit(exchange);
    });
  }

  stats(): TransportStats {
    return {
      origins: this.#origins.size,
      inFlight: this.#busy,
      waiting: this.#pending.size - this.#busy,
      idle: this.#idle.size,
    };
  }

  async close(force: boolean): Promise<void> {
    this.#isClosed = true;
    for (const origin of this.#origins.values()) {
      for (const exchange of origin.waiting.splice(0)) {
        exchange.fail({ code: 'closed', message: 'was not sent to: the platform is stopping' });
      }
      this.#dropOriginIfUnused(origin);
    }
    for (const connection of this.#idle) this.#dropIdle(connection);
    if (force) {
      for (const exchange of this.#pending) {
        exchange.fail({ code: 'closed', message: 'was cut off: the platform is stopping' });
      }
    }
    if (this.#pending.size === 0) this.#drained.resolve();
    await this.#drained.promise;
  }

  #admit(exchange: Exchange): void {
    const origin = this.#originOf(exchange.request.target);
    this.#pending.add(exchange);
    if (origin.busy < this.#options.maxSocketsPerOrigin && this.#busy < this.#options.maxSockets) {
      this.#start(exchange, origin);
    } else {
      exchange.expiresAt = performance.now() + this.#options.waitMs;
      origin.waiting.push(exchange);
      if (origin.busy < this.#options.maxSocketsPerOrigin) this.#ready.add(origin);
    }
    if (!this.#isSweeping) this.#sweepLater();
  }

  #originOf(target: Target): Origin {
    let origin = this.#origins.get(target.pool);
    if (origin === undefined) {
      origin = { target, busy: 0, idle: [], waiting: [] };
      this.#origins.set(target.pool, origin);
    }
    return origin;
  }

  #start(exchange: Exchange, origin: Origin): void {
    try {
      const connection = origin.idle.pop() ?? this.#open(origin);
      this.#idle.delete(connection);
      origin.busy += 1;
      this.#busy += 1;
      this.#dispatch(exchange, connection);
    } catch (error) {
      // A request that is not even well-formed must not take the engine's loop down with it.
      const { hostname } = exchange.request.target;
      exchange.fail(diagnose(error as Error, { hostname, status: null, isConnected: false }));
      this.#dropOriginIfUnused(origin);
    }
  }

  #dispatch(exchange: Exchange, connection: Connection): void {
    const { target, method, headers, body } = exchange.request;
    connection.take();
    exchange.start(connection, performance.now());
    const { origin, path } = target;
    connection.client.dispatch({ origin, path, method, headers: this.#complete(headers), body }, exchange);
  }

  #complete(headers: string[]): string[] {
    for (let index = 0; index < headers.length; index += 2) {
      const name = headers[index]!;
      if (name.length === 10 && name.toLowerCase() === 'user-agent') return headers;
    }
    return [...headers, 'user-agent', this.#options.userAgent];
  }

  #open(origin: Origin): Connection {
    if (this.#busy + this.#idle.size >= this.#options.maxSockets) {
      const [oldest] = this.#idle;
      if (oldest !== undefined) this.#dropIdle(oldest);
    }
    const { pool, origin: url, tls } = origin.target;
    return new Connection({
      pool,
      origin: url,
      tls,
      dial: this.#dial,
      keepAliveMs: this.#options.keepAliveMs,
      onIdleClose: (connection) => this.#dropIdle(connection),
    });
  }

  release(connection: Connection): void {
    const origin = this.#origins.get(connection.pool)!;
    if (connection.put() && !this.#isClosed) {
      origin.idle.push(connection);
      this.#idle.add(connection);
    } else {
      connection.destroy();
    }
    this.#freed(origin);
  }

  discard(connection: Connection): void {
    connection.destroy();
    this.#freed(this.#origins.get(connection.pool)!);
  }

  restart(exchange: Exchange, stale: Connection): void {
    stale.destroy();
    const origin = this.#originOf(exchange.request.target);
    this.#dispatch(exchange, this.#open(origin));
  }

  forget(exchange: Exchange): void {
    this.#pending.delete(exchange);
    if (this.#isClosed && this.#pending.size === 0) this.#drained.resolve();
  }

  #freed(origin: Origin): void {
    origin.busy -= 1;
    this.#busy -= 1;
    if (origin.waiting.length > 0) this.#ready.add(origin);
    if (this.#ready.size > 0) this.#startWaiting();
    this.#dropOriginIfUnused(origin);
  }

  // One request of each origin in turn, so that an origin with a long queue does not take every place that frees up.
  // A request that fails as it is started frees its place at once and comes back here: the loop under way sees it.
  #startWaiting(): void {
    if (this.#isStarting) return;
    this.#isStarting = true;
    this.#startInTurn();
    this.#isStarting = false;
  }

  #startInTurn(): void {
    for (const origin of this.#ready) {
      if (this.#busy >= this.#options.maxSockets) return;
      this.#ready.delete(origin);
      if (origin.busy >= this.#options.maxSocketsPerOrigin) continue;
      let exchange = origin.waiting.shift();
      while (exchange?.isSettled) exchange = origin.waiting.shift();
      if (exchange === undefined) continue;
      this.#start(exchange, origin);
      // Re-added at the end: the loop comes back to it after all the others.
      if (origin.waiting.length > 0) this.#ready.add(origin);
    }
  }

  #dropIdle(connection: Connection): void {
    const origin = this.#origins.get(connection.pool);
    this.#idle.delete(connection);
    connection.destroy();
    if (origin === undefined) return;
    const index = origin.idle.indexOf(connection);
    if (index !== -1) origin.idle.splice(index, 1);
    this.#dropOriginIfUnused(origin);
  }

  #dropOriginIfUnused(origin: Origin): void {
    if (origin.busy === 0 && origin.idle.length === 0 && origin.waiting.length === 0) {
      this.#ready.delete(origin);
      this.#origins.delete(origin.target.pool);
    }
  }

  // One timer for everything that is pending. The set costs 0.1 µs per send where a timer of its own costs 0.25 µs, and
  // looking at a thousand exchanges takes 4 µs.
  #sweepLater(): void {
    this.#isSweeping = true;
    const dueAt = performance.now() + TICK_MS;
    setTimeout(() => {
      // Late means that this process stood still (stopped, swapped out, collecting garbage). That time was nobody's to
      // answer in: what was under way may not even have been written, and what was answered has not been read yet.
      const lateMs = performance.now() - dueAt;
      if (lateMs > LATE_MS) for (const exchange of this.#pending) exchange.expiresAt += lateMs;
      this.#sweep();
    }, TICK_MS);
  }

  #sweep(): void {
    const now = performance.now();
    let expired = 0;
    for (const exchange of this.#pending) {
      if (exchange.expiresAt > now) continue;
      // The rest of them after whoever else waits for a turn.
      if (expired++ === MOST_EXPIRED) return void setImmediate(() => this.#sweep());
      exchange.expire();
    }
    if (this.#pending.size > 0) this.#sweepLater();
    else this.#isSweeping = false;
  }
}
