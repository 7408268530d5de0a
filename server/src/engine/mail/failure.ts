// What a mail server, or the way to it, says against a mail, put into one code and one clause for people.
import { diagnose, type Diagnosis } from '../transport/failure.ts';

/** An error of nodemailer, as far as it is known. */
interface MailError extends Error {
  code?: string;
  /** The code of the system's error that was the cause. */
  originalCode?: string;
  /** The server's whole answer, and its code. */
  response?: string;
  responseCode?: number;
}

type MailDiagnosis = Diagnosis & { status: number | null };

/** Puts an error of a send into words. */
export function diagnoseMail(error: MailError, host: string): MailDiagnosis {
  const { code, responseCode, response } = error;
  if (responseCode !== undefined) return judge(responseCode, response ?? '', code === 'EAUTH');
  const cause = causeOf(error, host);
  return { ...cause, message: `the mail server ${cause.message}`, status: null };
}

/** What is to be said where some readers were refused and the others were not; null where none was. */
export function refusalOf(
  rejected: readonly (string | { address: string })[],
  errors: readonly MailError[],
): MailDiagnosis | null {
  if (rejected.length === 0) return null;
  const names = rejected.map((one) => (typeof one === 'string' ? one : one.address)).join(', ');
  const first = errors[0];
  const words = first?.response === undefined ? '' : `: ${first.response}`;
  // Final even where the server asks to come back: the others have it, and would get it again.
  return {
    code: 'mail-refused',
    message: `the mail server took the mail, but not for ${names}${words}`,
    status: first?.responseCode ?? null,
  };
}

// 4yz may be otherwise next time, 5yz will not (RFC 5321 4.2.1).
function judge(status: number, response: string, isLogin: boolean): MailDiagnosis {
  const what = isLogin ? 'refused our user and password' : 'refused the mail';
  if (status >= 500) return { code: 'mail-refused', message: `the mail server ${what}: ${response}`, status };
  return { code: 'mail-deferred', message: `the mail server does not take the mail now: ${response}`, status };
}

function causeOf(error: MailError, host: string): Diagnosis {
  const { code = '', originalCode, message } = error;
  const known: Readonly<Record<string, Diagnosis>> = {
    EDNS: { code: 'dns', message: `${host} does not resolve (${originalCode ?? message})` },
    ETLS: { code: 'tls', message: `failed the TLS handshake (${message})` },
    ETIMEDOUT: { code: 'timeout', message: 'did not answer in time' },
    EENVELOPE: { code: 'mail-refused', message: `was not sent the mail: ${message}` },
    EMESSAGE: { code: 'mail-refused', message: `was not sent the mail: ${message}` },
  };
  const found = known[code];
  if (found) return found;
  if (code === 'ECONNECTION' && originalCode === undefined) {
    return { code: 'connection-reset', message: 'closed the connection' };
  }
  const cause = Object.assign(new Error(message), { code: originalCode ?? code });
  return diagnose(cause, { hostname: host, status: null, isConnected: false });
}
