// One TCP or TLS connection to an address the guard has judged.
//
// The socket is ours rather than undici's for three reasons: the guard must also see IP literals, for which no lookup
// is called; a dial that outlives its deadline is destroyed at once instead of running into a timer of its own; and a
// TLS session is remembered only after its certificate was checked, because a resumed session skips that check.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type TLSSocket } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { AddressRefused, type AddressGuard } from './address-guard.ts';

export interface DialerOptions {
  guard: AddressGuard;
  /** Certificate authorities to trust instead of the system's, as PEM. */
  ca?: string | string[] | undefined;
}

export interface DialTarget {
  /** A name, or an IP literal without brackets. */
  hostname: string;
  protocol: string;
  /** Empty for the protocol's own. */
  port: string;
}

export type DialCallback = (...result: [error: null, socket: Socket] | [error: Error, socket: null]) => void;

/** Starts a connection and returns its socket at once (null when refused by the guard); calls back exactly once. */
export type Dial = (target: DialTarget, callback: DialCallback) => Socket | null;

const REMEMBERED_SESSIONS = 1_000;

/** Makes the function that opens connections. Client certificates per webhook would come in as part of its target. */
export function createDialer({ guard, ca }: DialerOptions): Dial {
  const sessions = new LRUCache<string, Buffer>({ max: REMEMBERED_SESSIONS });

  return ({ hostname, protocol, port }, callback) => {
    const isLiteral = isIP(hostname) !== 0;
    const refusal = isLiteral ? guard.judge(hostname) : null;
    if (refusal !== null) {
      const error = new AddressRefused(`${hostname} is ${refusal}, which the operator does not allow`, hostname);
      queueMicrotask(() => callback(error, null));
      return null;
    }

    const isTls = protocol === 'https:';
    const address = { host: hostname, port: Number(port) || (isTls ? 443 : 80), lookup: guard.lookup };
    const session = `${hostname}:${address.port}`;
    const socket = isTls
      ? connectTls({
          ...address,
          ...(isLiteral ? {} : { servername: hostname }),
          ...(ca === undefined ? {} : { ca }),
          ALPNProtocols: ['http/1.1'],
          session: sessions.get(session),
        })
      : connectTcp(address);
    if (isTls) rememberSession(socket as TLSSocket, (ticket) => sessions.set(session, ticket));

    socket.setNoDelay(true);
    callOnce(socket, isTls ? 'secureConnect' : 'connect', callback);
    return socket;
  };
}

function callOnce(socket: Socket, connected: string, callback: DialCallback): void {
  let isPending = true;
  const settle = (error: Error | null): void => {
    if (!isPending) return;
    isPending = false;
    if (error === null) callback(null, socket);
    else callback(error, null);
  };
  socket.once(connected, () => settle(null));
  // Stays for the life of the socket: an error nobody listens to would end the process.
  socket.on('error', settle);
  socket.once('close', () => settle(new Error('the connection was closed')));
}

function rememberSession(socket: TLSSocket, remember: (ticket: Buffer) => void): void {
  let isVerified = false;
  let early: Buffer | null = null;
  socket.on('session', (ticket: Buffer) => {
    if (isVerified) remember(ticket);
    else early = ticket;
  });
  // Emitted only once chain and name are checked.
  socket.once('secureConnect', () => {
    isVerified = true;
    if (early) remember(early);
  });
}
