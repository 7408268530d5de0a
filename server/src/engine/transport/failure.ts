// Errors of DNS, TCP, TLS and HTTP put into one code and one clause for people.
import { errors } from 'undici';
import type { FailureCode } from '../../model/outcome.ts';

/** What is known about the try when the error came. */
export interface FailureContext {
  hostname: string;
  /** The status, when the head of an answer had come. */
  status: number | null;
  isConnected: boolean;
}

export interface Diagnosis {
  code: FailureCode;
  message: string;
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

/** The connection ended without a complete answer: the one kind of failure a stale kept-alive connection shows. */
export function isConnectionEnd(error: Error): boolean {
  return ENDED.has(codeOf(error));
}

/** Puts an error into words. Total: whatever is thrown gets a code. */
export function diagnose(error: Error, context: FailureContext): Diagnosis {
  const code = codeOf(error);
  const { hostname } = context;
  if (code === 'ADDRESS_REFUSED') return { code: 'refused-address', message: error.message };
  if (isDnsError(error)) return { code: 'dns', message: describeDns(code, hostname) };
  if (code === 'ECONNREFUSED') return { code: 'connection-refused', message: 'refused the connection' };
  if (UNREACHABLE.has(code)) return { code: 'unreachable', message: `cannot be reached (${code})` };
  if (TIMED_OUT.has(code)) return { code: 'timeout', message: 'did not accept a connection in time' };
  if (isTlsError(code)) return { code: 'tls', message: describeTls(code, hostname) };
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
    code.startsWith('CERT_') ||
    code === 'EPROTO' ||
    NOT_TRUSTED.has(code)
  );
}

function describeTls(code: string, hostname: string): string {
  if (NOT_TRUSTED.has(code)) return `has a certificate that is not trusted (${code})`;
  if (code === 'CERT_HAS_EXPIRED') return 'has a certificate that has expired';
  if (code === 'CERT_NOT_YET_VALID') return 'has a certificate that is not valid yet';
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') return `has a certificate that is not for ${hostname}`;
  return `failed the TLS handshake (${code})`;
}

function describeEnd({ status, isConnected }: FailureContext): Diagnosis {
  if (!isConnected) return { code: 'connection-reset', message: 'closed the connection while it was being set up' };
  if (status === null) return { code: 'connection-reset', message: 'closed the connection without answering' };
  return { code: 'connection-reset', message: `answered ${status}, but closed the connection before the end of it` };
}

// The parser's own reason stands in brackets at the end of its message, when it has one.
function describeNonsense(message: string): string {
  const reason = /\(.+\)$/.exec(message)?.[0];
  return `answered something that is not HTTP/1.1${reason ? ` ${reason}` : ''}`;
}

/** The failure of a try whose deadline has passed. */
export function describeTimeout(deadlineMs: number, { status, isConnected }: FailureContext): Diagnosis {
  const within = `within ${deadlineMs % 1_000 === 0 ? `${deadlineMs / 1_000} s` : `${deadlineMs} ms`}`;
  if (!isConnected) return { code: 'timeout', message: `did not accept a connection ${within}` };
  if (status === null) return { code: 'timeout', message: `did not answer ${within}` };
  return { code: 'timeout', message: `answered ${status}, but did not finish ${within}` };
}
