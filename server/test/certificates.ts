// Certificates for tests, made on the spot with whatever dates are wanted: X.509 (RFC 5280) in as much DER as it takes.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** A certificate with its private key, as PEM. */
export interface Issued {
  certificate: string;
  privateKey: string;
  name: string;
  key: KeyObject;
}

export interface CertificateWish {
  name: string;
  /** Signs it; by itself when left out. */
  issuer?: Issued;
  /** May it sign others? */
  isAuthority?: boolean;
  /** DNS names it is for. */
  names?: readonly string[];
  /** Epoch ms; by default from a day ago to a day ahead. */
  from?: number;
  until?: number;
}

const DAY = 86_400_000;

const ECDSA_SHA256 = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
const COMMON_NAME = oid(0x55, 0x04, 0x03);
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const SUBJECT_KEY_ID = oid(0x55, 0x1d, 0x0e);
const ALTERNATIVE_NAMES = oid(0x55, 0x1d, 0x11);

/** Makes a certificate with a fresh P-256 key. */
export function issueCertificate(wish: CertificateWish): Issued {
  const { name, isAuthority = false, names = [], from = Date.now() - DAY, until = Date.now() + DAY } = wish;
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = wish.issuer ?? { name, key: pair.privateKey };
  const publicKey = pair.publicKey.export({ type: 'spki', format: 'der' });
  const keyId = createHash('sha1').update(publicKey).digest();
  const extensions = [
    extension(BASIC_CONSTRAINTS, sequence(isAuthority ? der(0x01, Buffer.from([0xff])) : Buffer.alloc(0))),
    extension(SUBJECT_KEY_ID, der(0x04, keyId)),
    ...(names.length === 0
      ? []
      : [extension(ALTERNATIVE_NAMES, sequence(...names.map((one) => der(0x82, Buffer.from(one)))))]),
  ];
  const signed = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    ECDSA_SHA256,
    commonName(issuer.name),
    sequence(time(from), time(until)),
    commonName(name),
    publicKey,
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.concat([Buffer.from([0]), sign('sha256', signed, issuer.key)]));
  const base64 = sequence(signed, ECDSA_SHA256, signature).toString('base64');
  return {
    certificate: `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`,
    privateKey: pair.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    name,
    key: pair.privateKey,
  };
}

function der(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

function sequence(...parts: Buffer[]): Buffer {
  return der(0x30, Buffer.concat(parts));
}

function oid(...bytes: number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function extension(id: Buffer, value: Buffer): Buffer {
  return sequence(id, der(0x04, value));
}

function commonName(name: string): Buffer {
  return sequence(der(0x31, sequence(COMMON_NAME, der(0x0c, Buffer.from(name)))));
}

// GeneralizedTime is for years from 2050 on; OpenSSL takes it for earlier ones as well.
function time(at: number): Buffer {
  return der(0x18, Buffer.from(new Date(at).toISOString().replace(/[-:T]|\.\d+/g, '')));
}
