// The demo's webhook handler: our own receiver library behind node:http, and what is seen to pass through it.
import { createReceiver, type CloudEvent, type Delivery } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';
import { startLocalServer } from '../develop/local-server.ts';

/** What the handler met. */
export type Seen =
  | { kind: 'challenge'; challengeRequest: string; status: number; answer: string }
  | { kind: 'event'; event: CloudEvent; delivery: Delivery };

/** A handler that listens. */
export interface DemoHandler {
  url: string;
  /** Resolves with the first thing from now on that fits; rejects when the signal says so. */
  next<Kind extends Seen['kind']>(
    kind: Kind,
    fits?: (seen: Seen & { kind: Kind }) => boolean,
  ): Promise<Seen & { kind: Kind }>;
  /** Calls back for everything from now on. */
  watch(listener: (seen: Seen) => void): void;
  stop(): Promise<void>;
}

/** Starts it on a free port of 127.0.0.1. */
export async function startHandler(secret: string, signal: AbortSignal): Promise<DemoHandler> {
  const listeners = new Set<(seen: Seen) => void>();
  const report = (seen: Seen) => {
    for (const listener of listeners) listener(seen);
  };
  const receiver = createReceiver({
    secret,
    otherwise: (event, delivery) => report({ kind: 'event', event, delivery }),
  });
  // The receiver needs the untouched request, so what passes is read from a copy.
  const watched = async (request: Request): Promise<Response> => {
    const copy = request.clone();
    const response = await receiver(request);
    const challengeRequest = challengeIn(await copy.text());
    const answer = await response.clone().text();
    if (challengeRequest !== null) report({ kind: 'challenge', challengeRequest, status: response.status, answer });
    return response;
  };
  const { url, stop } = await startLocalServer(
    (incoming, outgoing) => void toNodeListener(watched)(incoming, outgoing),
  );
  return {
    url,
    watch: (listener) => void listeners.add(listener),
    next: (kind, fits = () => true) =>
      new Promise((resolve, reject) => {
        const listener = (seen: Seen) => {
          if (seen.kind !== kind || !fits(seen as never)) return;
          listeners.delete(listener);
          resolve(seen as never);
        };
        listeners.add(listener);
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
    stop,
  };
}

function challengeIn(text: string): string | null {
  try {
    const { data } = JSON.parse(text) as { data?: { challengeRequest?: unknown } };
    return typeof data?.challengeRequest === 'string' ? data.challengeRequest : null;
  } catch {
    return null;
  }
}
