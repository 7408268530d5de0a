// Idempotency-Key: a write that is sent twice acts once (draft-ietf-httpapi-idempotency-key-header).
import { hash } from 'node:crypto';
import { refuse } from '../model/problem.ts';
import { StoreOutage, type IdempotencyKey, type Settings } from '../store/contract.ts';

/** RFC 8941 string, or its content bare: visible ASCII and spaces, 1–255 characters. */
const QUOTED = /^"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"$/;
const BARE = /^[\x21\x23-\x7e]{1,255}$/;

/** The key of a header value, quoted or bare: both name the same request. */
export function parseIdempotencyKey(value: string): string {
  const quoted = QUOTED.exec(value)?.[1];
  if (quoted !== undefined) return quoted.replace(/\\(["\\])/g, '$1');
  if (BARE.test(value)) return value;
  throw refuse('invalid-idempotency-key', 'An Idempotency-Key has 1 to 255 visible ASCII characters, quoted or bare.');
}

/** What makes two requests the same. */
export interface RequestFacts {
  method: string;
  target: string;
  /** Name, value, name, value… */
  rawHeaders: readonly string[];
  bytes: Uint8Array;
}

/**
 * SHA-256 (hex) over all that a request says: method, target, body, and the headers that are part of it: in binary mode
 * (CloudEvents HTTP binding 3.1) the event's attributes are `ce-` headers and its `datacontenttype` is the content type.
 */
export function requestHash({ method, target, rawHeaders, bytes }: RequestFacts): string {
  const saying: string[] = [];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] as string).toLowerCase();
    if (name === 'content-type' || name.startsWith('ce-')) saying.push(`${name}:${rawHeaders[at + 1]}`);
  }
  // No header holds a line break, so nothing that is said can be mistaken for the line after it.
  const head = [method, target, ...saying.sort(), '', ''].join('\n');
  return hash('sha256', Buffer.concat([Buffer.from(head), bytes]), 'hex');
}

/** What is answered, and what of it is kept for repeats, without secrets; null where nothing can be. */
export interface Kept<T> {
  answer: T;
  kept: { status: number; body: string } | null;
}

/** What came of it: acted now, or the first answer again. */
export type Once<T> = { replayed: false; answer: T } | { replayed: true; status: number; body: string };

/**
 * Runs `act` once for a key. Only successes are kept: a request that was refused did nothing and may be sent again, and
 * one that was answered by a stream is answered anew.
 * Refuses `idempotency-running` and `idempotency-mismatch`.
 */
export async function once<T>(
  settings: Pick<Settings, 'claim' | 'fulfil'>,
  { key, now }: { key: IdempotencyKey; now: number },
  act: () => Promise<Kept<T>>,
): Promise<Once<T>> {
  const claim = await settings.claim(key, now);
  switch (claim.kind) {
    case 'answered':
      return { replayed: true, status: claim.status, body: claim.body };
    case 'running':
      throw refuse('idempotency-running', 'The first request with this Idempotency-Key is still running; try again.', {
        'retry-after': '1',
      });
    case 'other-body':
      throw refuse('idempotency-mismatch', 'This Idempotency-Key was used for a request that said something else.');
    case 'claimed':
      return { replayed: false, answer: await actAndKeep(settings, key, act) };
  }
}

async function actAndKeep<T>(
  settings: Pick<Settings, 'fulfil'>,
  key: IdempotencyKey,
  act: () => Promise<Kept<T>>,
): Promise<T> {
  let kept: Kept<T>;
  try {
    kept = await act();
  } catch (error) {
    // What may have been done is not to be done again at once: then the claim stays until it runs out.
    const mayBeDone = error instanceof StoreOutage && !error.undone;
    if (!mayBeDone) await settings.fulfil(key, null).catch(unlessOutage);
    throw error;
  }
  // It is done, whether or not its answer can be kept.
  await settings.fulfil(key, kept.kept).catch(unlessOutage);
  return kept.answer;
}

function unlessOutage(error: unknown): void {
  if (!(error instanceof StoreOutage)) throw error;
}
