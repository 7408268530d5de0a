// One request and its answer, as undici reports them. Collects what is kept, settles once, and never throws.
import type { Dispatcher } from 'undici';
import { boundHeaders, KEEP_LIMIT, READ_LIMIT, type Outcome } from '../../model/outcome.ts';
import type { Connection } from './connection.ts';
import {
  describeSpan,
  describeTimeout,
  diagnose,
  isConnectionEnd,
  type Diagnosis,
  type FailureContext,
} from './failure.ts';
import type { TlsIdentity } from './tls-identity.ts';

/** Where requests go; parse once per webhook and keep it. */
export interface Target {
  /** `https://host:port`. */
  origin: string;
  hostname: string;
  /** Path and query. */
  path: string;
  /** Null is the platform's own: no client certificate, the system's authorities. */
  tls: TlsIdentity | null;
  /** The key of the connection pool: the origin, and the name of the TLS identity where there is one. */
  pool: string;
}

/** One request. Nothing of it is changed. */
export interface OutgoingRequest {
  target: Target;
  method: string;
  /** Flat: name, value, name, value… Content-Length, Host and Connection are added here. */
  headers: string[];
  body: Uint8Array | null;
  /** For connect, head and body together, ms. Waiting for a free connection is not in it. */
  deadlineMs: number;
  /**
   * False: never send again on a new connection when a kept-alive one turns out to be closed. Default true. For those
   * whose sends are counted by the receiver's eyes (R26: at most ten in total), not for deliveries.
   */
  resend?: boolean;
  /** Body bytes read and kept at most, where that is another number than what a delivery's answer is worth. */
  maxBytes?: number;
  /** Cuts it off. */
  signal?: AbortSignal;
}

const NOTHING = new Uint8Array(0);

/** What an exchange tells the pool it came from. */
export interface ExchangeOwner {
  /** The connection may serve the next request. */
  release(connection: Connection): void;
  /** The connection must not be used again. */
  discard(connection: Connection): void;
  /** Start again on a new connection: this one was stale. */
  restart(exchange: Exchange, stale: Connection): void;
  /** It is over; nothing is in flight any more. */
  forget(exchange: Exchange): void;
}

/** One try in flight or waiting for a connection. */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly request: OutgoingRequest;
  /** When it is over at the latest, on the monotonic clock; for a waiting exchange, when it gives up waiting. */
  expiresAt = 0;
  readonly #owner: ExchangeOwner;
  readonly #settle: (outcome: Outcome) => void;
  #connection: Connection | null = null;
  #startedAt = 0;
  #isSettled = false;
  #isRestarted = false;
  #hasAnswered = false;
  #status = 0;
  #headers: Record<string, string | string[] | undefined> | null = null;
  #bytes = 0;
  #kept = 0;
  #first: Uint8Array = NOTHING;
  #more: Uint8Array[] | null = null;

  constructor(request: OutgoingRequest, owner: ExchangeOwner, settle: (outcome: Outcome) => void) {
    this.request = request;
    this.#owner = owner;
    this.#settle = settle;
  }

  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** A connection was found: the clock of the try starts here, and goes on over a restart. */
  start(connection: Connection, now: number): void {
    this.#connection = connection;
    if (this.#isRestarted) return;
    this.#startedAt = now;
    this.expiresAt = now + this.request.deadlineMs;
  }

  /** Time is up. */
  expire(): void {
    if (this.#connection === null) {
      this.fail({ code: 'busy', message: 'was not sent to: no connection was free in time' });
    } else {
      const { deadlineMs } = this.request;
      this.fail(this.#connection.late(describeSpan(deadlineMs)) ?? describeTimeout(deadlineMs, this.#context()));
    }
  }

  /** Ends without a complete answer; the connection, if there is one, is cut. */
  fail(diagnosis: Diagnosis): void {
    if (this.#isSettled) return;
    const { durationMs, connectMs } = this.#timings();
    const status = this.#status === 0 ? null : this.#status;
    this.#end({ kind: 'failure', ...diagnosis, status, durationMs, connectMs }, false);
  }

  onRequestStart(): void {}

  onResponseStarted(): void {
    this.#hasAnswered = true;
  }

  onResponseStart(_: unknown, status: number, headers: Record<string, string | string[] | undefined>): void {
    // 1xx: the answer is still to come.
    if (status < 200) return;
    this.#status = status;
    this.#headers = headers;
  }

  onResponseData(_: unknown, chunk: Uint8Array): void {
    if (this.#isSettled) return;
    const { maxBytes } = this.request;
    const room = (maxBytes ?? KEEP_LIMIT) - this.#kept;
    if (room > 0) this.#keep(chunk.length > room ? chunk.subarray(0, room) : chunk);
    this.#bytes += chunk.length;
    if (this.#bytes > (maxBytes ?? READ_LIMIT)) this.#end(this.#answer(), false);
  }

  onResponseEnd(): void {
    if (!this.#isSettled) this.#end(this.#answer(), true);
  }

  onResponseError(_: unknown, error: Error): void {
    if (this.#isSettled) return;
    const connection = this.#connection;
    if (connection !== null && this.#mayRestart(connection, error)) {
      this.#isRestarted = true;
      this.#owner.restart(this, connection);
      return;
    }
    this.fail(diagnose(connection?.firstError ?? error, this.#context()));
  }

  // The chunk is a view of the socket's own buffer, which is not used again: no copy.
  #keep(chunk: Uint8Array): void {
    if (this.#kept === 0) this.#first = chunk;
    else (this.#more ??= [this.#first]).push(chunk);
    this.#kept += chunk.length;
  }

  // A server may close a kept-alive connection just as a request is written to it (RFC 9112 9.3.1, 9.5). Sending again
  // at once is safe here: deliveries are at-least-once and the try carries the same webhook-id and signature.
  #mayRestart(connection: Connection, error: Error): boolean {
    if (this.#isRestarted || this.#hasAnswered || this.request.resend === false) return false;
    return connection.isReused && isConnectionEnd(error);
  }

  #answer(): Outcome {
    const headers = this.#headers ?? {};
    const retryAfter = headers['retry-after'];
    const { durationMs, connectMs } = this.#timings();
    return {
      kind: 'response',
      status: this.#status,
      headers: listHeaders(headers),
      body: this.#more === null ? this.#first : Buffer.concat(this.#more),
      bodyBytes: this.#bytes,
      truncated: this.#bytes > this.#kept,
      retryAfter: (Array.isArray(retryAfter) ? retryAfter[0] : retryAfter) ?? null,
      durationMs,
      connectMs,
    };
  }

  #end(outcome: Outcome, mayReuse: boolean): void {
    this.#isSettled = true;
    this.#owner.forget(this);
    const connection = this.#connection;
    if (connection !== null) {
      this.#connection = null;
      if (mayReuse) this.#owner.release(connection);
      else this.#owner.discard(connection);
    }
    this.#settle(outcome);
  }

  #context(): FailureContext {
    const { hostname, tls } = this.request.target;
    return {
      hostname,
      tls,
      status: this.#status === 0 ? null : this.#status,
      isConnected: this.#connection?.isConnected ?? false,
    };
  }

  #timings(): { durationMs: number; connectMs: number } {
    const connection = this.#connection;
    if (connection === null) return { durationMs: 0, connectMs: 0 };
    const now = performance.now();
    // Whole milliseconds, as they are stored; rounded up, so that 0 means "did not happen".
    return { durationMs: Math.ceil(now - this.#startedAt), connectMs: Math.ceil(connection.dialedMs(now)) };
  }
}

function listHeaders(headers: Record<string, string | string[] | undefined>): [string, string][] {
  const list: [string, string][] = [];
  for (const name in headers) {
    const value = headers[name] ?? '';
    if (Array.isArray(value)) for (const one of value) list.push([name, one]);
    else list.push([name, value]);
  }
  return boundHeaders(list);
}
