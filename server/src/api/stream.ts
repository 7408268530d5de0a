// The live stream: events as they are accepted (resumable), outcomes of deliveries as they happen (not resumable).
import type { ServerResponse } from 'node:http';
import { Type, type Static } from 'typebox';
import { deliveryId, formatId } from '../model/ids.ts';
import { Refused } from '../model/problem.ts';
import type { Workspace } from '../store/contract.ts';
import { eventJson, EventOut } from './events.ts';
import { operation, type Tools } from './kernel.ts';
import type { SettledAttempt } from './parts.ts';
import { typeOf } from './selection.ts';
import type { Listening } from './sources.ts';
import { idOf, Instant, instant, numberOf, orNull } from './wire.ts';

/** A message `delivery` of the stream: what an attempt came to. Messages `event` carry an `EventOut`. */
export const StreamDeliveryOut = Type.Object({
  delivery: idOf('dlv'),
  event: idOf('evt'),
  webhook: idOf('wh'),
  state: Type.Enum(['scheduled', 'delivered', 'dead']),
  attempt: Type.Integer(),
  manual: Type.Boolean(),
  at: Instant,
  durationMs: Type.Number(),
  status: orNull(Type.Integer()),
  error: orNull(Type.String()),
});
export type StreamDeliveryOut = Static<typeof StreamDeliveryOut>;

/** A message of the stream, by its kind. */
export const StreamMessage = Type.Union([EventOut, StreamDeliveryOut]);
export type StreamMessage = Static<typeof StreamMessage>;

export const StreamQuery = Type.Object(
  {
    type: Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'Exact type, or a `.*` pattern.' })),
    after: Type.Optional(
      Type.String({
        maxLength: 64,
        description: 'Begin after this event id, as `Last-Event-ID`; `0` is the beginning.',
      }),
    ),
  },
  { additionalProperties: false },
);

/** A reader whose unsent bytes exceed this is too slow: it is cut and may resume. Live outcomes are dropped before. */
const MAX_UNSENT = 1_024 * 1_024;
/** Comments that keep proxies from closing a silent stream. */
const HEARTBEAT_MS = 15_000;
/** Events read at once. */
const CHUNK = 50;

export const stream = operation<null, StreamMessage>()({
  summary: 'Follow the log live (server-sent events)',
  description:
    'Messages `event` carry an event and its id: after a break, `Last-Event-ID` (or `?after=`) goes on behind it and skips nothing. Messages `delivery` tell what attempts came to; they have no id and are not repeated. Without a position the stream begins now. A reader that is too slow is cut.',
  query: StreamQuery,
  produces: ['text/event-stream'],
  errors: ['invalid-type-pattern'],
  async handle({ query, workspace, header }, tools) {
    const position = header('last-event-id') || query.after;
    const from =
      position === undefined ? await tools.store.log.head(workspace.workspace) : positionOf(position, workspace);
    const mayStay = () => tools.auth.identify(header('authorization'));
    const type = query.type === undefined ? undefined : typeOf(query.type);
    return { stream: (response) => follow(response, { from, type, workspace, mayStay }, tools) };
  },
});

/** `0` is the beginning of the log; otherwise an event's id. */
function positionOf(text: string, workspace: Workspace): number {
  return text === '0' ? 0 : numberOf('evt', workspace, text);
}

interface Following {
  from: number;
  type: string | undefined;
  workspace: Workspace;
  /** Throws once the reader's key is gone. */
  mayStay(): unknown;
}

function follow(response: ServerResponse, following: Following, tools: Tools): void {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'x-accel-buffering': 'no',
    // Nothing follows a stream: when it ends the connection does, too, and a stopping platform need not wait for it.
    connection: 'close',
  });
  if (response.req.method === 'HEAD') {
    response.end();
    return;
  }
  const { workspace } = following;
  const listening = tools.sources.listen(workspace.workspace, (attempt) => {
    if (response.writableLength < MAX_UNSENT / 2) response.write(deliveryMessage(attempt, workspace));
  });
  // 2,000 ms: how long a browser waits before it comes back.
  response.write('retry: 2000\n\n');
  response.on('close', () => listening.close());
  response.on('error', () => undefined);
  pump(response, { ...following, listening }, tools).catch((error: unknown) => {
    if (!(error instanceof Refused)) tools.log.error({ error, workspace: workspace.name }, 'stream failed');
    response.destroy();
  });
}

/** Reads the log from a position, again at every hint, until the reader goes away or the API stops. */
async function pump(
  response: ServerResponse,
  { from, type, workspace, mayStay, listening }: Following & { listening: Listening },
  { store, sources, clock }: Tools,
): Promise<void> {
  let cursor = from;
  let spokenAt = clock.monotonic();
  while (!response.closed && !sources.ending.aborted) {
    // Every few seconds, and from memory: a stream lives no longer than its key.
    await mayStay();
    const page = await store.log.events({
      workspace: workspace.workspace,
      order: 'oldest-first',
      cursor,
      limit: CHUNK,
      type,
    });
    for (const row of page.rows) {
      const id = formatId('evt', workspace.token, row.event);
      response.write(`id: ${id}\nevent: event\ndata: ${oneLine(eventJson(row, workspace.token))}\n\n`);
    }
    cursor = page.cursor;
    if (page.rows.length > 0) spokenAt = clock.monotonic();
    if (response.writableLength > MAX_UNSENT && !(await isDrained(response, clock))) return void response.destroy();
    if (page.more) continue;
    await listening.hint();
    if (clock.monotonic() - spokenAt < HEARTBEAT_MS) continue;
    response.write(':\n\n');
    spokenAt = clock.monotonic();
  }
  response.end();
}

/** How long a reader may take to swallow what is unsent. */
const DRAIN_MS = 10_000;

function isDrained(response: ServerResponse, clock: Tools['clock']): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.after(DRAIN_MS, () => resolve(false));
    const end = (drained: boolean) => () => {
      timer.cancel();
      resolve(drained);
    };
    response.once('drain', end(true));
    response.once('close', end(false));
  });
}

function deliveryMessage(settled: SettledAttempt, { token }: Workspace): string {
  const message: StreamDeliveryOut = {
    delivery: deliveryId(token, settled),
    event: formatId('evt', token, settled.event),
    webhook: formatId('wh', token, settled.target),
    state: settled.state,
    attempt: settled.attempt,
    manual: settled.manual,
    at: instant(settled.startedAt),
    durationMs: settled.durationMs,
    status: settled.status,
    error: settled.error,
  };
  return `event: delivery\ndata: ${JSON.stringify(message)}\n\n`;
}

// Line breaks between the tokens of an envelope would end the message; inside its strings JSON knows none.
function oneLine(json: string): string {
  return /[\r\n]/.test(json) ? json.replace(/[\r\n]+/g, ' ') : json;
}
