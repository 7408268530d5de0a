// Publishing: unknown bytes become events, are checked against the catalog, and are accepted in one commit (R53, R125).
//
//   bytes ─▶ decode ─▶ each event: type known? may the key? schema? ─▶ store.accept ─▶ 202, said after the commit
//            400, 413, 415          422         403      422           └ stale: the catalog moved, check again
import { Type } from 'typebox';
import type { Catalog, EventType } from '../model/catalog.ts';
import {
  decodeRequest,
  faultStatus,
  MAX_BATCH_EVENTS,
  type Fault,
  type PublishedEvent,
} from '../model/cloud-events/index.ts';
import { formatId } from '../model/ids.ts';
import { isOperational, OPERATIONAL_SOURCE } from '../model/operational-events.ts';
import { didYouMean } from '../model/near-names.ts';
import { problemCodes, problemOf, Refused, refuse, type ProblemFault } from '../model/problem.ts';
import { readTraceContext } from '../model/trace-context.ts';
import type { Accepted, AcceptResult, NewEvent, Publish } from '../store/contract.ts';
import type { Tracer } from '../tracing/index.ts';
import { traceAccept } from './accept-trace.ts';
import { CLOUD_EVENT, CloudEvent, type PublishOut } from './events.ts';
import { operation, type Tools } from './kernel.ts';
import type { SchemaFault } from './payload-schema/index.ts';

/** How often events are checked again because the catalog moved meanwhile. */
const CHECKS = 5;

/** Faults that are listed. */
const MAX_FAULTS = 1_000;
/** Unknown types of one request that are compared with the catalog: who mistypes, mistypes few. */
const MAX_HINTS = 3;

export const publish = operation<CloudEvent, PublishOut>()({
  summary: 'Publish one event or a batch (CloudEvents 1.0)',
  description:
    'Structured, batched, or binary (`ce-` headers). 202 means: the events and all their deliveries are committed. One bad event refuses the whole batch, every fault is listed by index. An event whose (source, id) was accepted before gets the first answer again.',
  success: { 202: 'Committed.' },
  consumes: {
    'application/cloudevents+json': CloudEvent,
    'application/cloudevents-batch+json': Type.Array(CloudEvent, {
      maxItems: MAX_BATCH_EVENTS,
      examples: [[CLOUD_EVENT]],
    }),
    '*/*': Type.Unknown({ description: 'Binary mode: the data as it is, the attributes as `ce-` headers.' }),
  },
  quiet: true,
  errors: ['unknown-type', 'foreign-type', 'schema-mismatch', 'schema-timeout', 'over-quota'],
  async handle(call, tools) {
    const decoded = decodeRequest({
      contentType: call.header('content-type'),
      rawHeaders: call.rawHeaders,
      body: call.bytes,
      limits: tools.config.limits,
    });
    if (!decoded.ok) throw refusedBytes(decoded.faults);
    if (decoded.events.length === 0) return { status: 202, body: { accepted: [] } };
    const { workspace } = call.workspace;
    call.tell({ events: decoded.events.length });
    const publisher = {
      workspace,
      service: call.key.service,
      isBatch: decoded.mode === 'batched',
      trace: call.trace,
      now: call.now,
    };
    return { status: 202, body: await acceptEvents(decoded.events, publisher, tools) };
  },
});

/** Who publishes, and how. */
export interface Publisher {
  workspace: number;
  /** The service the key is bound to, or null. */
  service: string | null;
  /** Faults of a batch say which event they are about. */
  isBatch: boolean;
  /** The trace context of the publish, or null: that of its events, unless they bring their own. */
  trace: string | null;
  now: number;
}

/** What accepting stands on. */
export type Accepting = Pick<Tools, 'store' | 'schemas' | 'log' | 'tracer'>;

/** Checks events against the catalog and accepts them in one commit. Throws a {@link Refused}. */
export async function acceptEvents(
  events: readonly PublishedEvent[],
  { workspace, service, isBatch, trace, now }: Publisher,
  tools: Accepting,
): Promise<PublishOut> {
  const { settings, log } = tools.store;
  for (let checks = 0; checks < CHECKS; checks++) {
    const catalog = await settings.catalog(workspace);
    if (catalog === null) break;
    const checked = await checkEvents(events, { catalog, service, isBatch }, tools);
    const result = await accept(log, { catalog, events: checked, acceptedAt: now, trace }, tools.tracer);
    switch (result.kind) {
      case 'accepted':
        return { accepted: result.accepted.map((one, at) => show(one, checked[at], catalog)) };
      case 'over-quota':
        throw overQuota(result, now);
      case 'stale':
        continue;
      case 'gone':
        break;
    }
    throw refuse('unknown-workspace', 'The workspace was deleted.');
  }
  throw refuse('unavailable', 'The catalog is changing too fast; send it again.', { 'retry-after': '1' });
}

async function accept(
  log: Pick<Tools['store']['log'], 'accept'>,
  publish: Publish,
  tracer: Tracer | null,
): Promise<AcceptResult> {
  const traced = traceAccept(publish, tracer);
  try {
    const result = await log.accept(publish);
    traced?.end(result);
    return result;
  } catch (error) {
    traced?.fail(error as Error);
    throw error;
  }
}

/** What checking an event may find. */
interface Against {
  catalog: Catalog;
  /** The service the key is bound to, or null. */
  service: string | null;
  /** Faults of a batch say which event they are about. */
  isBatch: boolean;
}

/** The events as the store takes them. Refuses with every fault of all of them. */
async function checkEvents(events: readonly PublishedEvent[], against: Against, tools: Accepting): Promise<NewEvent[]> {
  const checked: NewEvent[] = [];
  const faults: ProblemFault[] = [];
  const unknownType = unknownTypes(against.catalog);
  for (const [at, event] of events.entries()) {
    const index = against.isBatch ? { index: at } : {};
    const type = against.catalog.types.get(event.type);
    const fault = reserved(event) ?? (type === undefined ? unknownType(event) : foreignType(type, against.service));
    if (fault !== null || type === undefined) {
      if (fault !== null && faults.length < MAX_FAULTS) faults.push({ ...index, ...fault });
      continue;
    }
    const found = type.schemaCheck === 'off' ? null : await applySchema(type, event, tools);
    if (found !== null && type.schemaCheck === 'block') {
      if (found.code !== 'mismatch') throw undecided(found, { ...index, type }, tools);
      if (faults.length < MAX_FAULTS) faults.push({ ...index, ...mismatch(found) });
      continue;
    }
    checked.push({
      source: event.source,
      id: event.id,
      type: event.type,
      attributes: event.attributes,
      data: event.data,
      envelope: event.envelope,
      note: found === null ? null : noteOf(found),
      trace: readTraceContext(event.attributes['traceparent'], event.attributes['tracestate']),
    });
  }
  if (faults.length > 0) throw new Refused(problemOf(faults));
  return checked;
}

async function applySchema(
  type: EventType,
  event: PublishedEvent,
  { schemas }: Accepting,
): Promise<SchemaFault | null> {
  if (type.schema === null || type.schemaHash === null) return null;
  return schemas.check({ hash: type.schemaHash, text: type.schema }, event.data);
}

/** The fault of an unknown type. A hint is looked for once per type, for the first few: it reads the whole catalog. */
function unknownTypes({ types }: Catalog): (event: PublishedEvent) => ProblemFault {
  const hints = new Map<string, string>();
  return ({ type }) => {
    if (!hints.has(type) && hints.size < MAX_HINTS) hints.set(type, didYouMean(type, types.keys()));
    const detail = `There is no event type "${type}" in the catalog${hints.get(type) || '.'}`;
    return { pointer: '/type', code: 'unknown-type', detail };
  };
}

// What Bellwire says of itself nobody else may say, nor take the ids of it.
function reserved({ type, source }: PublishedEvent): ProblemFault | null {
  if (isOperational(type)) {
    return { pointer: '/type', code: 'foreign-type', detail: `Types that begin with "bellwire." are Bellwire’s own.` };
  }
  if (source !== OPERATIONAL_SOURCE) return null;
  return { pointer: '/source', code: 'foreign-type', detail: 'The source "bellwire" is Bellwire’s own.' };
}

function foreignType({ type, service }: EventType, bound: string | null): ProblemFault | null {
  if (bound === null || bound === service) return null;
  return { pointer: '/type', code: 'foreign-type', detail: `The key is bound to ${bound}; ${type} is not its type.` };
}

function mismatch({ pointer, message }: SchemaFault): ProblemFault {
  const place = cut(`/data${pointer}`);
  return { pointer: place, code: 'schema-mismatch', detail: `${place.slice(1)} ${cut(message)}.` };
}

/**
 * A check without a verdict says nothing about the data, so it is no fault of the publisher's: whoever drops what is
 * answered 422 would lose a good event to a busy machine. What misses its deadline every time has a code of its own, by
 * which a publisher can tell that asking again is in vain.
 */
function undecided(found: SchemaFault, of: { index?: number; type: EventType }, { log }: Accepting): Refused {
  const { type, ...index } = of;
  if (found.code === 'failed') log.error({ type: type.type, words: found.message }, 'a schema cannot be applied');
  const code = found.code === 'deadline' ? 'schema-timeout' : 'unavailable';
  const detail = `Nothing was stored: of the type ${type.type}, ${cut(found.message)}.`;
  return new Refused(problemOf([{ ...index, pointer: '/data', code, detail }]), { 'retry-after': '1' });
}

// A pointer holds names out of the data: what no text column takes is replaced, and what is endless cut.
function noteOf({ pointer, message }: SchemaFault): string {
  // oxlint-disable-next-line no-control-regex
  return `${cut(`data${pointer}`)} ${cut(message)}`.toWellFormed().replace(/[\0-\x1f\x7f]/g, '\ufffd');
}

function cut(text: string): string {
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

function show(accepted: Accepted, event: NewEvent | undefined, { token }: Catalog): PublishOut['accepted'][number] {
  const { id, source, duplicate } = accepted;
  const shown = { id, source, event: formatId('evt', token, accepted.event), duplicate };
  return event === undefined || event.note === null || duplicate ? shown : { ...shown, note: event.note };
}

/** The codec's faults as a problem: the status is that of the gravest, the words those of the first of that status. */
function refusedBytes(found: readonly Fault[]): Refused {
  const faults = found.map(({ index, pointer, code, message }): ProblemFault => {
    return {
      ...(index === null ? {} : { index }),
      ...(pointer === undefined ? {} : { pointer }),
      code,
      detail: message,
    };
  });
  const status = faultStatus(found);
  const telling = faults.find(({ code }) => problemCodes[code].status === status) as ProblemFault;
  return new Refused(problemOf(faults, telling.code, telling));
}

function overQuota({ what, limit, resetAt }: { what: string; limit: number; resetAt: number }, now: number): Refused {
  const detail = `The workspace may publish ${limit} ${what} per day; more from ${new Date(resetAt).toISOString()}.`;
  return refuse('over-quota', detail, { 'retry-after': String(Math.max(1, Math.ceil((resetAt - now) / 1_000))) });
}
