// `GET /docs`: the reference page, made at the first request, with all that keeps it by itself.
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { Type, type Static } from 'typebox';
import { operation, type RawAnswer } from '../kernel.ts';
import { SCRIPT } from './script.ts';
import { STYLE } from './style.ts';

/** A page of HTML. */
export const ReferencePage = Type.String({ description: 'A page for people, of this description.' });
export type ReferencePage = Static<typeof ReferencePage>;

const hashed = (text: string): string => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** The page asks for nothing, from us or from anybody: its style and its script stand in it, and no others run. */
const POLICY = [
  "default-src 'none'",
  `style-src ${hashed(STYLE)}`,
  `script-src ${hashed(SCRIPT)}`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

export const showReference = operation<null, ReferencePage>()({
  summary: 'This description as a page for people',
  description: 'All of it in one page, which asks for nothing else, from here or from elsewhere.',
  reach: 'installation',
  quiet: true,
  produces: ['text/html'],
  success: { 200: 'The page.', 304: 'It is the one of `If-None-Match` still.' },
  async handle({ header }, { reference }) {
    const { gzipped, etag } = reference();
    const headers = ['content-type', 'text/html; charset=utf-8', 'etag', etag, 'cache-control', 'no-cache'];
    headers.push('vary', 'accept-encoding', 'content-security-policy', POLICY, 'referrer-policy', 'no-referrer');
    if (header('if-none-match')?.includes(etag) === true) return raw(304, headers, '');
    const takesGzip = /\bgzip\b(?!\s*;\s*q=0(\.0*)?\s*(,|$))/i.test(header('accept-encoding') ?? '');
    return takesGzip
      ? raw(200, [...headers, 'content-encoding', 'gzip'], gzipped)
      : raw(200, headers, gunzipSync(gzipped));
  },
});

function raw(status: number, rawHeaders: readonly string[], bytes: Uint8Array | string): RawAnswer {
  return { status, rawHeaders, bytes };
}
