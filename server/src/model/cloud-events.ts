// The CloudEvents codec, by one door: unknown bytes become events or faults, events become what subscribers get.
//
// Events are kept as envelopes: one structured-mode JSON object each, exactly as sent. Nothing in here re-serialises a
// payload. CloudEvents 1.0.2, JSON format and HTTP binding; tested against the specification's own examples.
export type { Attributes, AttributeValue } from './cloud-events-attributes.ts';
export { decodeRequest } from './cloud-events-decode.ts';
export type { Decoded, EventRequest } from './cloud-events-decode.ts';
export { composeEvent, dataSpan, encodeBatch, encodeBinary, readEnvelope } from './cloud-events-envelope.ts';
export type { EventToCompose, Header, PublishedEvent } from './cloud-events-envelope.ts';
export { faultCodes, faultStatus } from './cloud-events-faults.ts';
export type { Fault, FaultCode } from './cloud-events-faults.ts';
export { DEFAULT_EVENT_LIMITS, MAX_BATCH_EVENTS } from './cloud-events-limits.ts';
export type { EventLimits } from './cloud-events-limits.ts';
export { BATCH_CONTENT_TYPE, STRUCTURED_CONTENT_TYPE } from './cloud-events-media.ts';
export { parseDateTime } from './cloud-events-time.ts';
