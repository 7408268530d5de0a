// Structured and batched mode: events as JSON objects, alone or in an array.
import { attributeFault, missingAttributes } from './attributes.ts';
import type { AttributeValue, Attributes } from './attributes.ts';
import { dataOf, publishedEvent } from './envelope.ts';
import type { PublishedEvent } from './envelope.ts';
import type { FaultList } from './faults.ts';
import { asBuffer, hasUniqueKeys, parseJson } from './json.ts';
import { MAX_BATCH_EVENTS, fitsDepth, fitsEvent } from './limits.ts';
import type { EventLimits } from './limits.ts';
import { arrayElements, escapePointer, memberNames, scanJson, trimSpan } from '../json-bytes.ts';
import type { Span } from '../json-bytes.ts';

/** Reads the one event of a body. The envelope is a view of it, without the white space around the object. */
export function decodeStructured(body: Uint8Array, limits: EventLimits, faults: FaultList): PublishedEvent[] {
  const { start, end } = trimSpan(body);
  const envelope = body.subarray(start, end);
  if (!fitsEvent(envelope.length, limits, faults)) return [];
  const { depth, members } = scanJson(envelope);
  if (!fitsDepth(depth, faults)) return [];
  const parsed = parseJson(body, 'The body', faults);
  if (parsed === undefined) return [];
  const event = eventFrom({ value: parsed.value, members, bytes: envelope }, faults);
  return event === undefined ? [] : [event];
}

/**
 * Reads the events of a body that holds a JSON array of them; an empty one is legal. Every fault of every event is
 * added with the event's index. Envelopes are copies: a view would keep the whole request in memory for as long as any
 * one of its events is queued.
 */
export function decodeBatch(body: Uint8Array, limits: EventLimits, faults: FaultList): PublishedEvent[] {
  const elements = arrayElements(body, MAX_BATCH_EVENTS + 1);
  if (elements.length > MAX_BATCH_EVENTS) {
    faults.add('batch-too-large', `A batch must not hold more than ${MAX_BATCH_EVENTS} events.`);
    return [];
  }
  // Before the parse, so that its work is bounded whatever the bytes are.
  for (const [index, { depth }] of elements.entries()) fitsDepth(depth, faults.at(index));
  if (elements.length === 0) fitsDepth(scanJson(body).depth, faults);
  const parsed = faults.isEmpty ? parseJson(body, 'The body', faults) : undefined;
  if (parsed === undefined) return [];
  if (!Array.isArray(parsed.value)) {
    faults.add('not-an-event', 'A batch must be a JSON array of events.');
    return [];
  }
  const events: PublishedEvent[] = [];
  for (const [index, { start, end, members }] of elements.entries()) {
    const own = faults.at(index);
    if (!fitsEvent(end - start, limits, own)) continue;
    const bytes = Buffer.from(asBuffer(body).subarray(start, end));
    const event = eventFrom({ value: parsed.value[index], members, bytes }, own);
    if (event !== undefined) events.push(event);
  }
  return events;
}

/** An event's JSON: parsed, with the members its bytes hold. */
type ParsedEvent = { value: unknown; members: number; bytes: Uint8Array };

function eventFrom(parsed: ParsedEvent, faults: FaultList): PublishedEvent | undefined {
  const { value, bytes } = parsed;
  const before = faults.all.length;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.add('not-an-event', 'An event must be a JSON object.');
    return undefined;
  }
  if (!hasUniqueKeys(parsed, faults)) return undefined;
  const members = value as Record<string, unknown>;
  const attributes = attributesFrom(members, bytes, faults);
  for (const { code, message, name } of missingAttributes(members)) faults.add(code, message, `/${name}`);
  checkData(members, faults);
  return faults.all.length === before ? publishedEvent(attributes, dataOf(members), bytes) : undefined;
}

function attributesFrom(
  members: Record<string, unknown>,
  bytes: Uint8Array,
  faults: FaultList,
): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  let numbers = false;
  for (const name of Object.keys(members)) {
    const value = members[name];
    if (value === null || name === 'data' || name === 'data_base64') continue;
    const fault = attributeFault(name, value);
    if (fault === undefined) attributes[name] = value as AttributeValue;
    else faults.add(fault.code, fault.message, `/${escapePointer(name)}`);
    numbers ||= typeof value === 'number';
  }
  if (numbers) checkWrittenNumbers(attributes, bytes, faults);
  return attributes;
}

/** JSON.parse gives 1.0 and 1e0 as 1, but an Integer has neither point nor exponent (JSON format section 2.2). */
function checkWrittenNumbers(attributes: Attributes, bytes: Uint8Array, faults: FaultList): void {
  for (const name of memberNames(bytes, hasPointOrExponent)) {
    if (typeof attributes[name] !== 'number') continue;
    faults.add('invalid-attribute', `The attribute ${name} must be written as a plain integer.`, `/${name}`);
  }
}

function hasPointOrExponent(bytes: Uint8Array, { start, end }: Span): boolean {
  const first = bytes[start] as number;
  if (first !== 0x2d && (first < 0x30 || first > 0x39)) return false;
  for (let at = start + 1; at < end; at++) {
    const byte = bytes[at] as number;
    if (byte < 0x30 || byte > 0x39) return true;
  }
  return false;
}

// RFC 4648 section 4, with padding: four characters for each three bytes.
const BASE64 = /^[A-Za-z\d+/]*={0,2}$/;

/** `data: null` is a payload (JSON format section 3.1.1), `data_base64: null` is none. */
function checkData(members: Record<string, unknown>, faults: FaultList): void {
  const base64 = members['data_base64'];
  if (base64 === undefined || base64 === null) return;
  if (members['data'] !== undefined) {
    faults.add('conflicting-data', 'The members data and data_base64 exclude each other.', '/data_base64');
  }
  if (typeof base64 !== 'string' || base64.length % 4 !== 0 || !BASE64.test(base64)) {
    faults.add('invalid-base64', 'The member data_base64 must be a string of Base64 with padding.', '/data_base64');
  }
}
