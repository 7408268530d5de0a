// A real SMTP server on loopback that keeps what it takes, and refuses what it is told to.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { simpleParser, type ParsedMail } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface MailServerOptions extends SMTPServerOptions {
  /** Is handed each mail, with the recipients of its envelope, before it is answered. */
  onMail(mail: ParsedMail, to: string[], session: { from: string; user: string }): void;
}

/** Starts one; resolves its port. Without TLS, and open to everybody, unless told otherwise. */
export async function listenForMail(t: TestContext, { onMail, ...options }: MailServerOptions): Promise<number> {
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    onData(stream, session, done) {
      void simpleParser(stream).then((mail) => {
        const { mailFrom, rcptTo } = session.envelope;
        const from = mailFrom === false ? '' : mailFrom.address;
        onMail(
          mail,
          rcptTo.map(({ address }) => address),
          { from, user: String(session.user ?? '') },
        );
        done();
      });
    },
    ...options,
  });
  // A client that hangs up is what some tests are about.
  server.on('error', () => undefined);
  const inner = server.listen(0, '127.0.0.1');
  await once(inner, 'listening');
  t.after(() => new Promise<void>((closed) => server.close(() => closed())));
  return (inner.address() as AddressInfo).port;
}

/** What a server says against a command. */
export function refusal(responseCode: number, message: string): Error {
  return Object.assign(new Error(message), { responseCode });
}
