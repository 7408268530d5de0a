// Bodies that are multipart/form-data (RFC 7578), in the framing of RFC 2046 section 5.1: fields and files.
import { charset, essence, isJsonType } from '../../cloud-events/media.ts';
import type { Json } from '../../json-value.ts';
import type { BodyLimits, Read } from './reading.ts';
import { decodeText } from './decode.ts';
import { FieldMap } from './form.ts';
import { readJson } from './json.ts';

/** Longest header block of a part, in bytes. */
const MAX_PART_HEADERS = 8 * 1_024;

/** RFC 2046 5.1.1: 1 to 70 characters, the last one no space. */
const BOUNDARY = /^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/;

/** What a part says about itself. */
interface PartHead {
  name: string;
  /** Null for a part that is no file. */
  filename: string | null;
  contentType: string | null;
}

/**
 * The parts by name, repeated ones as an array. A field is a text, or JSON where its part says so; a file is
 * `{ filename, contentType, size, base64 }`, its name as the sender gave it: no path to be trusted. Line ends are CRLF,
 * what stands before the first and behind the last boundary is passed over, and a body without its end is refused.
 */
export function readMultipart(bytes: Buffer, contentType: string, limits: BodyLimits): Read<{ body: Json }> {
  const boundary = boundaryOf(contentType);
  if (boundary === null)
    return refuse('The header Content-Type says multipart/form-data without a boundary that is one.');
  const fields = new FieldMap();
  const delimiter = Buffer.from(`\r\n--${boundary}`, 'latin1');
  let at = firstDelimiter(bytes, delimiter);
  if (at < 0) return refuse('The body has not one boundary of those its content type tells.');
  for (let count = 1; ; count++) {
    if (bytes[at] === 0x2d && bytes[at + 1] === 0x2d) return { ok: true, body: fields.toJson() };
    if (count > limits.fields) return refuse(`The body has more than ${limits.fields} parts.`);
    const start = endOfPadding(bytes, at);
    if (start < 0)
      return refuse(
        `The boundary before part ${count} is no line of its own (byte ${at + 1}), or is the last of a body without an end.`,
      );
    const headEnd = endOfHead(bytes, start);
    if (headEnd < 0)
      return refuse(`Part ${count} has no end of its headers, or more than ${MAX_PART_HEADERS} bytes of them.`);
    const end = bytes.indexOf(delimiter, headEnd - 2);
    if (end < 0) return refuse(`The body ends in the middle of part ${count}: the last boundary is missing.`);
    const head = readHead(bytes.subarray(start, headEnd - 2), count);
    if (!head.ok) return head;
    // A part without content may share its CRLF with the boundary behind it.
    const value = readPart(bytes.subarray(headEnd, Math.max(headEnd, end)), head.head, limits);
    if (!value.ok) return value;
    fields.add(head.head.name, value.value);
    at = end + delimiter.length;
  }
}

function boundaryOf(contentType: string): string | null {
  const found = /;[ \t]*boundary[ \t]*=[ \t]*(?:"([^"]{1,70})"|([^\s;"]{1,70}))[ \t]*(?:;|$)/i.exec(contentType);
  const boundary = found?.[1] ?? found?.[2];
  return boundary !== undefined && BOUNDARY.test(boundary) ? boundary : null;
}

/** Where the first boundary ends, or -1. It needs no line end before it where the body begins with it. */
function firstDelimiter(bytes: Buffer, delimiter: Buffer): number {
  const atBegin = delimiter.subarray(2);
  if (bytes.subarray(0, atBegin.length).equals(atBegin)) return atBegin.length;
  const found = bytes.indexOf(delimiter);
  return found < 0 ? -1 : found + delimiter.length;
}

/** Behind the line end of a boundary's line, which may have blanks; -1 where something else stands there. */
function endOfPadding(bytes: Buffer, at: number): number {
  while (bytes[at] === 0x20 || bytes[at] === 0x09) at++;
  return bytes[at] === 0x0d && bytes[at + 1] === 0x0a ? at + 2 : -1;
}

/** Behind the empty line that ends the headers, or -1. */
function endOfHead(bytes: Buffer, start: number): number {
  if (bytes[start] === 0x0d && bytes[start + 1] === 0x0a) return start + 2;
  const end = bytes.subarray(start, start + MAX_PART_HEADERS).indexOf('\r\n\r\n');
  return end < 0 ? -1 : start + end + 4;
}

/** The headers of a part, of which RFC 7578 has two (section 4.8 takes no others into account). */
function readHead(bytes: Buffer, part: number): Read<{ head: PartHead }> {
  const text = decodeText(bytes, 'utf-8', `The head of part ${part}`);
  if (!text.ok) return text;
  const headers = new Map<string, string>();
  for (const line of text.text.split('\r\n')) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name)) return refuse(`Part ${part} has a header line without a name.`);
    if (headers.has(name)) return refuse(`Part ${part} has the header ${name.slice(0, 100)} twice.`);
    headers.set(name, line.slice(colon + 1).trim());
  }
  const coding = headers.get('content-transfer-encoding')?.toLowerCase();
  if (coding !== undefined && !['7bit', '8bit', 'binary'].includes(coding)) {
    return refuse(`Part ${part} has a Content-Transfer-Encoding, which RFC 7578 does away with.`);
  }
  const disposition = headers.get('content-disposition') ?? '';
  const name = /^form-data[ \t]*;/i.test(disposition) ? parameter(disposition, 'name') : null;
  if (name === null) return refuse(`Part ${part} has no Content-Disposition: form-data with a name.`);
  const head = { name, filename: parameter(disposition, 'filename'), contentType: headers.get('content-type') ?? null };
  return { ok: true, head };
}

/** A parameter of a header, null without: quoted, as clients write it. Of equal ones the first. */
function parameter(header: string, name: string): string | null {
  for (const [, key, quoted, token] of header.matchAll(
    /;[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]+))/g,
  )) {
    if (key?.toLowerCase() === name) return quoted === undefined ? token! : unquote(quoted);
  }
  return null;
}

/** What browsers escape (HTML, section 4.10.21.8) and what others do: quotes, line ends, a backslash before either. */
function unquote(text: string): string {
  return text
    .replace(/\\(["\\])/g, '$1')
    .replaceAll('%22', '"')
    .replace(/%0d/gi, '\r')
    .replace(/%0a/gi, '\n');
}

function readPart(bytes: Buffer, { name, filename, contentType }: PartHead, limits: BodyLimits): Read<{ value: Json }> {
  const type = contentType ?? 'text/plain';
  const subject = `The field ${JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name)}`;
  if (filename === null && isJsonType(type)) {
    const json = readJson(bytes, { charset: charset(type) ?? 'utf-8', depth: limits.depth, subject });
    return json.ok ? { ok: true, value: json.body } : { ok: false, reason: json.reason };
  }
  if (filename === null && essence(type).startsWith('text/')) {
    const decoded = decodeText(bytes, charset(type) ?? 'utf-8', subject);
    return decoded.ok ? { ok: true, value: decoded.text } : decoded;
  }
  return { ok: true, value: { filename, contentType, size: bytes.length, base64: bytes.toString('base64') } };
}

function refuse(reason: string): { ok: false; reason: string } {
  return { ok: false, reason };
}
