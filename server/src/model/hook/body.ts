// Reads a request to a hook: what expressions see as `body`, `query`, `headers`, `method` and `request`.
//
// The header Content-Type says what a body is, and a body that is something else is refused in one sentence. Every reader
// is a single pass, bounded in depth and in number, and answers nothing but JSON. Nothing here throws.
import { charset, essence, isJsonType } from '../cloud-events/media.ts';
import { asBuffer } from '../cloud-events/json.ts';
import type { Json } from '../json-value.ts';
import { decodeText, isPlainText } from './bodies/decode.ts';
import { readForm } from './bodies/form.ts';
import { beginsAsJson, readJson } from './bodies/json.ts';
import type { JsonRead } from './bodies/json.ts';
import { readMultipart } from './bodies/multipart.ts';
import { isXmlType, readXml } from './bodies/xml.ts';
import { BODY_LIMITS } from './bodies/reading.ts';
import type { BodyLimits, Read } from './bodies/reading.ts';
import type { HookRequest } from './exchange.ts';

export type { BodyLimits } from './bodies/reading.ts';

/** A request as expressions see it. Objects have own members only, whatever their names are. */
export interface RequestBundle {
  /** Null: it is empty, or neither JSON nor text nor a form. */
  body: Json;
  /** Each name once: a text, or an array of texts where it is repeated. */
  query: { [name: string]: Json };
  /** Names in lower case; what is repeated is joined by `, `. */
  headers: { [name: string]: Json };
  /** Upper case. */
  method: string;
  request: {
    /** As the header says it; null without one. */
    contentType: string | null;
    /** The whole body where it is text, else null. */
    text: string | null;
    /** The whole body where neither `text` nor `body` tells it, else null. */
    base64: string | null;
    /** In bytes. */
    size: number;
  };
}

/** A body as one of the readers gives it. */
type Content = Read<{ body: Json; text: string | null }>;

/** Reads a request; never throws, and takes time in proportion to its size. */
export function readRequest(request: HookRequest, limits: BodyLimits = BODY_LIMITS): Read<{ bundle: RequestBundle }> {
  const headers = joinHeaders(request.headers);
  const contentType = headers['content-type'] ?? null;
  if (contentType !== null && namesTwoTypes(request.headers)) {
    return { ok: false, reason: 'The header Content-Type comes more than once, and not as the same.' };
  }
  const query = readForm(Buffer.from(request.query, 'utf8'), {
    subject: 'The query',
    charset: 'utf-8',
    fields: limits.fields,
  });
  if (!query.ok) return query;
  const type = contentType === null ? null : firstOf(request.headers, 'content-type');
  const content = readBody(asBuffer(request.body), type, limits);
  if (!content.ok) return content;
  const { body, text } = content;
  const size = request.body.length;
  const base64 = size > 0 && body === null && text === null ? asBuffer(request.body).toString('base64') : null;
  const { method } = request;
  return {
    ok: true,
    bundle: { body, query: query.fields, headers, method, request: { contentType: type, text, base64, size } },
  };
}

/** The body by its content type; null where the request names none. */
function readBody(bytes: Buffer, contentType: string | null, limits: BodyLimits): Content {
  if (bytes.length === 0) return { ok: true, body: null, text: '' };
  if (contentType === null || contentType.trim() === '') return readUntyped(bytes, limits);
  const type = essence(contentType);
  const encoding = charset(contentType) ?? 'utf-8';
  if (isJsonType(contentType))
    return asContent(readJson(bytes, { subject: 'The body', charset: encoding, depth: limits.depth }));
  if (type === 'application/x-www-form-urlencoded') {
    // What encodes a form escapes braces: this is `curl -d` with JSON, which would be one field with a strange name.
    if (beginsAsJson(bytes) && readJson(bytes, { subject: 'The body', charset: encoding, depth: limits.depth }).ok) {
      return {
        ok: false,
        reason: 'The body is JSON, but its content type says a form; it should be application/json.',
      };
    }
    const form = readForm(bytes, { subject: 'The body', charset: encoding, fields: limits.fields });
    return form.ok ? { ok: true, body: form.fields, text: isPlainText(bytes) ? bytes.toString() : null } : form;
  }
  if (type === 'multipart/form-data') {
    const form = readMultipart(bytes, contentType, limits);
    return form.ok ? { ok: true, body: form.body, text: isPlainText(bytes) ? bytes.toString() : null } : form;
  }
  if (isXmlType(type)) return readXml(bytes, charset(contentType), limits);
  if (isText(type)) {
    const decoded = decodeText(bytes, encoding, 'The body');
    return decoded.ok ? { ok: true, body: decoded.text, text: decoded.text } : decoded;
  }
  return { ok: true, body: null, text: isPlainText(bytes) ? bytes.toString() : null };
}

function asContent(json: JsonRead): Content {
  return json.ok ? json : { ok: false, reason: json.reason };
}

/** A body that nobody says anything about: JSON where it is an object or an array, else text, else bytes. */
function readUntyped(bytes: Buffer, limits: BodyLimits): Content {
  if (!isPlainText(bytes)) return { ok: true, body: null, text: null };
  if (beginsAsJson(bytes)) {
    const json = readJson(bytes, { subject: 'The body', charset: 'utf-8', depth: limits.depth });
    if (json.ok || !json.syntax) return asContent(json);
  }
  const text = bytes.toString();
  return { ok: true, body: text, text };
}

/** Texts that do not begin with `text/`. */
const TEXT_TYPES = new Set([
  'application/csv',
  'application/graphql',
  'application/javascript',
  'application/jsonl',
  'application/jwt',
  'application/sql',
  'application/toml',
  'application/x-ndjson',
  'application/x-yaml',
  'application/yaml',
]);

function isText(type: string): boolean {
  return type.startsWith('text/') || type.endsWith('+yaml') || TEXT_TYPES.has(type);
}

function joinHeaders(lines: readonly string[]): { [name: string]: string } {
  const joined = new Map<string, string>();
  for (let at = 0; at + 1 < lines.length; at += 2) {
    const name = lines[at]!.toLowerCase();
    const before = joined.get(name);
    joined.set(name, before === undefined ? lines[at + 1]! : `${before}, ${lines[at + 1]}`);
  }
  // fromEntries defines: a header called __proto__ is a member like any other.
  return Object.fromEntries(joined);
}

function firstOf(lines: readonly string[], name: string): string | null {
  for (let at = 0; at + 1 < lines.length; at += 2) if (lines[at]!.toLowerCase() === name) return lines[at + 1]!;
  return null;
}

function namesTwoTypes(lines: readonly string[]): boolean {
  const first = firstOf(lines, 'content-type');
  return lines.some((name, at) => at % 2 === 0 && name.toLowerCase() === 'content-type' && lines[at + 1] !== first);
}
