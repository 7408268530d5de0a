// What all readers of bodies have in common: how much they take, and what they give.
import { MAX_DEPTH } from '../../cloud-events/limits.ts';

/** How much a request may bring, besides its size in bytes, which whoever receives it bounds. */
export interface BodyLimits {
  /** Objects, arrays and XML elements nest at most this deep. */
  depth: number;
  /** Fields of a form and of the query, parts of a multipart body. */
  fields: number;
  /** Elements and attributes of an XML body together. */
  nodes: number;
}

/** The limits of every hook. */
export const BODY_LIMITS: BodyLimits = { depth: MAX_DEPTH, fields: 1_000, nodes: 100_000 };

/** What reading gives: a value, or why not in one sentence for people. */
export type Read<T> = ({ ok: true } & T) | { ok: false; reason: string };
