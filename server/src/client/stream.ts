// The live stream as the client sees it: server-sent events read from a fetch, and come back to after a break.
import type { EventOut, EventsOut } from '../api/events.ts';
import type { StreamDeliveryOut } from '../api/stream.ts';
import { BellwireError, pause, type Requester } from './request.ts';

/** A message of the live stream. Events are never skipped; what attempts came to is told only while it happens. */
export type StreamMessage = { kind: 'event'; event: EventOut } | { kind: 'delivery'; delivery: StreamDeliveryOut };

/** Where a stream begins, and how it is watched. */
export interface StreamOptions {
  /** Begin after this event (`evt_…`); `0` is the beginning of the log; left out: now. */
  after?: string | undefined;
  /** An exact event type, or a pattern ending in `.*`. */
  type?: string | undefined;
  /** Ends the stream: the iteration then ends without an error. */
  signal?: AbortSignal | undefined;
  /** Told when the connection stands for the first time. */
  onOpen?: (() => void) | undefined;
  /** Told when the connection was lost, before it is made again. */
  onBreak?: ((error: BellwireError) => void) | undefined;
}

/** The server says something every 15 s at least; after three times that it is taken for gone. */
const SILENCE_MS = 45_000;
const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;

/**
 * Follows the stream until the signal ends it. The first connection must succeed; when a later one breaks it is made
 * again, behind the last event that was handed out, for as long as it takes. Throws {@link BellwireError} when the
 * platform refuses.
 */
export async function* follow(
  requester: Requester,
  options: StreamOptions = {},
): AsyncGenerator<StreamMessage, void, void> {
  const { signal, type } = options;
  try {
    let after = options.after ?? (await headOf(requester, signal));
    let response = await connect(requester, { after, type, signal });
    options.onOpen?.();
    for (;;) {
      const broken = yield* handOut(response, (event) => (after = event));
      if (signal?.aborted === true) return;
      options.onBreak?.(lost(requester.origin, broken));
      response = await comeBack(requester, { after, type, signal });
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

/** Beginning at a known event instead of "now" makes the very first break as harmless as any later one. */
async function headOf(requester: Requester, signal: AbortSignal | undefined): Promise<string> {
  const query = { order: 'newest-first', limit: 1 };
  const { items } = await requester.json<EventsOut>({ method: 'GET', path: '/v1/events', query, signal });
  return items[0]?.event ?? '0';
}

interface Position {
  after: string;
  type: string | undefined;
  signal: AbortSignal | undefined;
}

interface Connection {
  messages: ReadableStreamDefaultReader<Uint8Array>;
  /** Cuts the connection. */
  cut: AbortController;
}

async function connect(requester: Requester, { after, type, signal }: Position): Promise<Connection> {
  const cut = new AbortController();
  const end = () => cut.abort(signal?.reason);
  signal?.throwIfAborted();
  signal?.addEventListener('abort', end, { signal: cut.signal });
  const response = await requester.send({
    method: 'GET',
    path: '/v1/stream',
    query: { after, type },
    accept: 'text/event-stream',
    signal: cut.signal,
    // The deadline of a call would end the stream with it; silence is watched for instead.
    timeoutMs: 2 ** 31 - 1,
  });
  if (response.body === null) throw lost(requester.origin, undefined);
  return { messages: response.body.getReader(), cut };
}

async function comeBack(requester: Requester, position: Position): Promise<Connection> {
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(waitMs * 2, LONGEST_WAIT_MS)) {
    await pause(waitMs * (0.5 + Math.random() / 2), position.signal);
    try {
      return await connect(requester, position);
    } catch (error) {
      const isOver =
        error instanceof BellwireError && error.status >= 400 && error.status < 500 && error.status !== 429;
      if (isOver || !(error instanceof BellwireError)) throw error;
    }
  }
}

/** Yields the messages of one connection; returns why it ended. */
async function* handOut(
  { messages, cut }: Connection,
  remember: (event: string) => void,
): AsyncGenerator<StreamMessage, unknown, void> {
  const parser = createParser();
  const decoder = new TextDecoder();
  let silence: ReturnType<typeof setTimeout> | undefined;
  try {
    for (;;) {
      silence = setTimeout(() => cut.abort(new Error('it fell silent')), SILENCE_MS);
      const chunk = await messages.read().catch((error: unknown) => ({ error }));
      clearTimeout(silence);
      if ('error' in chunk) return chunk.error;
      if (chunk.done) return undefined;
      for (const message of parser(decoder.decode(chunk.value, { stream: true }))) {
        if (message.kind === 'event') remember(message.event.event);
        yield message;
      }
    }
  } finally {
    // Also when whoever iterates stops early.
    clearTimeout(silence);
    cut.abort();
  }
}

/** Reads server-sent events (HTML standard, section 9.2) piece by piece. */
function createParser(): (text: string) => StreamMessage[] {
  let rest = '';
  let kind = '';
  let data = '';
  return (text) => {
    const found: StreamMessage[] = [];
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const whole of lines) {
      const line = whole.endsWith('\r') ? whole.slice(0, -1) : whole;
      if (line === '') {
        if (kind === 'event') found.push({ kind, event: JSON.parse(data) as EventOut });
        if (kind === 'delivery') found.push({ kind, delivery: JSON.parse(data) as StreamDeliveryOut });
        kind = '';
        data = '';
      } else if (line.startsWith('event:')) kind = line.slice(6).trim();
      else if (line.startsWith('data:')) data += (data === '' ? '' : '\n') + line.slice(line[5] === ' ' ? 6 : 5);
    }
    return found;
  };
}

function lost(origin: string, cause: unknown): BellwireError {
  const why = cause === undefined ? 'the platform ended it' : (cause as Error).message;
  return new BellwireError(
    { status: 0, code: 'unreachable', detail: `the stream of ${origin} broke: ${why}` },
    { cause },
  );
}
