// How flows reach the outside over HTTP: one function, handed in by the platform, whose addresses are guarded.

/** One request. Redirects are not followed. */
export interface FetchRequest {
  method: string;
  /** Absolute, http or https. */
  url: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | null;
  /** For connect, head and body together, ms. */
  deadlineMs: number;
  /** A longer answer is a failure. */
  maxBytes: number;
  signal: AbortSignal;
  /** The trace context it is sent for: the request carries it, unless it has headers of that name; absent or null for none. */
  trace?: string | null;
}

/** The answer, whatever its status. Header names are lower-case. */
export interface FetchAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array;
}

/** Throws {@link FetchFailed} when there is no complete answer. */
export type Fetch = (request: FetchRequest) => Promise<FetchAnswer>;

/** There was no answer; the message says why, in words. */
export class FetchFailed extends Error {
  override name = 'FetchFailed';
}
