// What can be wrong with an event at the door, and the answer each kind of fault calls for.

/**
 * Every code a fault may carry, with the HTTP status it calls for and what it means. The codes are stable: programs
 * compare them. `pointer` of a fault names the member (JSON pointer) or the header it is about.
 */
export const faultCodes = {
  'unsupported-media-type': { status: 415, meaning: 'The Content-Type announces no CloudEvents format we read.' },
  'request-too-large': { status: 413, meaning: 'The body exceeds the limit of bytes per request.' },
  'batch-too-large': { status: 413, meaning: 'The batch holds more events than one request may.' },
  'event-too-large': { status: 413, meaning: 'The event, as structured JSON, exceeds the limit of bytes per event.' },
  'invalid-utf8': { status: 400, meaning: 'Bytes that must be UTF-8 are not.' },
  'invalid-json': { status: 400, meaning: 'Bytes that must be JSON are not.' },
  'nested-too-deep': { status: 400, meaning: 'The JSON nests deeper than the limit.' },
  'duplicate-key': { status: 400, meaning: 'A JSON object names the same key twice.' },
  'duplicate-header': { status: 400, meaning: 'A header that may come once came twice.' },
  'invalid-header-value': { status: 400, meaning: 'A ce- header is not quoted or percent-encoded as it must be.' },
  'not-an-event': { status: 400, meaning: 'The JSON value is not of the form an event or a batch has.' },
  'missing-attribute': { status: 400, meaning: 'A required attribute is absent or null.' },
  'invalid-attribute-name': { status: 400, meaning: 'An attribute name holds other characters than a-z and 0-9.' },
  'invalid-attribute': { status: 400, meaning: 'The value of an attribute breaks a rule of its type.' },
  'attribute-too-long': { status: 400, meaning: 'An attribute that serves as a database key is too long.' },
  'conflicting-data': { status: 400, meaning: 'Both data and data_base64 are given.' },
  'invalid-base64': { status: 400, meaning: 'data_base64 is not a string of valid Base64.' },
  'more-faults': { status: 400, meaning: 'There are further faults that are not listed.' },
} as const satisfies Record<string, { status: 400 | 413 | 415; meaning: string }>;

export type FaultCode = keyof typeof faultCodes;

/**
 * One thing wrong with a request. `index` is the event's place in its batch, null when the fault is about the request
 * as a whole or about the only event. `message` is one sentence for people.
 */
export type Fault = { index: number | null; code: FaultCode; message: string; pointer?: string };

/** At most this many faults are listed; the last one then says that there are more. */
export const MAX_FAULTS = 1_000;

/** The HTTP status for a refused request: the first of 415 and 413 that some fault calls for, otherwise 400. */
export function faultStatus(faults: readonly Fault[]): 400 | 413 | 415 {
  const statuses = new Set(faults.map((fault) => faultCodes[fault.code].status));
  return statuses.has(415) ? 415 : statuses.has(413) ? 413 : 400;
}

/** Collects the faults of one request, up to `MAX_FAULTS`; `at` gives the same list with another event's index. */
export class FaultList {
  readonly all: Fault[];
  readonly #index: number | null;

  constructor(index: number | null = null, all: Fault[] = []) {
    this.#index = index;
    this.all = all;
  }

  at(index: number): FaultList {
    return new FaultList(index, this.all);
  }

  add(code: FaultCode, message: string, pointer?: string): void {
    if (this.all.length >= MAX_FAULTS) return;
    if (this.all.length === MAX_FAULTS - 1) {
      this.all.push({ index: null, code: 'more-faults', message: 'There are more faults than are listed here.' });
      return;
    }
    const index = this.#index;
    this.all.push(pointer === undefined ? { index, code, message } : { index, code, message, pointer });
  }

  get isEmpty(): boolean {
    return this.all.length === 0;
  }
}
