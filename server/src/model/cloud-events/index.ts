// The CloudEvents codec, by one door: unknown bytes become events or faults, events become what subscribers get.
//
// Events are kept as envelopes: one structured-mode JSON object each, exactly as sent. Nothing in here re-serialises a
// payload. CloudEvents 1.0.2, JSON format and HTTP binding; tested against the specification's own examples.
export type { Attributes, AttributeValue } from './attributes.ts';
export { decodeRequest } from './decode.ts';
export type { Decoded, EventRequest } from './decode.ts';
export { composeEvent, encodeBatch, encodeBinary, readEnvelope } from './envelope.ts';
export type { EventToCompose, Header, PublishedEvent } from './envelope.ts';
export { faultCodes, faultStatus } from './faults.ts';
export type { Fault, FaultCode } from './faults.ts';
export { MAX_BATCH_EVENTS } from './limits.ts';
export type { EventLimits } from './limits.ts';
export { BATCH_CONTENT_TYPE, STRUCTURED_CONTENT_TYPE } from './media.ts';
export { parseDateTime } from './time.ts';
