// Fields in the coding of forms and queries: application/x-www-form-urlencoded (URL Standard, section 5.1).
import type { Json } from '../../json-value.ts';
import type { Read } from './reading.ts';
import { decodeText } from './decode.ts';

/** How fields are read: `subject` begins the sentence of a refusal. */
export interface FormRules {
  subject: string;
  charset: string;
  /** Most fields. */
  fields: number;
}

const AMPERSAND = 0x26;
const EQUALS = 0x3d;
const PLUS = 0x2b;
const PERCENT = 0x25;
const SPACE = 0x20;

/**
 * The fields by name: a text, or an array of texts in their order where a name is repeated. A `%` that begins no escape
 * stands for itself, as the standard says; bytes that are no text are refused, where the standard would replace them.
 */
export function readForm(bytes: Buffer, rules: FormRules): Read<{ fields: { [name: string]: Json } }> {
  const fields = new FieldMap();
  let count = 0;
  for (let start = 0; start < bytes.length;) {
    let end = bytes.indexOf(AMPERSAND, start);
    if (end < 0) end = bytes.length;
    if (end > start) {
      if (++count > rules.fields)
        return { ok: false, reason: `${rules.subject} has more than ${rules.fields} fields.` };
      const equals = bytes.subarray(start, end).indexOf(EQUALS);
      const middle = equals < 0 ? end : start + equals;
      const subject = `Field ${count} of ${lower(rules.subject)}`;
      const name = decodeText(unescape(bytes.subarray(start, middle)), rules.charset, subject);
      if (!name.ok) return name;
      const value = decodeText(unescape(bytes.subarray(middle + 1, Math.max(end, middle + 1))), rules.charset, subject);
      if (!value.ok) return value;
      fields.add(name.text, value.text);
    }
    start = end + 1;
  }
  return { ok: true, fields: fields.toJson() };
}

/** Values by name; what comes again makes an array of them. */
export class FieldMap {
  readonly #values = new Map<string, Json[]>();

  add(name: string, value: Json): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }

  /** fromEntries defines: a field called __proto__ is a member like any other. */
  toJson(): { [name: string]: Json } {
    return Object.fromEntries(
      [...this.#values].map(([name, values]) => [name, values.length === 1 ? values[0]! : values]),
    );
  }
}

/** Without escapes: `+` is a space, `%41` the byte 0x41. */
function unescape(bytes: Buffer): Buffer {
  if (!bytes.includes(PERCENT) && !bytes.includes(PLUS)) return bytes;
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]!;
    const high = byte === PERCENT ? hexDigit(bytes[at + 1]) : -1;
    const low = high < 0 ? -1 : hexDigit(bytes[at + 2]);
    if (low >= 0) at += 2;
    out[length++] = low >= 0 ? high * 16 + low : byte === PLUS ? SPACE : byte;
  }
  return out.subarray(0, length);
}

function hexDigit(byte: number | undefined): number {
  if (byte === undefined) return -1;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
}

function lower(subject: string): string {
  return subject[0]!.toLowerCase() + subject.slice(1);
}
