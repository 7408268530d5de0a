// The rules for context attributes: their names, their types, and what each attribute of the specification demands.
import { parseDateTime } from './time.ts';
import type { FaultCode } from './faults.ts';

/** A context attribute's value: String, Integer (int32) or Boolean (CloudEvents 1.0.2, "Type System"). */
export type AttributeValue = string | number | boolean;

/** The context attributes of one event by name, extensions included, none of them null. */
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** The attributes without which there is no event. */
const REQUIRED = ['specversion', 'id', 'source', 'type'] as const;

/**
 * The longest `source`, `id` and `type` in bytes of UTF-8. They are keys of the database (an event is known by its
 * workspace, source and id), and a PostgreSQL index entry holds some 2,700 bytes altogether.
 */
export const MAX_ATTRIBUTE_BYTES: Readonly<Record<string, number>> = { source: 1_024, id: 255, type: 255 };

const NAME = /^[a-z0-9]+$/;
const PLAIN = /^[\x20-\x7e]*$/;
// CloudEvents 1.0.2 "Type System", String: no control characters, no noncharacters, no unpaired surrogates.
const FORBIDDEN = /[\p{Cc}\p{Noncharacter_Code_Point}\p{Cs}]/u;
const INT32_MIN = -(2 ** 31);
const INT32_MAX = 2 ** 31 - 1;
// RFC 3986 section 2: the characters of a URI-reference; how they are arranged is checked no further than the number
// sign. Loops over one class only, here and below: V8 runs those in constant space, however long the text is.
const URI_CHARACTERS = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;
const STRAY_PERCENT = /%(?![\dA-Fa-f]{2})/;
const SCHEME = /^[A-Za-z][A-Za-z\d+\-.]*:/;
// Bounded, since it travels as a header and its grammar has loops inside loops.
const MAX_MEDIA_TYPE = 1_000;
// RFC 2045 section 5.1: type "/" subtype and parameters, each value a token or a quoted string.
const TOKEN = "[\\w!#$%&'*+\\-.^`|~]+";
const QUOTED = '"(?:[\\x20\\x21\\x23-\\x5b\\x5d-\\x7e]|\\\\[\\x20-\\x7e])*"';
const MEDIA_TYPE = new RegExp(`^${TOKEN}/${TOKEN}(?: *; *${TOKEN}=(?:${TOKEN}|${QUOTED}))*(?: *;)? *$`);

/** What is wrong with one attribute: a code and a sentence that names it. */
export type AttributeFault = { code: FaultCode; message: string };

/**
 * Judges one attribute that is present (not null). Answers undefined when it is right. `value` is a JSON value, or in
 * binary mode the decoded header text. Names nobody knows are extensions: any String, Integer or Boolean.
 */
export function attributeFault(name: string, value: unknown): AttributeFault | undefined {
  const rule = rules.get(name);
  if (rule === undefined && (name === 'data' || !NAME.test(name))) {
    const shown = JSON.stringify(name.slice(0, 64));
    return fault('invalid-attribute-name', `${shown} is no attribute name: those consist of a-z and 0-9.`);
  }
  if (typeof value === 'string') {
    if (!PLAIN.test(value) && FORBIDDEN.test(value)) {
      return invalid(name, 'holds a control character, a noncharacter or an unpaired surrogate');
    }
    return rule?.(name, value);
  }
  if (rule !== undefined) return invalid(name, 'must be a string');
  if (typeof value === 'boolean') return undefined;
  if (typeof value !== 'number') return invalid(name, 'must be a string, an integer or a boolean');
  if (!Number.isInteger(value)) return invalid(name, 'must be an integer when it is a number');
  if (value < INT32_MIN || value > INT32_MAX) return invalid(name, 'must be an integer of 32 bits when it is a number');
  return undefined;
}

/** One fault for each required attribute that is absent or null. */
export function missingAttributes(given: Record<string, unknown>): (AttributeFault & { name: string })[] {
  const missing = [];
  for (const name of REQUIRED) {
    if (given[name] !== undefined && given[name] !== null) continue;
    const message = `The required attribute ${name} is missing.`;
    missing.push({ code: 'missing-attribute' as const, message, name });
  }
  return missing;
}

type Rule = (name: string, value: string) => AttributeFault | undefined;

const rules = new Map<string, Rule>([
  ['specversion', (name, value) => (value === '1.0' ? undefined : invalid(name, 'must be "1.0"'))],
  ['id', (name, value) => emptyFault(name, value) ?? lengthFault(name, value)],
  ['type', (name, value) => emptyFault(name, value) ?? lengthFault(name, value)],
  ['source', (name, value) => emptyFault(name, value) ?? lengthFault(name, value) ?? uriFault(name, value)],
  ['subject', emptyFault],
  [
    'time',
    (name, value) => (parseDateTime(value) === undefined ? invalid(name, 'must be an RFC 3339 time') : undefined),
  ],
  ['datacontenttype', mediaTypeFault],
  ['dataschema', (name, value) => emptyFault(name, value) ?? uriFault(name, value) ?? schemeFault(name, value)],
]);

function emptyFault(name: string, value: string): AttributeFault | undefined {
  return value === '' ? invalid(name, 'must not be empty') : undefined;
}

function lengthFault(name: string, value: string): AttributeFault | undefined {
  const most = MAX_ATTRIBUTE_BYTES[name] ?? Infinity;
  if (value.length * 3 <= most || Buffer.byteLength(value) <= most) return undefined;
  return fault('attribute-too-long', `The attribute ${name}, a database key, must not exceed ${most} bytes.`);
}

function uriFault(name: string, value: string): AttributeFault | undefined {
  const oneFragment = value.indexOf('#') === value.lastIndexOf('#');
  if (oneFragment && URI_CHARACTERS.test(value) && !STRAY_PERCENT.test(value)) return undefined;
  return invalid(name, 'must be a URI-reference (RFC 3986); percent-encode what a URI cannot hold');
}

function schemeFault(name: string, value: string): AttributeFault | undefined {
  return SCHEME.test(value) ? undefined : invalid(name, 'must be an absolute URI');
}

function mediaTypeFault(name: string, value: string): AttributeFault | undefined {
  if (value === 'application/json' || (value.length <= MAX_MEDIA_TYPE && MEDIA_TYPE.test(value))) return undefined;
  return invalid(name, `must be a media type such as application/json, of up to ${MAX_MEDIA_TYPE} characters`);
}

function invalid(name: string, problem: string): AttributeFault {
  return fault('invalid-attribute', `The attribute ${name} ${problem}.`);
}

function fault(code: FaultCode, message: string): AttributeFault {
  return { code, message };
}
