// Errors of DNS, TCP, TLS and HTTP put into one code and one clause for people.
import { errors } from 'undici';
import type { FailureCode } from '../../model/outcome.ts';
import type { TlsIdentity } from './tls-identity.ts';

/** What is known about the try when the error came. */
export interface FailureContext {
  hostname: string;
  /** The status, when the head of an answer had come. */
  status: number | null;
  isConnected: boolean;
  /** Who we were in TLS, or null. */
  tls?: TlsIdentity | null;
}

export interface Diagnosis {
  code: FailureCode;
  message: string;
  /** Trying again sooner than in this many ms is pointless. */
  quietMs?: number;
}

/** An error that knows its own diagnosis. */
export class DiagnosedError extends Error {
  readonly diagnosis: Diagnosis;
  constructor(diagnosis: Diagnosis) {
    super(diagnosis.message);
    this.diagnosis = diagnosis;
  }
}

const DNS_UNKNOWN = new Set(['ENOTFOUND', 'ENODATA', 'EAI_NONAME', 'EAI_NODATA']);
const UNREACHABLE = new Set(['EHOSTUNREACH', 'ENETUNREACH', 'EADDRNOTAVAIL', 'ENETDOWN', 'EHOSTDOWN']);
const ENDED = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED', 'UND_ERR_SOCKET', 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH']);
const TIMED_OUT = new Set(['ETIMEDOUT', 'UND_ERR_CONNECT_TIMEOUT']);
const NOT_TRUSTED = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'CERT_UNTRUSTED',
  'CERT_REVOKED',
]);

/** TLS alerts by which a server answers a client certificate (RFC 8446 6.2), as OpenSSL names them. */
const CLIENT_REFUSED: Readonly<Record<string, string>> = {
  CERTIFICATE_REQUIRED: 'asks for a client certificate, and took none',
  CERTIFICATE_EXPIRED: 'refused the client certificate: it has expired',
  CERTIFICATE_REVOKED: 'refused the client certificate: it was revoked',
  CERTIFICATE_UNKNOWN: 'refused the client certificate',
  BAD_CERTIFICATE: 'refused the client certificate',
  UNSUPPORTED_CERTIFICATE: 'refused the client certificate: it is of a kind it does not take',
  UNKNOWN_CA: 'refused the client certificate: it does not trust who issued it',
  ACCESS_DENIED: 'refused the client certificate: it may not come in',
};

/** The connection ended without a complete answer: the one kind of failure a stale kept-alive connection shows. */
export function isConnectionEnd(error: Error): boolean {
  return ENDED.has(codeOf(error));
}

/** Puts an error into words. Total: whatever is thrown gets a code. */
export function diagnose(error: Error, context: FailureContext): Diagnosis {
  const code = codeOf(error);
  const { hostname } = context;
  if (error instanceof DiagnosedError) return error.diagnosis;
  if (code === 'ADDRESS_REFUSED') return { code: 'refused-address', message: error.message };
  if (isDnsError(error)) return { code: 'dns', message: describeDns(code, hostname) };
  if (code === 'ECONNREFUSED') return { code: 'connection-refused', message: 'refused the connection' };
  if (UNREACHABLE.has(code)) return { code: 'unreachable', message: `cannot be reached (${code})` };
  if (TIMED_OUT.has(code)) return { code: 'timeout', message: 'did not accept a connection in time' };
  if (isTlsError(code)) return { code: 'tls', message: describeTls(code, context) };
  if (ENDED.has(code)) return describeEnd(context);
  if (code === 'UND_ERR_HEADERS_OVERFLOW') return { code: 'protocol', message: 'answered with too large a head' };
  if (error instanceof errors.HTTPParserError) return { code: 'protocol', message: describeNonsense(error.message) };
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return { code: 'invalid-request', message: `cannot be sent this request (${error.message})` };
  }
  if (code === 'UND_ERR_DESTROYED' || code === 'UND_ERR_CLOSED') {
    return { code: 'closed', message: 'was not sent to: the platform is stopping' };
  }
  return { code: 'other', message: `could not be sent to (${code || error.message})` };
}

// A dial to several addresses fails with all their errors; the first is as good as any.
function codeOf(error: Error): string {
  const own = (error as NodeJS.ErrnoException).code;
  if (typeof own === 'string') return own;
  const inner: unknown = error instanceof AggregateError ? error.errors[0] : undefined;
  return inner instanceof Error ? codeOf(inner) : '';
}

function isDnsError(error: Error): boolean {
  const { syscall } = error as NodeJS.ErrnoException;
  return typeof syscall === 'string' && (syscall === 'getaddrinfo' || syscall.startsWith('query'));
}

function describeDns(code: string, hostname: string): string {
  if (DNS_UNKNOWN.has(code)) return `the name ${hostname} does not resolve`;
  if (code === 'ETIMEOUT') return `the name servers of ${hostname} do not answer`;
  return `the name ${hostname} could not be resolved (${code})`;
}

function isTlsError(code: string): boolean {
  return (
    code.startsWith('ERR_TLS_') ||
    code.startsWith('ERR_SSL_') ||
    code.startsWith('ERR_OSSL_') ||
    code.startsWith('CERT_') ||
    code === 'EPROTO' ||
    NOT_TRUSTED.has(code)
  );
}

function describeTls(code: string, context: FailureContext): string {
  const { hostname } = context;
  if (NOT_TRUSTED.has(code)) return `has a certificate that is not trusted (${code})`;
  if (code === 'CERT_HAS_EXPIRED') return 'has a certificate that has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'has a certificate that is not valid yet';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `has a certificate that is not for ${hostname}`;
  const alert = /_ALERT_(.+)$/.exec(code)?.[1];
  const refusal = alert === undefined ? undefined : CLIENT_REFUSED[alert];
  if (refusal !== undefined)
    return (context.tls?.certificate ? refusal : 'asks for a client certificate') + expiry(context);
  return `failed the TLS handshake (${code})${expiry(context)}`;
}

// Many servers close the connection on a certificate they do not take, without a word: the date is a likely reason.
function describeEnd(context: FailureContext): Diagnosis {
  const { status, isConnected } = context;
  const message = !isConnected
    ? 'closed the connection while it was being set up'
    : status === null
      ? 'closed the connection without answering'
      : `answered ${status}, but closed the connection before the end of it`;
  return { code: 'connection-reset', message: message + expiry(context) };
}

function expiry({ tls }: FailureContext): string {
  const expiresAt = tls?.expiresAt ?? null;
  if (expiresAt === null || expiresAt > Date.now()) return '';
  return `; the client certificate it was shown expired on ${new Date(expiresAt).toISOString().slice(0, 10)}`;
}

// The parser's own reason stands in brackets at the end of its message, when it has one.
function describeNonsense(message: string): string {
  const reason = /\(.+\)$/.exec(message)?.[0];
  return `answered something that is not HTTP/1.1${reason ? ` ${reason}` : ''}`;
}

/** A deadline in words: `within 15 s`. */
export function describeSpan(deadlineMs: number): string {
  return `within ${deadlineMs % 1_000 === 0 ? `${deadlineMs / 1_000} s` : `${deadlineMs} ms`}`;
}

/** The failure of a try whose deadline has passed. */
export function describeTimeout(deadlineMs: number, { status, isConnected }: FailureContext): Diagnosis {
  const within = describeSpan(deadlineMs);
  if (!isConnected) return { code: 'timeout', message: `did not accept a connection ${within}` };
  if (status === null) return { code: 'timeout', message: `did not answer ${within}` };
  return { code: 'timeout', message: `answered ${status}, but did not finish ${within}` };
}
