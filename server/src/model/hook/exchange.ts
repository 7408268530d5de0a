// What a hook exchanges with its callers: a request as it came, and the reply to it. Pure data.

/** A request to a hook, byte for byte as it came. */
export interface HookRequest {
  /** Upper case. */
  method: string;
  /** What stands behind the first `?`, undecoded; empty without. */
  query: string;
  /** Name, value, name, value … in their order, repeated ones included. */
  headers: readonly string[];
  body: Uint8Array;
  /** The address it came from, or null where nobody knows. */
  from: string | null;
}

/** A request on its way in. */
export interface HookCall extends HookRequest {
  /** The last part of the hook's URL. */
  token: string;
  /** The body exceeds this many bytes, and is not here; null where it is. */
  cutAt: number | null;
  /** The trace context of the request (model/trace-context.ts); absent or null without. */
  trace?: string | null;
}

/** What a caller is answered. */
export interface HookReply {
  /** 200–599. */
  status: number;
  /** Name, value, name, value …, checked: no name or value can split a response. */
  headers: readonly string[];
  /** Text is sent as UTF-8. */
  body: string | Uint8Array;
}
