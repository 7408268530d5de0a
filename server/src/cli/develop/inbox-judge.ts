// What an inbox makes of a request: a challenge with its answer, or a signature that is good or not, and why.
import {
  answerChallenge,
  createPresetVerifier,
  createVerifier,
  presetNames,
  type ChallengeAnswer,
  type Preset,
  type PresetVerdict,
} from '@bellwire/receiver';
import { usage } from '../failure.ts';

/** A request, wherever it came from. */
export interface Received {
  method: string;
  /** With its query. */
  path: string;
  headers: readonly (readonly [name: string, value: string])[];
  body: Uint8Array;
}

/** What was found. `isGood` null: nobody looked, or there was nothing to look at. */
export interface Judged {
  isGood: boolean | null;
  words: string;
  /** The answer of a challenge. */
  answer: ChallengeAnswer | null;
}

/** Judges requests; never rejects. */
export type Judge = (received: Received) => Promise<Judged>;

/** Whoever only looks. */
const looksAway: Judge = async () => ({ isGood: null, words: 'not looked at: no --secret', answer: null });

/** The judge of a secret: by a preset, or by Bellwire's own signatures. Throws in words. */
export function judgeOf({ secret, verify }: { secret?: string | undefined; verify?: string | undefined }): Judge {
  if (verify !== undefined && secret === undefined) throw usage('--verify needs the --secret it is verified with');
  if (secret === undefined) return looksAway;
  try {
    return verify === undefined ? byOwnSignatures(secret) : byPreset(secret, verify);
  } catch (error) {
    throw usage((error as Error).message);
  }
}

/** What may be named: `hmac` cannot do without settings. */
export const JUDGES = presetNames.filter((name) => name !== 'hmac');

function byOwnSignatures(secret: string): Judge {
  const verify = createVerifier({ secret });
  return async (received) => {
    const answer = await answerChallenge(secret, parsed(received.body)).catch(() => undefined);
    if (answer) return { isGood: null, words: 'a challenge, answered', answer };
    const verdict = await verify({ headers: headersOf(received), body: received.body });
    if (verdict.ok) return { isGood: true, words: `good: ${verdict.schemes.join(', ')}`, answer: null };
    return { isGood: false, words: `${verdict.reason}: ${verdict.detail}`, answer: null };
  };
}

function byPreset(secret: string, named: string): Judge {
  if (!(JUDGES as readonly string[]).includes(named)) throw usage(`--verify is one of: ${JUDGES.join(', ')}`);
  const verify = createPresetVerifier({ preset: named, secret } as Preset & { secret: string });
  return async (received) => {
    const { method, path, body } = received;
    const query = new URLSearchParams(path.split('?')[1] ?? '');
    return judgedOf(await verify({ method, query, headers: headersOf(received), body }), named);
  };
}

function judgedOf(verdict: PresetVerdict, named: string): Judged {
  if (verdict.kind === 'accepted') return { isGood: true, words: `good: ${named}`, answer: null };
  if (verdict.kind === 'refused') {
    return { isGood: false, words: `${verdict.reason}: ${verdict.detail}`, answer: null };
  }
  return { isGood: null, words: `a challenge of ${verdict.challenge}, answered`, answer: verdict.answer };
}

function headersOf({ headers }: Received): Headers {
  const all = new Headers();
  for (const [name, value] of headers) {
    try {
      all.append(name, value);
    } catch {
      // No header of a sender's is one that fetch cannot carry.
    }
  }
  return all;
}

function parsed(body: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(body).toString()) as unknown;
  } catch {
    return undefined;
  }
}
