// Mail out: what a real SMTP server receives, and what becomes of what it, or the way to it, refuses.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import type { ParsedMail } from 'mailparser';
import type { SMTPServerOptions } from 'smtp-server';
import { createMailer, type MailServer, type OutgoingMail } from '../src/engine/mail/index.ts';
import { listenForMail, refusal } from './mail-server.ts';
import { failed } from './transport-servers.ts';

interface Post {
  port: number;
  mails: { mail: ParsedMail; from: string; to: string[]; user: string }[];
}

/** A mail server, and what it has taken. */
async function listen(t: TestContext, options: SMTPServerOptions = {}): Promise<Post> {
  const mails: Post['mails'] = [];
  const port = await listenForMail(t, { ...options, onMail: (mail, to, of) => mails.push({ mail, to, ...of }) });
  return { port, mails };
}

const SERVER = { host: '127.0.0.1', secure: 'none', user: null, password: null } as const;
const MAIL: OutgoingMail = {
  to: ['oncall@example.com', 'lead@example.com'],
  subject: 'Job nächtlich failed 🌙',
  text: 'The job failed.\n.\nFrom here on nothing is a command.\nÄÖÜ\n',
  id: 'dlv_k3v9x2m4q7_2s_7',
  deadlineMs: 10_000,
};

function mailer(t: TestContext, port: number, over: Partial<MailServer> = {}) {
  const made = createMailer({ ...SERVER, port, from: 'Bellwire <bell@gate.example>', ...over });
  t.after(() => made.close());
  return made;
}

test('R8 a mail arrives as it was meant, one for all recipients, under the same id each time', async (t) => {
  const post = await listen(t);
  const outcome = await mailer(t, post.port).send(MAIL);
  assert.deepEqual([outcome.kind, outcome.status], ['response', 250]);
  const [{ mail, from, to }] = post.mails as [Post['mails'][0]];
  assert.deepEqual([from, to], ['bell@gate.example', [...MAIL.to]]);
  assert.equal(mail.subject, MAIL.subject);
  assert.equal(mail.text, MAIL.text);
  assert.equal(mail.messageId, '<dlv_k3v9x2m4q7_2s_7@gate.example>');
  assert.equal(mail.headers.get('auto-submitted'), 'auto-generated');
});

test('R8 user and password are shown where they are set, over TLS unless it is switched off', async (t) => {
  const key = readFileSync(new URL('fixtures/tls-key.pem', import.meta.url), 'utf8');
  const cert = readFileSync(new URL('fixtures/tls-cert.pem', import.meta.url), 'utf8');
  const options: SMTPServerOptions = {
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: ({ username, password }, _, done) =>
      username === 'bell' && password === 's3cr3t' ? done(null, { user: username }) : done(refusal(535, 'no')),
  };
  const plain = await listen(t, options);
  const known = { user: 'bell', password: 's3cr3t' };
  assert.equal((await mailer(t, plain.port, known).send(MAIL)).kind, 'response');
  assert.equal(plain.mails[0]!.user, 'bell');
  const wrong = failed(await mailer(t, plain.port, { ...known, password: 'x' }).send(MAIL));
  assert.equal(wrong.code, 'mail-refused');
  assert.match(wrong.message, /^the mail server refused our user and password: 535 /);
  // A server that offers no upgrade gets neither the password nor the mail, and neither does one nobody vouches for.
  const bare = failed(await mailer(t, plain.port, { ...known, secure: 'starttls' }).send(MAIL));
  assert.match(bare.message, /^the mail server /);
  const upgraded = await listen(t, { ...options, disabledCommands: [], key, cert });
  const stranger = failed(await mailer(t, upgraded.port, { ...known, secure: 'starttls' }).send(MAIL));
  assert.equal(stranger.code, 'tls', stranger.message);
  const encrypted = await listen(t, { ...options, secure: true, key, cert });
  const unknown = failed(await mailer(t, encrypted.port, { ...known, secure: 'tls' }).send(MAIL));
  assert.equal(unknown.code, 'tls', unknown.message);
  assert.equal(plain.mails.length + upgraded.mails.length + encrypted.mails.length, 1);
});

test('R8 5yz is for good, 4yz for now; either in the server’s own words', async (t) => {
  const answers = {
    sender: [550, 'you are not welcome'],
    reader: [551, 'no such user'],
    busy: [451, 'later'],
  } as const;
  for (const [where, [code, words]] of Object.entries(answers)) {
    const post = await listen(t, {
      onMailFrom: (_, __, done) => done(where === 'sender' ? refusal(code, words) : null),
      onRcptTo: (_, __, done) => done(where === 'sender' ? null : refusal(code, words)),
    });
    const outcome = failed(await mailer(t, post.port).send(MAIL));
    assert.deepEqual([outcome.code, outcome.status], [code < 500 ? 'mail-deferred' : 'mail-refused', code], where);
    assert.match(outcome.message, new RegExp(`^the mail server .*: ${code} .*${words}`));
  }
});

test('R8 where one of the recipients is refused the failure names him', async (t) => {
  const post = await listen(t, {
    onRcptTo: ({ address }, _, done) => done(address.startsWith('lead') ? refusal(452, 'mailbox full') : null),
  });
  const outcome = failed(await mailer(t, post.port).send(MAIL));
  assert.equal(outcome.code, 'mail-refused');
  assert.match(outcome.message, /^the mail server took the mail, but not for lead@example\.com: 452 .*mailbox full/);
  assert.equal(post.mails.length, 1);
});

test('R26 no answer: refused, closed, silent, a name that does not resolve; each in words', async (t) => {
  const behave = async (answer: (socket: Socket) => void): Promise<number> => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => undefined);
      answer(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  };
  const nobody = createServer().listen(0, '127.0.0.1');
  await once(nobody, 'listening');
  const free = (nobody.address() as AddressInfo).port;
  await new Promise<void>((closed) => nobody.close(() => closed()));
  const send = async (port: number, over: Partial<MailServer> = {}, deadlineMs = 5_000) =>
    failed(await mailer(t, port, over).send({ ...MAIL, deadlineMs }));
  const refused = await send(free);
  assert.deepEqual([refused.code, refused.message], ['connection-refused', 'the mail server refused the connection']);
  const closed = await send(await behave((socket) => socket.destroy()));
  assert.equal(closed.code, 'connection-reset', closed.message);
  const silent = await send(await behave(() => undefined), {}, 200);
  assert.deepEqual([silent.code, silent.message], ['timeout', 'the mail server did not take the mail within 200 ms']);
  const nowhere = await send(25, { host: 'nobody.invalid' });
  assert.equal(nowhere.code, 'dns');
  assert.match(nowhere.message, /^the mail server nobody\.invalid does not resolve/);
  const odd = await send(await behave((socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')));
  assert.match(odd.message, /^the mail server /);
});

test('R8 without a server every mail says so; after the end none is sent, and what is under way is cut off', async (t) => {
  const none = failed(await createMailer(null).send(MAIL));
  assert.deepEqual(
    [none.code, none.message],
    ['mail-refused', 'cannot be sent: there is no mail server (setting mail.host)'],
  );
  const connected = Promise.withResolvers<void>();
  const server = createServer(() => connected.resolve()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const made = mailer(t, (server.address() as AddressInfo).port);
  const sending = made.send(MAIL);
  await connected.promise;
  made.close();
  assert.equal(failed(await sending).code, 'closed');
  assert.equal(failed(await made.send(MAIL)).code, 'closed');
});

test('R8 a subject cannot become a header, nor an address a command', async (t) => {
  const post = await listen(t);
  await mailer(t, post.port).send({ ...MAIL, subject: 'a\r\nBcc: evil@example.com' });
  assert.equal(post.mails[0]!.mail.bcc, undefined);
  assert.deepEqual(post.mails[0]!.to, [...MAIL.to]);
  const odd = await mailer(t, post.port).send({ ...MAIL, to: ['a@example.com>\r\nRCPT TO:<evil@example.com'] });
  assert.ok(
    post.mails.every(({ to }) => !to.includes('evil@example.com')),
    JSON.stringify(odd),
  );
});

test('R8 the mail server gets at most ten connections at once, and all mails in the end', async (t) => {
  let open = 0;
  let most = 0;
  const post = await listen(t, {
    onConnect(_, done) {
      most = Math.max(most, ++open);
      done();
    },
    onClose: () => void open--,
  });
  const made = mailer(t, post.port);
  const outcomes = await Promise.all(Array.from({ length: 25 }, (_, i) => made.send({ ...MAIL, id: `m${i}` })));
  assert.ok(outcomes.every(({ kind }) => kind === 'response'));
  assert.equal(post.mails.length, 25);
  assert.ok(most > 1 && most <= 11, `${most} at once`);
});
