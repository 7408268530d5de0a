// From unknown bytes to events, or to every fault they have: the three content modes of the HTTP binding.
import { isUtf8 } from 'node:buffer';
import { REQUIRED_ATTRIBUTES, attributeFault } from './cloud-events-attributes.ts';
import type { AttributeValue } from './cloud-events-attributes.ts';
import { composeEnvelope, dataOf, publishedEvent } from './cloud-events-envelope.ts';
import type { PublishedEvent } from './cloud-events-envelope.ts';
import { FaultList } from './cloud-events-faults.ts';
import type { Fault } from './cloud-events-faults.ts';
import { decodeHeaderValue } from './cloud-events-headers.ts';
import { charset, essence, isJsonType, isTextType, isUtf8Charset } from './cloud-events-media.ts';
import {
  countMembers,
  duplicateKey,
  elementSpans,
  escapePointer,
  memberSpan,
  scanJson,
  trimSpan,
} from './json-bytes.ts';
import type { Span } from './json-bytes.ts';

/** Objects and arrays nest at most this deep, the event's own object counted. */
export const MAX_DEPTH = 128;

/** A batch holds at most this many events: one request must not hold up the others for long. */
export const MAX_BATCH_EVENTS = 10_000;

/** Limits in bytes: of one event as structured JSON, and of a request's body. */
export type EventLimits = { eventBytes: number; requestBytes: number };

/** 256 KiB per event, 4 MiB per request. */
export const DEFAULT_EVENT_LIMITS: EventLimits = { eventBytes: 256 * 1_024, requestBytes: 4 * 1_024 * 1_024 };

/** A request as node:http gives it: `rawHeaders` is name, value, name, value …, duplicates included. */
export type EventRequest = {
  contentType: string | undefined;
  rawHeaders: readonly string[];
  body: Uint8Array;
  limits: EventLimits;
};

/** What a request holds. Faults are all there are (up to `MAX_FAULTS`); one fault refuses the whole request. */
export type Decoded =
  | { ok: true; mode: 'structured' | 'binary' | 'batched'; events: PublishedEvent[] }
  | { ok: false; faults: Fault[] };

/**
 * Reads the events of a request by its content type: `application/cloudevents-batch+json`, `application/cloudevents+json`,
 * or `ce-` headers with any other type (CloudEvents 1.0.2, HTTP binding section 3). Never throws. Envelopes of
 * structured events are views of `body`, those of a batch are copies.
 */
export function decodeRequest(request: EventRequest): Decoded {
  const faults = new FaultList();
  const type = request.contentType === undefined ? '' : essence(request.contentType);
  checkHeaders(request.rawHeaders, faults);
  if (request.body.length > request.limits.requestBytes) {
    faults.add(null, 'request-too-large', `The body exceeds ${request.limits.requestBytes} bytes.`);
  }
  if (faults.faults.length > 0) return { ok: false, faults: faults.faults };
  if (type.startsWith('application/cloudevents')) return decodeFormat(type, request, faults);
  if (!request.rawHeaders.some((name, at) => at % 2 === 0 && isAttributeHeader(name))) {
    faults.add(null, 'unsupported-media-type', unsupported(request.contentType), 'content-type');
    return { ok: false, faults: faults.faults };
  }
  const event = decodeBinary(request, faults);
  return event === undefined ? { ok: false, faults: faults.faults } : { ok: true, mode: 'binary', events: [event] };
}

/** Structured and batched mode. The batch is tested first: its media type begins with that of a single event. */
function decodeFormat(type: string, request: EventRequest, faults: FaultList): Decoded {
  const batched = type === 'application/cloudevents-batch+json';
  const known = batched || type === 'application/cloudevents+json';
  if (!known || !isUtf8Charset(request.contentType as string)) {
    faults.add(null, 'unsupported-media-type', unsupported(request.contentType), 'content-type');
    return { ok: false, faults: faults.faults };
  }
  const events = batched ? decodeBatch(request, faults) : decodeStructured(request, faults);
  if (faults.faults.length > 0) return { ok: false, faults: faults.faults };
  return { ok: true, mode: batched ? 'batched' : 'structured', events };
}

function decodeStructured({ body, limits }: EventRequest, faults: FaultList): PublishedEvent[] {
  const span = trimSpan(body);
  if (!fitsEvent(span.end - span.start, limits, null, faults)) return [];
  const shape = scanJson(body);
  if (shape.depth > MAX_DEPTH) {
    faults.add(null, 'nested-too-deep', `The event nests deeper than ${MAX_DEPTH} levels.`);
    return [];
  }
  const json = parseJson(body, faults, 'The body');
  if (json === undefined) return [];
  if (countMembers(json.value) !== shape.members) {
    addDuplicateKey(body, span, null, faults);
    return [];
  }
  const event = eventFrom({ value: json.value, envelope: body.subarray(span.start, span.end), index: null }, faults);
  return event === undefined ? [] : [event];
}

function decodeBatch({ body, limits }: EventRequest, faults: FaultList): PublishedEvent[] {
  if (scanJson(body).depth > MAX_DEPTH + 1) {
    for (const [index, span] of elementSpans(body).entries()) {
      if (scanJson(body, span.start, span.end).depth <= MAX_DEPTH) continue;
      faults.add(index, 'nested-too-deep', `The event nests deeper than ${MAX_DEPTH} levels.`);
    }
    return [];
  }
  const json = parseJson(body, faults, 'The body');
  if (json === undefined) return [];
  if (!Array.isArray(json.value)) {
    faults.add(null, 'not-an-event', 'A batch must be a JSON array of events.');
    return [];
  }
  if (json.value.length > MAX_BATCH_EVENTS) {
    faults.add(null, 'batch-too-large', `A batch must not hold more than ${MAX_BATCH_EVENTS} events.`);
    return [];
  }
  const events: PublishedEvent[] = [];
  for (const [index, span] of elementSpans(body).entries()) {
    const value: unknown = json.value[index];
    if (!fitsEvent(span.end - span.start, limits, index, faults)) continue;
    if (countMembers(value) !== scanJson(body, span.start, span.end).members) {
      addDuplicateKey(body, span, index, faults);
      continue;
    }
    // Copied: a view would keep the whole request in memory for as long as any one of its events is queued.
    const envelope = Buffer.from(body.subarray(span.start, span.end));
    const event = eventFrom({ value, envelope, index }, faults);
    if (event !== undefined) events.push(event);
  }
  return events;
}

/** Checks one structured event. Its JSON is known to be well-formed, shallow and free of duplicate keys. */
function eventFrom(
  { value, envelope, index }: { value: unknown; envelope: Uint8Array; index: number | null },
  faults: FaultList,
): PublishedEvent | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.add(index, 'not-an-event', 'An event must be a JSON object.');
    return undefined;
  }
  const before = faults.faults.length;
  const members = value as Record<string, unknown>;
  const attributes: Record<string, AttributeValue> = {};
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (member === null || name === 'data' || name === 'data_base64') continue;
    const fault =
      attributeFault(name, member) ?? (typeof member === 'number' ? lexemeFault(envelope, name) : undefined);
    if (fault !== undefined) faults.add(index, fault.code, fault.message, `/${escapePointer(name)}`);
    else attributes[name] = member as AttributeValue;
  }
  checkRequired(members, index, faults, '/');
  checkData(members, index, faults);
  if (faults.faults.length > before || faults.full) return undefined;
  return publishedEvent(attributes, dataOf(members), envelope);
}

/** JSON.parse gives 1.0 and 1e0 as 1, but an Integer has neither point nor exponent (JSON format section 2.2). */
function lexemeFault(envelope: Uint8Array, name: string): { code: 'invalid-attribute'; message: string } | undefined {
  const span = memberSpan(envelope, name) as Span;
  for (let at = span.start; at < span.end; at++) {
    const byte = envelope[at] as number;
    if (byte === 0x2d || (byte >= 0x30 && byte <= 0x39)) continue;
    return { code: 'invalid-attribute', message: `The attribute ${name} must be written as a plain integer.` };
  }
  return undefined;
}

function checkRequired(given: Record<string, unknown>, index: number | null, faults: FaultList, prefix: string): void {
  for (const name of REQUIRED_ATTRIBUTES) {
    if (Object.hasOwn(given, name) && given[name] !== null) continue;
    faults.add(index, 'missing-attribute', `The required attribute ${name} is missing.`, prefix + name);
  }
}

// RFC 4648 section 4, padding required.
const BASE64 = /^(?:[A-Za-z\d+/]{4})*(?:[A-Za-z\d+/]{2}==|[A-Za-z\d+/]{3}=)?$/;

function checkData(members: Record<string, unknown>, index: number | null, faults: FaultList): void {
  const base64 = members['data_base64'];
  if (base64 === undefined || base64 === null) return;
  if (members['data'] !== undefined) {
    faults.add(index, 'conflicting-data', 'data and data_base64 exclude each other.', '/data_base64');
  }
  if (typeof base64 !== 'string' || !BASE64.test(base64)) {
    faults.add(index, 'invalid-base64', 'data_base64 must be a string of Base64 with padding.', '/data_base64');
  }
}

function decodeBinary(request: EventRequest, faults: FaultList): PublishedEvent | undefined {
  const { rawHeaders, body, contentType, limits } = request;
  if (!fitsEvent(body.length, limits, null, faults)) return undefined;
  const attributes = headerAttributes(rawHeaders, faults);
  if (contentType !== undefined && contentType !== '') {
    const fault = attributeFault('datacontenttype', contentType);
    if (fault !== undefined) faults.add(null, fault.code, fault.message, 'content-type');
    attributes['datacontenttype'] = contentType;
  }
  checkRequired(attributes, null, faults, 'ce-');
  const data = binaryData(body, contentType ?? '', faults);
  if (faults.faults.length > 0) return undefined;
  const envelope = composeEnvelope(attributes, data);
  if (!fitsEvent(envelope.length, limits, null, faults)) return undefined;
  return publishedEvent(attributes, data?.value, envelope);
}

function headerAttributes(rawHeaders: readonly string[], faults: FaultList): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const header = rawHeaders[at] as string;
    if (!isAttributeHeader(header)) continue;
    const pointer = header.toLowerCase();
    const name = pointer.slice(3);
    const value = decodeHeaderValue(rawHeaders[at + 1] as string);
    if (name === 'datacontenttype') {
      const message = 'In binary mode Content-Type is the datacontenttype; ce-datacontenttype must not be sent.';
      faults.add(null, 'invalid-attribute-name', message, pointer);
    } else if (value === undefined) {
      const message = `The header ${pointer} must be ASCII, its quotes closed and its percent-encoding valid UTF-8.`;
      faults.add(null, 'invalid-header-value', message, pointer);
    } else {
      const fault = attributeFault(name, value);
      if (fault !== undefined) faults.add(null, fault.code, fault.message, pointer);
      else attributes[name] = value;
    }
  }
  return attributes;
}

type BinaryData = { member: 'data' | 'data_base64'; json: Uint8Array | string; value: unknown };

/** An empty body is no data. JSON goes in as its bytes, text as a JSON string, everything else as Base64. */
function binaryData(body: Uint8Array, contentType: string, faults: FaultList): BinaryData | undefined {
  if (body.length === 0) return undefined;
  if (isJsonType(contentType)) {
    const shape = scanJson(body);
    if (shape.depth >= MAX_DEPTH) {
      faults.add(null, 'nested-too-deep', `The event nests deeper than ${MAX_DEPTH} levels.`);
      return undefined;
    }
    const json = parseJson(body, faults, `The Content-Type is ${essence(contentType)}, but the body`);
    if (json === undefined) return undefined;
    if (countMembers(json.value) !== shape.members) addDuplicateKey(body, trimSpan(body), null, faults);
    return { member: 'data', json: body, value: json.value };
  }
  const bytes = asBuffer(body);
  if (isTextType(contentType) && isUtf8(bytes)) {
    const text = bytes.toString();
    return { member: 'data', json: JSON.stringify(text), value: text };
  }
  return { member: 'data_base64', json: `"${bytes.toString('base64')}"`, value: body };
}

/** Parses strictly: UTF-8 without a byte order mark, one JSON value. Adds the fault when it is not. */
function parseJson(body: Uint8Array, faults: FaultList, subject: string): { value: unknown } | undefined {
  const bytes = asBuffer(body);
  if (!isUtf8(bytes)) {
    faults.add(null, 'invalid-utf8', `${subject} is not valid UTF-8.`);
    return undefined;
  }
  try {
    return { value: JSON.parse(bytes.toString()) };
  } catch (error) {
    const position = /position \d+/.exec((error as Error).message)?.[0];
    faults.add(null, 'invalid-json', `${subject} is not JSON${position === undefined ? '' : ` (see ${position})`}.`);
    return undefined;
  }
}

function addDuplicateKey(body: Uint8Array, span: Span, index: number | null, faults: FaultList): void {
  const pointer = duplicateKey(body, span) ?? '';
  faults.add(index, 'duplicate-key', `The key ${pointer} comes twice in its JSON object.`, pointer);
}

function fitsEvent(bytes: number, limits: EventLimits, index: number | null, faults: FaultList): boolean {
  if (bytes <= limits.eventBytes) return true;
  faults.add(index, 'event-too-large', `The event has ${bytes} bytes as JSON; the limit is ${limits.eventBytes}.`);
  return false;
}

/** Node joins or drops duplicate headers; here they are seen and refused, since two readers may choose differently. */
function checkHeaders(rawHeaders: readonly string[], faults: FaultList): void {
  const seen = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at] as string;
    if (!isAttributeHeader(header) && !isContentType(header)) continue;
    const name = header.toLowerCase();
    if (seen.has(name)) faults.add(null, 'duplicate-header', `The header ${name} comes twice.`, name);
    seen.add(name);
  }
}

function isAttributeHeader(name: string): boolean {
  return name[2] === '-' && (name[0] === 'c' || name[0] === 'C') && (name[1] === 'e' || name[1] === 'E');
}

function isContentType(name: string): boolean {
  return name.length === 12 && name.toLowerCase() === 'content-type';
}

function unsupported(contentType: string | undefined): string {
  if (contentType !== undefined && essence(contentType).startsWith('application/cloudevents')) {
    const what = isUtf8Charset(contentType) ? essence(contentType) : `the charset ${charset(contentType)}`;
    return `We read CloudEvents as JSON in UTF-8 (application/cloudevents+json), not ${what}.`;
  }
  const given = contentType === undefined ? 'without a Content-Type' : `as ${essence(contentType)}`;
  return (
    `A request ${given} and without ce- headers is no CloudEvent: send one event as application/cloudevents+json, ` +
    'several as application/cloudevents-batch+json, or add ce- headers for binary mode.'
  );
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
