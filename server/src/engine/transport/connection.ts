// One connection to an origin: an undici Client that carries one exchange at a time.
//
// Clients of our own instead of undici's Agent and Pool: we then know which connection an exchange is on, so a deadline
// can cut it in every phase, a stale one is told from a fresh one, and idle ones can be counted and evicted across
// origins. It also costs less CPU (see index.ts).
import { Client } from 'undici';
import type { Dial } from './connect.ts';
import type { Dialing } from './dialing.ts';
import type { Diagnosis } from './failure.ts';
import type { TlsIdentity } from './tls-identity.ts';

const MAX_HEAD_BYTES = 16 * 1024;

// A connection that is never idle would otherwise hold on to an address for ever, after its name has moved elsewhere.
const MAX_AGE_MS = 5 * 60_000;

export interface ConnectionOptions {
  /** The key of the pool it belongs to. */
  pool: string;
  origin: string;
  tls: TlsIdentity | null;
  dial: Dial;
  keepAliveMs: number;
  /** Called once, when the connection closed while idle. */
  onIdleClose: (connection: Connection) => void;
}

/** One connection: opened by its first exchange, opened again when the server closed it in between. */
export class Connection {
  readonly client: Client;
  readonly pool: string;
  isBusy = false;
  #dialing: Dialing | null = null;
  #dialStartedAt = 0;
  #dialedMs = 0;
  #connectedAt = 0;
  #isConnected = false;
  #firstError: Error | null = null;
  #served = 0;
  #isDestroyed = false;

  constructor({ pool, origin, tls, dial, keepAliveMs, onIdleClose }: ConnectionOptions) {
    this.pool = pool;
    this.client = new Client(origin, {
      pipelining: 1,
      // Deadlines are the transport's: one over everything, without a timer per phase.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: keepAliveMs,
      keepAliveMaxTimeout: keepAliveMs,
      maxHeaderSize: MAX_HEAD_BYTES,
      allowH2: false,
      connect: (target, callback) => {
        this.#isConnected = false;
        this.#firstError = null;
        this.#served = 0;
        this.#dialStartedAt = performance.now();
        this.#dialing = dial({ ...target, tls }, (...result) => {
          this.#dialing = null;
          this.#connectedAt = performance.now();
          this.#dialedMs = this.#connectedAt - this.#dialStartedAt;
          this.#dialStartedAt = 0;
          this.#isConnected = result[0] === null;
          result[1]?.once('error', (error: Error) => (this.#firstError ??= error));
          callback(...result);
        });
      },
    });
    this.client.on('disconnect', () => {
      if (!this.isBusy && !this.#isDestroyed) onIdleClose(this);
    });
  }

  get isConnected(): boolean {
    return this.#isConnected;
  }

  /**
   * What the present socket failed with first. After a TLS alert comes the end of the connection, and undici reports
   * only that: it would hide why a server refused our certificate.
   */
  get firstError(): Error | null {
    return this.#firstError;
  }

  /** An exchange has been completed on the present socket before this one. */
  get isReused(): boolean {
    return this.#served > 0;
  }

  /** Takes the connection for one exchange. */
  take(): void {
    this.isBusy = true;
    this.#dialedMs = 0;
  }

  /** The exchange is complete. False when the connection should not be used again. */
  put(): boolean {
    this.isBusy = false;
    this.#served += 1;
    return performance.now() - this.#connectedAt < MAX_AGE_MS;
  }

  /** How long the present exchange has spent on dialling, ms. */
  dialedMs(now: number): number {
    return this.#dialStartedAt === 0 ? this.#dialedMs : now - this.#dialStartedAt;
  }

  /** What it waits for when that is not the target; null when it is, or nothing is being dialled. */
  late(within: string): Diagnosis | null {
    return this.#dialing?.late?.(within) ?? null;
  }

  /** Cuts the connection in whatever phase it is. Harmless when repeated. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#dialing?.destroy();
    void this.client.destroy();
  }
}
