// CloudEvents 1.0.2 over HTTP as a receiver reads them: structured, binary and batched.
import { bytesOfBase64, textOf } from './encoding.ts';
import { parseJson } from './json.ts';

/**
 * An event as it was sent. Extension attributes stand beside the standard ones under their own names; attributes that
 * were `null` are absent. `data` is what the sender put there, its nulls and unknown fields included: a JSON value, a
 * text (`text/…` in binary mode), or bytes (`data_base64`, any other content in binary mode).
 */
export interface CloudEvent<Data = unknown> {
  readonly specversion: '1.0';
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly datacontenttype?: string;
  readonly dataschema?: string;
  readonly subject?: string;
  /** RFC 3339, as sent. */
  readonly time?: string;
  readonly data?: Data;
  readonly [extension: string]: unknown;
}

/** How events travel in a request. */
export type Mode = 'structured' | 'binary' | 'batched';

/** One event, or why it is none. */
export type ParsedEvent =
  | { readonly ok: true; readonly event: CloudEvent }
  | { readonly ok: false; readonly reason: string };

/** A request that cannot be read at all: 400, or 415 where the format itself is not understood. */
export interface Unreadable {
  readonly ok: false;
  readonly status: 400 | 415;
  readonly reason: string;
}

/** The events of a request. One that is malformed does not spoil its companions in a batch. */
export type ParsedEvents =
  | { readonly ok: true; readonly mode: Mode; readonly events: readonly ParsedEvent[] }
  | Unreadable;

/** A request whose mode is known and whose JSON is parsed, before anybody asks whether it holds events. */
export type Document =
  | { readonly ok: true; readonly mode: 'structured' | 'batched'; readonly json: unknown }
  | { readonly ok: true; readonly mode: 'binary'; readonly headers: Headers; readonly data: unknown };

/**
 * Reads the events of a request, by the rules of CloudEvents 1.0.2 (JSON format, HTTP binding). Beyond them,
 * `application/json` is read as structured, or as a batch where the body is an array: senders label them so.
 */
export function parseCloudEvents(headers: Headers, body: Uint8Array): ParsedEvents {
  const document = readDocument(headers, body);
  return document.ok ? eventsOf(document) : document;
}

/** Why {@link readDocument} could not read this content at all, known before the body is; `undefined` where it could. */
export function unsupported(headers: Headers): Unreadable | undefined {
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') return notUnderstood(`content encoding ${encoding}`);
  if (modeOf(headers) !== undefined) return undefined;
  const type = headers.get('content-type');
  return notUnderstood(type ? `content type ${type}` : 'a body without a content type');
}

function notUnderstood(what: string): Unreadable {
  const instead = 'application/json, application/cloudevents+json or application/cloudevents-batch+json in UTF-8';
  return { ok: false, status: 415, reason: `${what} is not understood: send ${instead}, or binary mode` };
}

/** The first half of {@link parseCloudEvents}: mode and JSON. */
export function readDocument(headers: Headers, body: Uint8Array): Document | Unreadable {
  const unreadable = unsupported(headers);
  if (unreadable) return unreadable;
  const mode = modeOf(headers);
  if (mode === 'binary') return readBinary(headers, body);
  const json = parseJson(body);
  if (!json.ok) return { ok: false, status: 400, reason: json.fault };
  const batched = mode === 'batched' || (mode === 'json' && Array.isArray(json.value));
  if (batched !== Array.isArray(json.value)) {
    return { ok: false, status: 400, reason: `the body must be a JSON ${batched ? 'array' : 'object'}` };
  }
  return { ok: true, mode: batched ? 'batched' : 'structured', json: json.value };
}

/** The second half of {@link parseCloudEvents}: events out of a document. */
export function eventsOf(document: Document): ParsedEvents {
  if (document.mode === 'batched') {
    return { ok: true, mode: 'batched', events: (document.json as unknown[]).map(eventOfJson) };
  }
  const event = document.mode === 'binary' ? eventOfHeaders(document) : eventOfJson(document.json);
  if (!event.ok) return { ok: false, status: 400, reason: event.reason };
  return { ok: true, mode: document.mode, events: [event] };
}

function modeOf(headers: Headers): Mode | 'json' | undefined {
  const { essence, charset } = mediaTypeOf(headers.get('content-type') ?? '');
  // The longer name first: the batch format's begins with the single one's.
  if (essence.startsWith('application/cloudevents-batch')) {
    return essence === 'application/cloudevents-batch+json' && isUtf8(charset) ? 'batched' : undefined;
  }
  if (essence.startsWith('application/cloudevents')) {
    return essence === 'application/cloudevents+json' && isUtf8(charset) ? 'structured' : undefined;
  }
  if (headers.has('ce-specversion')) return 'binary';
  return essence === 'application/json' && isUtf8(charset) ? 'json' : undefined;
}

/** A media type in lower case, and its charset. */
export function mediaTypeOf(contentType: string): { essence: string; charset: string } {
  const [essence = '', ...parameters] = contentType.toLowerCase().split(';');
  const charset = parameters.map((text) => /^\s*charset\s*=\s*"?([^"\s]*)"?\s*$/.exec(text)?.[1]).find(Boolean);
  return { essence: essence.trim(), charset: charset ?? 'utf-8' };
}

/** Is it UTF-8, or left out? */
export function isUtf8(charset: string): boolean {
  return charset === 'utf-8' || charset === 'utf8' || charset === 'us-ascii';
}

// Structured mode.

function eventOfJson(json: unknown): ParsedEvent {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return malformed('an event is a JSON object');
  const { data, data_base64: base64, ...attributes } = json as Record<string, unknown>;
  const event: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) continue;
    const fault = attributeFault(name, value);
    if (fault) return malformed(fault);
    event[name] = value;
  }
  if (base64 !== undefined && base64 !== null) {
    if (data !== undefined && data !== null) return malformed('data and data_base64 exclude each other');
    const bytes = typeof base64 === 'string' ? bytesOfBase64(base64) : undefined;
    if (bytes === undefined) return malformed('data_base64 is not base64');
    event.data = bytes;
  } else if (data !== undefined) {
    event.data = data;
  }
  return checked(event);
}

// Binary mode.

function readBinary(headers: Headers, body: Uint8Array): Document | Unreadable {
  const { essence } = mediaTypeOf(headers.get('content-type') ?? '');
  if (body.length === 0) return { ok: true, mode: 'binary', headers, data: undefined };
  if (/^(application|text)\/([^/]+\+)?json$/.test(essence)) {
    const json = parseJson(body);
    return json.ok
      ? { ok: true, mode: 'binary', headers, data: json.value }
      : { ok: false, status: 400, reason: json.fault };
  }
  const text = essence.startsWith('text/') ? textOf(body) : undefined;
  return { ok: true, mode: 'binary', headers, data: text ?? body };
}

function eventOfHeaders({ headers, data }: Document & { mode: 'binary' }): ParsedEvent {
  const event: Record<string, unknown> = {};
  for (const [header, encoded] of headers) {
    if (!header.startsWith('ce-')) continue;
    const name = header.slice(3);
    if (name === 'data' || name === 'datacontenttype') return malformed(`${header} is not a header of binary mode`);
    const value = headerText(encoded);
    if (value === undefined) return malformed(`${header} is not percent-encoded UTF-8`);
    const fault = attributeFault(name, value);
    if (fault) return malformed(fault);
    event[name] = value;
  }
  const contentType = headers.get('content-type');
  if (contentType) event.datacontenttype = contentType;
  if (data !== undefined) event.data = data;
  return checked(event);
}

/** HTTP binding 3.1.3.2: un-quote, then percent-decode once. Overlong and invalid UTF-8 decode to nothing. */
function headerText(encoded: string): string | undefined {
  const quoted = /^"((?:[^"\\]|\\.)*)"$/.exec(encoded)?.[1];
  const text = quoted === undefined ? encoded : quoted.replaceAll(/\\(.)/g, '$1');
  if (!/^[ -~]*$/.test(text)) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

// Both.

// Control characters, unpaired surrogates, noncharacters: what a CloudEvents String must not contain.
const forbidden = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

function attributeFault(name: string, value: unknown): string | undefined {
  if (!/^[a-z0-9]+$/.test(name))
    return `${JSON.stringify(name)} is not an attribute name: lower-case letters and digits`;
  if (typeof value === 'string') {
    return forbidden.test(value) ? `${name} contains a control character, a noncharacter or half a pair` : undefined;
  }
  if (typeof value === 'boolean' || (Number.isInteger(value) && (value as number) === ((value as number) | 0))) {
    return undefined;
  }
  return `${name} is neither a string, a boolean nor a 32-bit integer`;
}

function checked(event: Record<string, unknown>): ParsedEvent {
  for (const name of ['id', 'source', 'type']) {
    if (typeof event[name] !== 'string' || event[name] === '') return malformed(`${name} is missing or not a text`);
  }
  if (event.specversion !== '1.0') return malformed('specversion must be "1.0"');
  for (const name of ['datacontenttype', 'dataschema', 'subject', 'time']) {
    if (event[name] !== undefined && (typeof event[name] !== 'string' || event[name] === '')) {
      return malformed(`${name} must be a text that is not empty`);
    }
  }
  if (event.time !== undefined && !isDateTime(event.time as string)) return malformed('time is not RFC 3339');
  return { ok: true, event: event as unknown as CloudEvent };
}

function isDateTime(text: string): boolean {
  const parts = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:Z|[+-](\d\d):(\d\d))$/i
    .exec(text)
    ?.slice(1)
    .map(Number);
  if (parts === undefined) return false;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, offsetHour = 0, offsetMinute = 0] = parts;
  const lastDay = new Date(Date.UTC(2000 + (year % 400), month, 0)).getUTCDate();
  const isDay = month >= 1 && month <= 12 && day >= 1 && day <= lastDay;
  // Second 60 is a leap second.
  return isDay && hour < 24 && minute < 60 && second <= 60 && !(offsetHour > 23) && !(offsetMinute > 59);
}

function malformed(reason: string): ParsedEvent & { ok: false } {
  return { ok: false, reason };
}
