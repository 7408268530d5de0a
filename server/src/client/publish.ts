// Events on their way out: structured, batched, or binary with the attributes as headers (CloudEvents 1.0, HTTP binding).
import type { Call } from './request.ts';

/** A CloudEvent to publish. What is left out of `id` and `specversion` is filled in; extensions are kept as they are. */
export interface NewEvent {
  id?: string;
  source: string;
  type: string;
  specversion?: '1.0';
  subject?: string;
  /** RFC 3339. */
  time?: string;
  datacontenttype?: string;
  dataschema?: string;
  data?: unknown;
  data_base64?: string;
  [extension: string]: unknown;
}

/** An event whose data are bytes, or text, that must arrive as they are: sent in binary mode. */
export interface RawEvent {
  attributes: Omit<NewEvent, 'data' | 'data_base64'>;
  data: Uint8Array | string;
}

/** What to send for an event. */
export function publishCall(event: NewEvent | readonly NewEvent[] | RawEvent): Pick<Call, 'body'> {
  if (Array.isArray(event)) return textCall('application/cloudevents-batch+json', (event as NewEvent[]).map(complete));
  if (isRaw(event)) return rawCall(event);
  return textCall('application/cloudevents+json', complete(event as NewEvent));
}

function textCall(mediaType: string, body: unknown): Pick<Call, 'body'> {
  return { body: { bytes: JSON.stringify(body), headers: { 'content-type': mediaType } } };
}

function isRaw(event: object): event is RawEvent {
  return 'attributes' in event && typeof event.attributes === 'object' && !('type' in event);
}

function rawCall({ attributes, data }: RawEvent): Pick<Call, 'body'> {
  const { datacontenttype = 'application/octet-stream', ...others } = complete(attributes as NewEvent);
  const headers: Record<string, string> = { 'content-type': datacontenttype };
  for (const [name, value] of Object.entries(others)) {
    if (value !== undefined && value !== null) headers[`ce-${name}`] = encodeHeader(`${value as string | number}`);
  }
  return { body: { bytes: data, headers } };
}

function complete(event: NewEvent): NewEvent {
  return { ...event, specversion: event.specversion ?? '1.0', id: event.id ?? randomId() };
}

// Not crypto.randomUUID(): browsers have that only on https.
function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Percent-encodes what a header value may not hold: space, `"`, `%` and everything outside U+0021 to U+007E. */
function encodeHeader(value: string): string {
  return value.replace(/[^\x21\x23\x24\x26-\x7e]+/g, (text) => encodeURIComponent(text));
}
