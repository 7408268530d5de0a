// One connection to an origin: an undici Client that carries one exchange at a time.
//
// Clients of our own instead of undici's Agent and Pool: we then know which connection an exchange is on, so a deadline
// can cut it in every phase, a stale one is told from a fresh one, and idle ones can be counted and evicted across
// origins. It also costs less CPU (see index.ts).
import type { Socket } from 'node:net';
import { Client } from 'undici';
import type { Dial } from './connect.ts';

const MAX_HEAD_BYTES = 16 * 1024;

// A connection that is never idle would otherwise hold on to an address for ever, after its name has moved elsewhere.
const MAX_AGE_MS = 5 * 60_000;

export interface ConnectionOptions {
  origin: string;
  dial: Dial;
  keepAliveMs: number;
  /** Called once, when the connection closed while idle. */
  onIdleClose: (connection: Connection) => void;
}

/** One connection: opened by its first exchange, opened again when the server closed it in between. */
export class Connection {
  readonly client: Client;
  readonly origin: string;
  isBusy = false;
  #dialing: Socket | null = null;
  #dialStartedAt = 0;
  #dialedMs = 0;
  #connectedAt = 0;
  #isConnected = false;
  #served = 0;
  #isDestroyed = false;

  constructor({ origin, dial, keepAliveMs, onIdleClose }: ConnectionOptions) {
    this.origin = origin;
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
        this.#served = 0;
        this.#dialStartedAt = performance.now();
        this.#dialing = dial(target, (...result) => {
          this.#dialing = null;
          this.#connectedAt = performance.now();
          this.#dialedMs = this.#connectedAt - this.#dialStartedAt;
          this.#dialStartedAt = 0;
          this.#isConnected = result[0] === null;
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

  /** Cuts the connection in whatever phase it is. Harmless when repeated. */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#dialing?.destroy();
    void this.client.destroy();
  }
}
