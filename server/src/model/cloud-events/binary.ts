// Binary mode: attributes in ce- headers, the data as the body, Content-Type as its datacontenttype.
import { isUtf8 } from 'node:buffer';
import { attributeFault, missingAttributes } from './attributes.ts';
import type { AttributeValue } from './attributes.ts';
import { composeEnvelope, publishedEvent } from './envelope.ts';
import type { EnvelopeData, PublishedEvent } from './envelope.ts';
import type { FaultList } from './faults.ts';
import { decodeHeaderValue } from './headers.ts';
import { asBuffer, hasUniqueKeys, parseJson } from './json.ts';
import { fitsDepth, fitsEvent } from './limits.ts';
import type { EventLimits } from './limits.ts';
import { essence, isJsonType, isTextType } from './media.ts';
import { scanJson } from '../json-bytes.ts';

/** True for a header that carries an attribute in binary mode. */
export function isAttributeHeader(name: string): boolean {
  return name[2] === '-' && (name[0] === 'c' || name[0] === 'C') && (name[1] === 'e' || name[1] === 'E');
}

/** A request in binary mode; `rawHeaders` as node:http gives them, known to name no attribute twice. */
export type BinaryRequest = { contentType: string | undefined; rawHeaders: readonly string[]; body: Uint8Array };

/** Reads the event of a request in binary mode and composes its envelope. */
export function decodeBinary(
  { contentType, rawHeaders, body }: BinaryRequest,
  limits: EventLimits,
  faults: FaultList,
): PublishedEvent | undefined {
  if (!fitsEvent(body.length, limits, faults)) return undefined;
  const attributes = attributesFrom(rawHeaders, faults);
  for (const { code, message, name } of missingAttributes(attributes)) {
    // An attribute that is there but wrong has its own fault already.
    if (!faults.all.some((fault) => fault.pointer === `ce-${name}`)) faults.add(code, message, `ce-${name}`);
  }
  if (contentType !== undefined) {
    const fault = attributeFault('datacontenttype', contentType);
    if (fault !== undefined) faults.add(fault.code, fault.message, 'content-type');
    attributes['datacontenttype'] = contentType;
  }
  const data = dataFrom(body, contentType ?? '', faults);
  if (!faults.isEmpty) return undefined;
  const envelope = composeEnvelope(attributes, data);
  return fitsEvent(envelope.length, limits, faults) ? publishedEvent(attributes, data?.value, envelope) : undefined;
}

function attributesFrom(rawHeaders: readonly string[], faults: FaultList): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const header = rawHeaders[at] as string;
    if (!isAttributeHeader(header)) continue;
    const pointer = header.toLowerCase();
    const name = pointer.slice('ce-'.length);
    const value = decodeHeaderValue(rawHeaders[at + 1] as string);
    if (name === 'datacontenttype') {
      const message = 'In binary mode Content-Type is the datacontenttype; ce-datacontenttype must not be sent.';
      faults.add('invalid-attribute-name', message, pointer);
    } else if (value === undefined) {
      const message = `The header ${pointer} must be ASCII, with quotes closed and percent-encoding that is UTF-8.`;
      faults.add('invalid-header-value', message, pointer);
    } else {
      const fault = attributeFault(name, value);
      if (fault === undefined) attributes[name] = value;
      else faults.add(fault.code, fault.message, pointer);
    }
  }
  return attributes;
}

/** An empty body is no data. JSON goes in as its bytes, text as a JSON string, everything else as Base64. */
function dataFrom(
  body: Uint8Array,
  contentType: string,
  faults: FaultList,
): (EnvelopeData & { value: unknown }) | undefined {
  if (body.length === 0) return undefined;
  if (isJsonType(contentType)) {
    const { depth, members } = scanJson(body);
    if (!fitsDepth(depth + 1, faults)) return undefined;
    const parsed = parseJson(body, `The Content-Type is ${essence(contentType)}, but the body`, faults);
    if (parsed === undefined) return undefined;
    hasUniqueKeys({ value: parsed.value, members, bytes: body }, faults);
    return { member: 'data', json: body, value: parsed.value };
  }
  const bytes = asBuffer(body);
  if (isTextType(contentType) && isUtf8(bytes)) {
    const text = bytes.toString();
    return { member: 'data', json: JSON.stringify(text), value: text };
  }
  return { member: 'data_base64', json: `"${bytes.toString('base64')}"`, value: body };
}
