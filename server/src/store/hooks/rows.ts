// Requests to hooks, and replies, as rows and back.
import { createHash } from 'node:crypto';
import type { HookReply, HookRequest } from '../../model/hook/exchange.ts';
import { storable } from '../flows/rows.ts';
import type { Value } from '../sql.ts';
import type { RequestState } from './contract.ts';

/** Requests of one transaction, about: one that is large counts as several. */
export const GROUP = 500;
const BYTES_OF_ONE = 16_384;

/** What a request counts in its group. */
export function weightOf({ body }: HookRequest): number {
  return 1 + body.length / BYTES_OF_ONE;
}

/** A request that is to be written down. */
export interface Kept {
  workspace: number;
  request: number;
  flow: number;
  run: number | null;
  state: RequestState;
  reason: string | null;
  status: number | null;
  dedupe: string | null;
  receivedAt: number;
  content: HookRequest;
}

/** Its row. */
export function requestRow(of: Kept): Value[] {
  const { workspace, request, flow, run, state, reason, status, dedupe, receivedAt, content } = of;
  const { method, query, headers, body, from } = content;
  const what = [run, state, storable(reason), status, dedupe, receivedAt];
  return [workspace, request, flow, ...what, from, storable(method), storable(query), JSON.stringify(headers), body];
}

/** What a request says, as it is selected. */
export interface ContentRow {
  method: string;
  query: string;
  headers: string;
  body: Uint8Array;
  sender: string | null;
}

/** The columns of {@link ContentRow} of a request `q`. */
export const CONTENT = 'q.method, q.query, q.headers, q.body, q.sender';

/** What a request says, as it is read. */
export function contentOf({ method, query, headers, body, sender }: ContentRow): HookRequest {
  return { method, query, headers: JSON.parse(headers) as string[], body, from: sender };
}

/** A name that is longer could not stand in an index: it is known by its hash. */
const LONGEST_NAME = 200;

/** The name under which a request is done once, as it is kept. */
export function dedupeName(name: string | null): string | null {
  if (name === null || name.length <= LONGEST_NAME) return storable(name);
  return `sha256:${createHash('sha256').update(name).digest('hex')}`;
}

/** A reply as a column holds it. */
export function writeReply({ status, headers, body }: HookReply): string {
  const said = typeof body === 'string' ? { body } : { base64: Buffer.from(body).toString('base64') };
  return JSON.stringify({ status, headers, ...said });
}

/** The other way round. */
export function readReply(text: string): HookReply {
  const { status, headers, body, base64 } = JSON.parse(text) as HookReply & { base64?: string };
  return { status, headers, body: base64 === undefined ? body : new Uint8Array(Buffer.from(base64, 'base64')) };
}
