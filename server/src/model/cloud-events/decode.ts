// The door of the codec: tells the content modes apart and answers with the events, or with every fault they have.
import { decodeBinary, isAttributeHeader } from './binary.ts';
import type { BinaryRequest } from './binary.ts';
import type { PublishedEvent } from './envelope.ts';
import { FaultList } from './faults.ts';
import type { Fault } from './faults.ts';
import type { EventLimits } from './limits.ts';
import { charset, essence, isUtf8Charset } from './media.ts';
import { decodeBatch, decodeStructured } from './structured.ts';

/** A request as node:http gives it: `rawHeaders` is name, value, name, value …, duplicates included. */
export type EventRequest = BinaryRequest & { limits: EventLimits };

/** What a request holds. Faults are all there are (up to 1,000); a single one refuses the whole request. */
export type Decoded =
  | { ok: true; mode: 'structured' | 'binary' | 'batched'; events: PublishedEvent[] }
  | { ok: false; faults: Fault[] };

/**
 * Reads the events of a request (CloudEvents 1.0.2, HTTP binding section 3): a batch when the content type is
 * `application/cloudevents-batch+json`, one event when it is `application/cloudevents+json`, binary mode when it is
 * anything else and some header begins with `ce-`. Never throws. The envelope of a structured event is a view of
 * `body`, all others are bytes of their own.
 */
export function decodeRequest(request: EventRequest): Decoded {
  const faults = new FaultList();
  const { contentType, body, limits } = request;
  const binary = checkHeaders(request.rawHeaders, faults);
  if (body.length > limits.requestBytes) {
    faults.add('request-too-large', `The body has ${body.length} bytes; the limit is ${limits.requestBytes}.`);
  }
  if (!faults.isEmpty) return { ok: false, faults: faults.all };
  const mode = modeOf(contentType, binary);
  let events: PublishedEvent[] = [];
  if (mode === undefined) {
    faults.add('unsupported-media-type', unsupported(contentType), 'content-type');
  } else if (mode === 'binary') {
    const event = decodeBinary(request, limits, faults);
    if (event !== undefined) events = [event];
  } else {
    events = (mode === 'batched' ? decodeBatch : decodeStructured)(body, limits, faults);
  }
  return mode !== undefined && faults.isEmpty ? { ok: true, mode, events } : { ok: false, faults: faults.all };
}

/** The batch is tested first: its media type begins with that of a single event. */
function modeOf(contentType: string | undefined, binary: boolean): 'structured' | 'binary' | 'batched' | undefined {
  const type = contentType === undefined ? '' : essence(contentType);
  if (!type.startsWith('application/cloudevents')) return binary ? 'binary' : undefined;
  if (!isUtf8Charset(contentType as string)) return undefined;
  if (type === 'application/cloudevents-batch+json') return 'batched';
  return type === 'application/cloudevents+json' ? 'structured' : undefined;
}

/**
 * True when some header carries an attribute. Node joins or drops duplicate headers; here they are seen and refused,
 * since two readers of the same request may choose differently.
 */
function checkHeaders(rawHeaders: readonly string[], faults: FaultList): boolean {
  const seen: string[] = [];
  let binary = false;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const header = rawHeaders[at] as string;
    const attribute = isAttributeHeader(header);
    if (!attribute && !isContentType(header)) continue;
    binary ||= attribute;
    const name = header.toLowerCase();
    if (seen.includes(name)) faults.add('duplicate-header', `The header ${name} comes twice.`, name);
    seen.push(name);
  }
  return binary;
}

function isContentType(name: string): boolean {
  return name.length === 'content-type'.length && name.toLowerCase() === 'content-type';
}

function unsupported(contentType: string | undefined): string {
  const type = contentType === undefined ? '' : essence(contentType).slice(0, 100);
  if (type.startsWith('application/cloudevents')) {
    const given = isUtf8Charset(contentType as string) ? type : `the charset ${charset(contentType as string)}`;
    return `CloudEvents are read as JSON in UTF-8 (application/cloudevents+json, one or -batch), not as ${given}.`;
  }
  return (
    `A request ${type === '' ? 'without a Content-Type' : `with the Content-Type ${type}`} and without ce- headers is ` +
    'no CloudEvent: send one event as application/cloudevents+json, several as application/cloudevents-batch+json, ' +
    'or the data alone with its attributes in ce- headers.'
  );
}
