// The envelope: an event as one structured-mode JSON object in UTF-8, the form in which it is stored and forwarded.
import type { AttributeValue, Attributes } from './attributes.ts';
import { asBuffer } from './json.ts';
import { encodeHeaderValue } from './headers.ts';
import { memberSpan } from '../json-bytes.ts';
import type { Span } from '../json-bytes.ts';
import { DEFAULT_DATA_CONTENT_TYPE, isJsonType } from './media.ts';

/** One event, checked, as publishers sent it and subscribers get it. */
export type PublishedEvent = {
  source: string;
  id: string;
  type: string;
  subject: string | null;
  /** The RFC 3339 text as sent. */
  time: string | null;
  /** All context attributes, specversion and extensions included, without those that were null. */
  attributes: Attributes;
  /** The JSON value; for text its string, for binary data its bytes; undefined when the event carries no data. */
  data: unknown;
  /** The event as structured JSON: exactly the bytes sent, or composed by us when it came in binary mode. */
  envelope: Uint8Array;
};

/** A header as [name, value], the name in lower case. */
export type Header = [name: string, value: string];

/** An event to be made by us: the attributes, and `data` (any JSON value, or bytes, which become `data_base64`). */
export type EventToCompose = {
  specversion: '1.0';
  id: string;
  source: string;
  type: string;
  [attribute: string]: unknown;
};

/** Puts attributes, data and envelope together. The attributes have been checked. */
export function publishedEvent(attributes: Attributes, data: unknown, envelope: Uint8Array): PublishedEvent {
  return {
    source: attributes['source'] as string,
    id: attributes['id'] as string,
    type: attributes['type'] as string,
    subject: (attributes['subject'] as string | undefined) ?? null,
    time: (attributes['time'] as string | undefined) ?? null,
    attributes,
    data,
    envelope,
  };
}

/** Reads an envelope back from the store. It was checked when it came in, so nothing is checked again. */
export function readEnvelope(envelope: Uint8Array): PublishedEvent {
  const members = JSON.parse(asBuffer(envelope).toString()) as Record<string, unknown>;
  const attributes: Record<string, AttributeValue> = {};
  for (const name of Object.keys(members)) {
    const value = members[name];
    if (value !== null && name !== 'data' && name !== 'data_base64') attributes[name] = value as AttributeValue;
  }
  return publishedEvent(attributes, dataOf(members), envelope);
}

/** The data of a parsed envelope: bytes for `data_base64`, otherwise the value of `data`. */
export function dataOf(members: Record<string, unknown>): unknown {
  const base64 = members['data_base64'];
  return typeof base64 === 'string' ? Buffer.from(base64, 'base64') : members['data'];
}

/** Where the bytes of `data` lie in an envelope; undefined when it has none (or has `data_base64` instead). */
export function dataSpan(envelope: Uint8Array): Span | undefined {
  return memberSpan(envelope, 'data');
}

/**
 * Composes the envelope of an event we make ourselves (a challenge, a test). Members keep the order given; those that
 * are undefined are left out. The caller vouches for the attributes.
 */
export function composeEvent(event: EventToCompose): Uint8Array {
  const { data } = event;
  if (!(data instanceof Uint8Array)) return Buffer.from(JSON.stringify(event));
  return Buffer.from(JSON.stringify({ ...event, data: undefined, data_base64: asBuffer(data).toString('base64') }));
}

/** The data member of an envelope to be composed; `json` is the text of its value, put in verbatim. */
export type EnvelopeData = { member: 'data' | 'data_base64'; json: Uint8Array | string };

/** Composes the envelope of an event that came in binary mode. */
export function composeEnvelope(attributes: Attributes, data?: EnvelopeData): Uint8Array {
  const head = JSON.stringify(attributes);
  if (data === undefined) return Buffer.from(head);
  const opened = Buffer.from(`${head.slice(0, -1)},"${data.member}":`);
  const json = typeof data.json === 'string' ? Buffer.from(data.json) : data.json;
  return Buffer.concat([opened, json, Buffer.from('}')]);
}

/**
 * An envelope in binary mode: attributes as `ce-` headers, percent-encoded; the data as the body. JSON data goes out
 * as the very bytes that came in (white space around the value is no part of it). Data without a content type is sent
 * as application/json, which it implies (JSON format section 3.1.2).
 */
export function encodeBinary(envelope: Uint8Array): { headers: Header[]; body: Uint8Array } {
  const members = JSON.parse(asBuffer(envelope).toString()) as Record<string, unknown>;
  const headers: Header[] = [];
  for (const name of Object.keys(members)) {
    const value = members[name] as AttributeValue | null;
    if (value === null || name === 'data' || name === 'data_base64' || name === 'datacontenttype') continue;
    headers.push([`ce-${name}`, encodeHeaderValue(String(value))]);
  }
  const stated = members['datacontenttype'] as string | null | undefined;
  const implied = Object.hasOwn(members, 'data') && typeof members['data_base64'] !== 'string';
  const contentType = stated ?? (implied ? DEFAULT_DATA_CONTENT_TYPE : undefined);
  if (contentType !== undefined) headers.push(['content-type', contentType]);
  return { headers, body: binaryBody(envelope, members, contentType) };
}

/** A batch (JSON format section 4): the envelopes, unchanged, in one JSON array. */
export function encodeBatch(envelopes: readonly Uint8Array[]): Uint8Array {
  const parts: Uint8Array[] = [];
  for (const envelope of envelopes) parts.push(parts.length === 0 ? OPEN : COMMA, envelope);
  return Buffer.concat(parts.length === 0 ? [OPEN, CLOSE] : [...parts, CLOSE]);
}

const OPEN = Buffer.from('[');
const COMMA = Buffer.from(',');
const CLOSE = Buffer.from(']');

function binaryBody(envelope: Uint8Array, members: Record<string, unknown>, contentType?: string): Uint8Array {
  const data = dataOf(members);
  if (data === undefined) return Buffer.alloc(0);
  if (data instanceof Uint8Array) return data;
  if (typeof data === 'string' && contentType !== undefined && !isJsonType(contentType)) return Buffer.from(data);
  const span = dataSpan(envelope) as Span;
  return envelope.subarray(span.start, span.end);
}
