// One TCP or TLS connection to an address the guard has judged, straight or through the operator's proxy.
//
// The socket is ours rather than undici's for three reasons: the guard must also see IP literals, for which no lookup
// is called; a dial that outlives its deadline is destroyed at once instead of running into a timer of its own; and a
// TLS session is remembered only after its certificate was checked, because a resumed session skips that check.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { connect as connectTls, type ConnectionOptions, type SecureContext, type TLSSocket } from 'node:tls';
import { LRUCache } from 'lru-cache';
import { AddressRefused, type AddressGuard } from './address-guard.ts';
import type { Dialing, DialCallback, DialResult } from './dialing.ts';
import { ProxyDoor, type ProxySetting } from './proxy.ts';
import { secureContextOf, type TlsIdentity } from './tls-identity.ts';

export interface DialerOptions {
  guard: AddressGuard;
  /** Certificate authorities to trust instead of the system's, as PEM. */
  ca?: string | string[] | undefined;
  /** Null connects straight. */
  proxy?: ProxySetting | null | undefined;
}

export interface DialTarget {
  /** A name, or an IP literal without brackets. */
  hostname: string;
  protocol: string;
  /** Empty for the protocol's own. */
  port: string;
  /** Null is the platform's own: no certificate, the system's authorities. */
  tls: TlsIdentity | null;
}

/** Starts a connection; calls back exactly once, never before it has returned. */
export type Dial = (target: DialTarget, callback: DialCallback) => Dialing;

const REMEMBERED_SESSIONS = 1_000;
/** One with a certificate of its own takes about 50 KB, and half a millisecond to make. */
const KEPT_CONTEXTS = 500;

const NOT_DIALING: Dialing = { destroy: () => undefined };

/** Makes the function that opens connections. */
export function createDialer({ guard, ca, proxy = null }: DialerOptions): Dial {
  const sessions = new LRUCache<string, Buffer>({ max: REMEMBERED_SESSIONS });
  const contexts = new LRUCache<string, SecureContext>({ max: KEPT_CONTEXTS });
  const through = proxy === null ? null : new ProxyDoor(proxy, guard);

  function startTls(target: DialTarget, port: number, to: ConnectionOptions): TLSSocket {
    const { hostname, tls } = target;
    const session = tls === null ? `${hostname}:${port}` : `${hostname}:${port} ${tls.name}`;
    const socket = connectTls({
      ...to,
      host: hostname,
      ...(isIP(hostname) === 0 ? { servername: hostname } : {}),
      ...(tls !== null ? { secureContext: contextOf(tls) } : ca === undefined ? {} : { ca }),
      ALPNProtocols: ['http/1.1'],
      session: sessions.get(session),
    });
    rememberSession(socket, (ticket) => sessions.set(session, ticket));
    return socket;
  }

  function contextOf(identity: TlsIdentity): SecureContext {
    let context = contexts.get(identity.name);
    if (context === undefined) {
      context = secureContextOf({ ...identity, ca: identity.ca ?? ([ca].flat().join('\n') || null) });
      contexts.set(identity.name, context);
    }
    return context;
  }

  function straight(target: DialTarget, port: number, callback: DialCallback): Dialing {
    const { hostname, protocol } = target;
    const refusal = isIP(hostname) === 0 ? null : guard.judge(hostname);
    if (refusal !== null) {
      throw new AddressRefused(`${hostname} is ${refusal}, which the operator does not allow`, hostname);
    }
    const isTls = protocol === 'https:';
    const socket = isTls
      ? startTls(target, port, { port, lookup: guard.lookup })
      : connectTcp({ host: hostname, port, lookup: guard.lookup });
    socket.setNoDelay(true);
    callOnce(socket, isTls ? 'secureConnect' : 'connect', callback);
    return socket;
  }

  // The name is in SNI and in the certificate that is asked for; the proxy was told the address.
  function secured(target: DialTarget, port: number, callback: DialCallback): DialCallback {
    return (error, tunnel) => {
      if (error !== null || target.protocol !== 'https:') return callback(...([error, tunnel] as DialResult));
      try {
        callOnce(startTls(target, port, { socket: tunnel }), 'secureConnect', callback);
      } catch (unusable) {
        tunnel.destroy();
        callback(unusable as Error, null);
      }
    };
  }

  return (target, callback) => {
    const port = Number(target.port) || (target.protocol === 'https:' ? 443 : 80);
    try {
      if (through === null) return straight(target, port, callback);
      return through.open({ hostname: target.hostname, port }, secured(target, port, callback));
    } catch (error) {
      queueMicrotask(() => callback(error as Error, null));
      return NOT_DIALING;
    }
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
