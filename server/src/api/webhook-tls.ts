// A webhook with a TLS identity of its own: client certificate, private key and private authorities, checked when saved,
// so that what cannot work is refused with a sentence instead of failing at night.
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { Type, type Static } from 'typebox';
import { problemOf, Refused } from '../model/problem.ts';
import type { TlsSettings } from '../model/webhook.ts';
import { Instant, instantOrNull, orNull } from './wire.ts';

const Pem = (description: string) => orNull(Type.String({ minLength: 1, maxLength: 65_536, description }));
const CERTIFICATE = Pem('The client certificate as PEM, then what leads from it to its authority.');
const AUTHORITIES = Pem('Authorities as PEM, trusted for this webhook only and instead of the system’s.');

/** A TLS identity; of a change, what is left out stays and null takes away. */
export const TlsIn = Type.Object(
  {
    certificate: Type.Optional(CERTIFICATE),
    privateKey: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 65_536,
        description: 'The key of the certificate as PEM, without a passphrase; write-only.',
      }),
    ),
    ca: Type.Optional(AUTHORITIES),
  },
  { additionalProperties: false, description: 'Mutual TLS and private authorities, for challenges and deliveries.' },
);
export type TlsIn = Static<typeof TlsIn>;

/** The identity as it is shown: without its key. */
export const TlsOut = Type.Object({
  certificate: CERTIFICATE,
  ca: AUTHORITIES,
  expiresAt: orNull(Type.Intersect([Instant], { description: 'Until when the certificate is valid.' })),
});

/** The identity after a change, and its key. */
export interface TlsAfter {
  tls: TlsSettings | null;
  privateKey: string | null;
}

/** What a wish makes of the identity; null takes it away, undefined leaves it. Refuses `invalid-tls`. */
export function tlsAfter(wish: TlsIn | null | undefined, before: TlsAfter, now: number): TlsAfter {
  if (wish === undefined) return before;
  if (wish === null) return { tls: null, privateKey: null };
  const certificate = wish.certificate === undefined ? (before.tls?.certificate ?? null) : wish.certificate;
  const ca = wish.ca === undefined ? (before.tls?.ca ?? null) : wish.ca;
  const authorities = ca === null ? null : joinPem(readAuthorities(ca, now));
  if (certificate === null) {
    if (wish.privateKey !== undefined) throw refused('certificate', 'A private key needs its certificate.');
    const tls = authorities === null ? null : { certificate: null, ca: authorities, expiresAt: null };
    return { tls, privateKey: null };
  }
  const chain = readCertificates('certificate', certificate);
  const leaf = chain[0]!;
  checkDates(leaf, now);
  const given = wish.privateKey ?? before.privateKey;
  if (given === null) throw refused('privateKey', 'A certificate needs its private key.');
  const key = readKey(given);
  if (!leaf.checkPrivateKey(key)) {
    throw refused(
      'privateKey',
      'The private key does not belong to the certificate (the first one, if there are many).',
    );
  }
  const tls = { certificate: joinPem(chain), ca: authorities, expiresAt: leaf.validToDate.getTime() };
  const privateKey = key.export({ type: 'pkcs8', format: 'pem' });
  checkUsable(tls, privateKey);
  return { tls, privateKey };
}

/** Refuses a TLS identity where there is no TLS. */
export function checkTlsUrl(tls: TlsSettings | null, url: string): void {
  if (tls !== null && !url.startsWith('https:')) throw refused('', 'A webhook with `tls` needs an https URL.');
}

/** What an identity shows of itself. */
export function showTls(tls: TlsSettings | null): Static<typeof TlsOut> | null {
  return tls && { ...tls, expiresAt: instantOrNull(tls.expiresAt) };
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
const MOST_CERTIFICATES = 100;

function readCertificates(field: 'certificate' | 'ca', pem: string): X509Certificate[] {
  // It would be shown to everybody who may read the webhook.
  if (pem.includes('PRIVATE KEY')) throw refused(field, 'There is a private key in it: that has a field of its own.');
  const blocks = pem.match(BLOCK) ?? [];
  if (blocks.length === 0) {
    throw refused(field, 'It is not a certificate in PEM: that begins with -----BEGIN CERTIFICATE-----.');
  }
  if (blocks.length > MOST_CERTIFICATES) throw refused(field, `It holds more than ${MOST_CERTIFICATES} certificates.`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw refused(field, `The certificate at place ${index + 1} is damaged: it cannot be read.`);
    }
  });
}

function readAuthorities(pem: string, now: number): X509Certificate[] {
  const all = readCertificates('ca', pem);
  if (all.some(({ validToDate }) => validToDate.getTime() > now)) return all;
  throw refused('ca', `It expired on ${dayOf(all[0]!.validToDate)}: nothing could be trusted by it.`);
}

function checkDates({ validFromDate, validToDate }: X509Certificate, now: number): void {
  if (validToDate.getTime() <= now) throw refused('certificate', `It expired on ${dayOf(validToDate)}.`);
  if (validFromDate.getTime() > now) throw refused('certificate', `It is not valid before ${dayOf(validFromDate)}.`);
}

function readKey(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const isLocked = code === 'ERR_MISSING_PASSPHRASE' || /ENCRYPTED/.test(pem);
    const detail = isLocked
      ? 'The private key has a passphrase: give it without one, it is stored encrypted.'
      : 'It is not a private key in PEM.';
    throw refused('privateKey', detail);
  }
}

// OpenSSL has rules of its own: a short RSA key, a digest it no longer takes.
function checkUsable({ certificate, ca }: TlsSettings, privateKey: string): void {
  try {
    createSecureContext({ cert: certificate!, key: privateKey, ...(ca === null ? {} : { ca }) });
  } catch (error) {
    const { reason, message } = error as Error & { reason?: string };
    throw refused('certificate', `OpenSSL does not take it: ${reason ?? message}.`);
  }
}

function joinPem(certificates: readonly X509Certificate[]): string {
  return certificates.map(String).join('');
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10);
}

function refused(field: string, detail: string): Refused {
  const pointer = field === '' ? '/tls' : `/tls/${field}`;
  return new Refused(problemOf([{ pointer, code: 'invalid-tls', detail }]));
}
