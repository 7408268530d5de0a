// Cryptography as data: rules say what is to be computed, one loop does it at once, another waits for it.
import { concat, equalBytes, utf8 } from '../encoding.ts';
import * as webCrypto from '../web-crypto.ts';
import type { Claim, Key, MacAlgorithm } from './claim.ts';

/** One computation: the MAC of `head` + `body`, or, where there is a signature, whether it is theirs under the key. */
export interface Job {
  readonly key: Key;
  readonly head: string;
  readonly body: Uint8Array;
  readonly signature?: Uint8Array;
}

/** A MAC, or the verdict on a signature. */
export type JobResult = Uint8Array | boolean;

/** A value, or what must be computed before there is one. */
export type Step<T> =
  | { readonly value: T }
  | { readonly jobs: readonly Job[]; readonly conclude: (results: readonly JobResult[]) => Step<T> };

/**
 * The functions that verifying needs; `nodeCrypto` of `@bellwire/receiver/node-crypto` has them. Each is prepared once per
 * key.
 */
export interface VerifyCrypto {
  /** The MAC of `head` (UTF-8) followed by `body`. */
  hmac(algorithm: MacAlgorithm, key: Uint8Array): (head: string, body: Uint8Array) => Uint8Array;
  /** Whether 64 bytes are the ed25519 signature of `message` under a 32-byte public key. */
  ed25519Verify(publicKey: Uint8Array): (signature: Uint8Array, message: Uint8Array) => boolean;
}

// 16 KB of headers hold some 170 ed25519 signatures, 0.1 ms each to judge; no sender has more keys than this at once.
const signaturesJudged = 32;

/**
 * Which of the keys fits a claim: its index, or -1. Every key is tried and every comparison made, whichever fits, so the
 * time tells nothing. Of keys that are `equal` to what was sent nothing has to be computed.
 */
export function weigh({ head, body, signatures }: Claim, keys: readonly Key[]): Step<number> {
  const judged = signatures.slice(0, signaturesJudged);
  const jobs = keys.flatMap((key, index) => {
    if (key.algorithm !== 'ed25519') return [{ index, key, head, body }];
    return judged
      .filter(({ algorithm, bytes }) => algorithm === 'ed25519' && bytes.length === 64)
      .map(({ bytes }) => ({ index, key, head, body, signature: bytes }));
  });
  const conclude = (results: readonly JobResult[]): Step<number> => {
    let match = -1;
    for (const [at, { index, key }] of jobs.entries()) {
      const result = results[at]!;
      const fits = typeof result === 'boolean' ? result : isAmong(judged, { algorithm: key.algorithm, bytes: result });
      if (fits && match === -1) match = index;
    }
    return { value: match };
  };
  return { jobs, conclude };
}

/** Whether one of the signatures is the expected one. */
function isAmong(signatures: readonly Key[], { algorithm, bytes }: Key): boolean {
  let found = false;
  for (const one of signatures) found = (one.algorithm === algorithm && equalBytes(one.bytes, bytes)) || found;
  return found;
}

/** Continues once there is a value. */
export function andThen<A, B>(step: Step<A>, next: (value: A) => Step<B>): Step<B> {
  if ('value' in step) return next(step.value);
  return { jobs: step.jobs, conclude: (results) => andThen(step.conclude(results), next) };
}

/** Does all work at once, on functions handed in. */
export function createSyncRun(crypto: VerifyCrypto): <T>(step: Step<T>) => T {
  const doJob = jobsOn<JobResult>({ ...crypto, equal: (key) => key });
  return (step) => {
    let at = step;
    while (!('value' in at)) at = at.conclude(at.jobs.map(doJob));
    return at.value;
  };
}

/** Does all work on WebCrypto. */
export function createRun(): <T>(step: Step<T>) => Promise<T> {
  const doJob = jobsOn<Promise<JobResult>>({
    hmac(algorithm, key) {
      const mac = webCrypto.hmac(algorithm, key);
      return (head, body) => mac(head === '' ? body : concat(utf8(head), body));
    },
    ed25519Verify: webCrypto.ed25519Verify,
    equal: (key) => Promise.resolve(key),
  });
  return async (step) => {
    let at = step;
    while (!('value' in at)) at = at.conclude(await Promise.all(at.jobs.map(doJob)));
    return at.value;
  };
}

interface Functions<R> {
  hmac(algorithm: MacAlgorithm, key: Uint8Array): (head: string, body: Uint8Array) => R;
  ed25519Verify(publicKey: Uint8Array): (signature: Uint8Array, message: Uint8Array) => R;
  equal(key: Uint8Array): R;
}

function jobsOn<R>(functions: Functions<R>): (job: Job) => R {
  // Keys are objects that are made once per verifier, so what is prepared for one goes when the verifier goes.
  const prepared = new WeakMap<Key, (job: Job) => R>();
  return (job) => {
    const ready = prepared.get(job.key) ?? prepare(job.key, functions);
    prepared.set(job.key, ready);
    return ready(job);
  };
}

function prepare<R>({ algorithm, bytes }: Key, functions: Functions<R>): (job: Job) => R {
  if (algorithm === 'equal') return () => functions.equal(bytes);
  if (algorithm === 'ed25519') {
    const verify = functions.ed25519Verify(bytes);
    return ({ head, body, signature = new Uint8Array() }) => verify(signature, concat(utf8(head), body));
  }
  const mac = functions.hmac(algorithm, bytes);
  return ({ head, body }) => mac(head, body);
}
