// Standard Webhooks 1.0: id, timestamp and a list of signatures, v1 (HMAC) and v1a (ed25519); Svix names them svix-*.
import { canonicalBase64 } from '../encoding.ts';
import { hmacKeyOf, kindOf, publicKeyBytesOf, SecretError } from '../secrets.ts';
import { standardWebhooksHead } from '../signatures.ts';
import { refuse, singleHeader, timestampFault } from './claim.ts';
import type { Claim, Clock, Key, Refused, Rule, SignedRequest } from './claim.ts';

const algorithms: Readonly<Record<string, 'sha256' | 'ed25519'>> = { v1: 'sha256', v1a: 'ed25519' };

/** The rule. Headers are `webhook-*`, or `svix-*` where there is no `webhook-signature`. */
export const standardWebhooksRule: Rule = {
  keyOf(secret) {
    const kind = kindOf(secret);
    if (kind === 'whsec') return { algorithm: 'sha256', bytes: hmacKeyOf(secret) };
    if (kind === 'whpk') return { algorithm: 'ed25519', bytes: publicKeyBytesOf(secret) };
    if (kind === 'whsk')
      throw new SecretError('a whsk_ key signs and belongs to the sender: verify with its whpk_ key');
    throw new SecretError('Standard Webhooks is verified with a whsec_ secret or a whpk_ key');
  },
  read(request, clock) {
    const isSvix = !request.headers.has('webhook-signature') && request.headers.has('svix-signature');
    return readStandardWebhooks(request, clock, isSvix ? 'svix' : 'webhook');
  },
};

/** Reads the claim off the headers of one of the two families. */
export function readStandardWebhooks(
  { headers, body }: SignedRequest,
  clock: Clock,
  family: 'webhook' | 'svix',
): Claim | Refused {
  const header = `${family}-signature`;
  const list = headers.get(header);
  if (list === null) return refuse('unsigned', `the request carries no ${header}`);
  // Within the list nothing but the end of one header and the beginning of another looks like this.
  if (/, v[^ ,]*,/.test(list)) return refuse('repeated-header', `${header} stands in the request more than once`);
  const id = singleHeader(headers, `${family}-id`);
  if (!id.ok) return id;
  const timestamp = singleHeader(headers, `${family}-timestamp`);
  if (!timestamp.ok) return timestamp;
  const fault = timestampFault(`${family}-timestamp`, timestamp.value, clock);
  if (fault) return fault;
  const signatures = list.split(' ').flatMap(signatureOf);
  if (signatures.length === 0) return refuse('no-match', `${header} has no entry v1 or v1a in base64`);
  return { header, head: standardWebhooksHead(id.value, timestamp.value), body, signatures, id: id.value };
}

/** The signature in an entry of the list; none where the version is not known. */
function signatureOf(entry: string): Key[] {
  const comma = entry.indexOf(',');
  const version = entry.slice(0, comma);
  const bytes = Object.hasOwn(algorithms, version) ? canonicalBase64(entry.slice(comma + 1)) : undefined;
  return bytes === undefined ? [] : [{ algorithm: algorithms[version]!, bytes }];
}
