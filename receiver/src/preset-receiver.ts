// A receiver of one kind of sender: its challenge is answered, what it signed goes to one handler, all else is refused.
import { parseJson } from './json.ts';
import { createPresetVerifier } from './preset-verifier.ts';
import type { Accepted, PresetOptions, TurnedAway } from './preset-verifier.ts';
import type { Receiver } from './receiver.ts';
import { readBody, refusal } from './request.ts';

/** A request that was accepted. */
export interface PresetDelivery extends Accepted {
  readonly headers: Headers;
  readonly query: URLSearchParams;
  /** The bytes as they arrived. */
  readonly body: Uint8Array;
  /** The body as JSON. Throws where it is none, which answers the request 400. */
  json(): unknown;
}

/** Settings of a receiver, those of its verifier included. */
export type PresetReceiverOptions = PresetOptions & {
  /** Does the work. To throw or reject means: not handled, deliver it again. */
  readonly handle: (delivery: PresetDelivery) => unknown;
  /** The greatest body accepted, in bytes; larger ones get 413. Default 4 MiB. */
  readonly maxBytes?: number;
  /** Told why a request was refused, or, under `observe`, would have been; the caller is not. Default console.warn. */
  readonly onRefusal?: (why: Pick<TurnedAway, 'reason' | 'detail'>, headers: Headers) => void;
  /** Told about every failure of the handler. Default console.error. */
  readonly onFailure?: (error: unknown) => void;
};

class NotJson extends Error {}

/**
 * A receiver of one kind of sender.
 *
 * | answer | when |
 * |---|---|
 * | 200, empty | the request was verified and handled |
 * | 200 | a challenge, answered as its sender wants it |
 * | 400 | the handler asked for JSON, and the body is none |
 * | 401 | not signed, a signature that is wrong or too old; why is told to `onRefusal` only |
 * | 405, 413 | neither a POST nor a challenge; too large |
 * | 500 | the handler failed |
 * @throws as {@link createPresetVerifier}
 */
export function createPresetReceiver(options: PresetReceiverOptions): Receiver {
  const verify = createPresetVerifier(options);
  const { handle, maxBytes = 4 * 1024 * 1024, onRefusal = warn, onFailure = reportToConsole } = options;
  return async (request) => {
    const { method, headers } = request;
    const query = new URL(request.url).searchParams;
    const body = await readBody(request, maxBytes);
    if (body instanceof Response) return body;
    const verdict = await verify({ method, headers, query, body });
    if (verdict.kind === 'challenge') return new Response(verdict.answer.body, verdict.answer);
    if (verdict.kind === 'refused') onRefusal(verdict, headers);
    if (method !== 'POST') return refusal(405, 'send a POST', { allow: 'POST' });
    if (verdict.kind === 'refused') return refusal(401, 'not verified');
    if (verdict.doubt) onRefusal(verdict.doubt, headers);
    try {
      await handle({ ...verdict, headers, query, body, json: () => jsonOf(body) });
    } catch (error) {
      if (error instanceof NotJson) return refusal(400, error.message);
      onFailure(error);
      return new Response(null, { status: 500 });
    }
    return new Response(null, { status: 200 });
  };
}

function jsonOf(body: Uint8Array): unknown {
  const parsed = parseJson(body);
  if (!parsed.ok) throw new NotJson(parsed.fault);
  return parsed.value;
}

function warn({ reason, detail }: Pick<TurnedAway, 'reason' | 'detail'>): void {
  // oxlint-disable-next-line no-console -- a library has no log of its own, and why a sender is refused must be seen
  console.warn(`a request was not verified (${reason}): ${detail}`);
}

function reportToConsole(error: unknown): void {
  // oxlint-disable-next-line no-console -- a library has no log of its own, and a failure must not pass in silence
  console.error('a request could not be handled:', error);
}
