// Mail out: one message in, one Outcome back, always, as the transport does it for HTTP. SMTP by nodemailer.
//
// A connection per mail: there are few, and a server that closed an idle one must not cost a send. The host is the
// operator's own word, so the address guard, which is for users' words, is not asked.
import type { Masker } from '../../model/flow/mask.ts';
import type { Outcome } from '../../model/outcome.ts';
import { describeSpan, type Diagnosis } from '../transport/failure.ts';
import { maskerOf, unsaid } from '../unsaid.ts';
import { diagnoseMail, refusalOf } from './failure.ts';

/** The mail server, and who we are to it. */
export interface MailServer {
  host: string;
  port: number;
  /** TLS from the start; an upgrade that must succeed; or none at all. */
  secure: 'tls' | 'starttls' | 'none';
  user: string | null;
  password: string | null;
  /** The sender's address, or `Name <address>`. */
  from: string;
}

/** A mail. */
export interface OutgoingMail {
  to: readonly string[];
  subject: string;
  text: string;
  /** The left part of its Message-ID: the same over all sends of one mail, so that a reader can tell a repetition. */
  id: string;
  /** For connecting and saying everything together, ms. */
  deadlineMs: number;
}

/** Sends mails. */
export interface Mailer {
  /** Never throws, never rejects. A mail that some of its readers were refused is a failure that names them. */
  send(mail: OutgoingMail): Promise<Outcome>;
  /** Cuts off what is under way, and takes no more. Twice is harmless. */
  close(): void;
}

const UNSET = 'cannot be sent: there is no mail server (setting mail.host)';
const STOPPING = 'was not sent: the platform is stopping';

/** Connections to the mail server at once: more are taken for an attack by many. */
const MOST_AT_ONCE = 10;

/** Makes a mailer; nothing is connected yet. Without a server every mail is a failure that says so. */
export function createMailer(server: MailServer | null): Mailer {
  if (server === null) {
    return {
      send: async () => failure({ code: 'mail-refused', message: UNSET }, 0),
      close: () => undefined,
    };
  }
  return new SmtpMailer(server);
}

class SmtpMailer implements Mailer {
  readonly #host: string;
  readonly #deliver: ReturnType<typeof deliverer>;
  /** Some servers repeat what they were shown. */
  readonly #masker: Masker | null;
  readonly #underWay = new Set<AbortController>();
  readonly #waiting: (() => void)[] = [];
  #busy = 0;
  #isClosed = false;

  constructor(server: MailServer) {
    this.#host = server.host;
    this.#deliver = deliverer(server);
    this.#masker = maskerOf([server.password]);
  }

  async send(mail: OutgoingMail): Promise<Outcome> {
    if (this.#busy === MOST_AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go));
    else this.#busy++;
    try {
      return this.#isClosed
        ? failure({ code: 'closed', message: STOPPING }, 0)
        : unsaid(await this.#sendNow(mail), this.#masker);
    } finally {
      // The place is handed on, not freed and taken again.
      const next = this.#waiting.shift();
      if (next) next();
      else this.#busy--;
    }
  }

  async #sendNow(mail: OutgoingMail): Promise<Outcome> {
    const abort = new AbortController();
    const late = setTimeout(() => abort.abort(LATE), mail.deadlineMs);
    this.#underWay.add(abort);
    const startedAt = performance.now();
    const lasted = (): number => Math.ceil(performance.now() - startedAt);
    try {
      const refusal = await this.#deliver(mail, abort.signal);
      return refusal === null ? taken(lasted()) : failure(refusal, lasted());
    } catch (error) {
      if (!abort.signal.aborted) return failure(diagnoseMail(error as Error, this.#host), lasted());
      if (abort.signal.reason === CLOSING) return failure({ code: 'closed', message: STOPPING }, lasted());
      const message = `the mail server did not take the mail ${describeSpan(mail.deadlineMs)}`;
      return failure({ code: 'timeout', message }, lasted());
    } finally {
      clearTimeout(late);
      this.#underWay.delete(abort);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const abort of this.#underWay) abort.abort(CLOSING);
  }
}

const LATE = 'late';
const CLOSING = 'closing';

type Verdict = (Diagnosis & { status: number | null }) | null;

function deliverer(server: MailServer) {
  const { host, from } = server;
  // Loaded with the first mail: many a platform never sends one.
  let transport: ReturnType<typeof connectTo> | null = null;
  const domain = /@([^\s@>]+)>?$/.exec(from)?.[1] ?? host;
  return async (mail: OutgoingMail, signal: AbortSignal): Promise<Verdict> => {
    const { to, subject, text, id } = mail;
    // As objects, or one text could be read as several addresses.
    const readers = to.map((address) => ({ name: '', address }));
    const said = { from, to: readers, subject, text, messageId: `<${id}@${domain}>`, signal };
    transport ??= connectTo(server);
    // Machines that answer mails leave one alone that says so (RFC 3834).
    const sent = await (await transport).sendMail({ ...said, headers: { 'Auto-Submitted': 'auto-generated' } });
    return refusalOf(sent.rejected, sent.rejectedErrors ?? []);
  };
}

async function connectTo({ host, port, secure, user, password }: MailServer) {
  const { createTransport } = await import('nodemailer');
  return createTransport({
    host,
    port,
    secure: secure === 'tls',
    requireTLS: secure === 'starttls',
    ignoreTLS: secure === 'none',
    ...(user === null ? {} : { auth: { user, pass: password ?? '' } }),
    // Our own deadline ends everything; what hangs after the mail was taken is not waited for.
    socketCloseTimeout: 0,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
}

// 250 is what a mail server says of a mail it has taken (RFC 5321 4.2.3).
function taken(durationMs: number): Outcome {
  const answer = { headers: [], body: new Uint8Array(), bodyBytes: 0, truncated: false, retryAfter: null };
  return { kind: 'response', status: 250, ...answer, durationMs, connectMs: 0 };
}

function failure(
  { code, message, status = null }: Diagnosis & { status?: number | null },
  durationMs: number,
): Outcome {
  return { kind: 'failure', code, message, status, durationMs, connectMs: 0 };
}
