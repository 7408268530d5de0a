// The reference page as it is kept: made once out of the OpenAPI document, and compressed.
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import type { ApiDocument } from './document.ts';
import { pageOf } from './page.ts';

/** The page as it is kept: compressed, a ninth of its size. */
export interface Reference {
  gzipped: Buffer;
  etag: string;
}

/** Makes the page out of the OpenAPI document. */
export function makeReference(document: string): Reference {
  const gzipped = gzipSync(pageOf(JSON.parse(document) as ApiDocument), { level: 9 });
  return { gzipped, etag: `"${createHash('sha256').update(gzipped).digest('base64url').slice(0, 22)}"` };
}
