// The operator's outbound proxy: a tunnel by CONNECT for every connection, http ones included (RFC 9110 9.3.6).
//
//   name ─ resolved and judged here ─▶ TCP to the proxy ─▶ CONNECT <the judged address> ─▶ 2xx: the tunnel ─▶ TLS
//
// The proxy is given the address, never the name: had it to resolve the name itself, it could arrive at another address
// than the one that was judged. SNI, certificate and Host keep the name; the proxy sees bytes only.
//
// Whose fault is a tunnel that does not open? A proxy that cannot be reached, wants other credentials or does not speak
// HTTP is ours: it says nothing about the target. That it refuses or cannot reach one host may be either's: the host
// is blamed while it is the only one, and the proxy once a second host fails with no tunnel opened between.
// So one dead endpoint is seen as dead, and a proxy cut off from the world turns no webhook critical.
import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { createAddressGuard, type AddressGuard } from './address-guard.ts';
import type { ResolvedAddress } from './address-resolve.ts';
import type { Dialing, DialCallback } from './dialing.ts';
import { DiagnosedError, type Diagnosis } from './failure.ts';

/** Where the proxy is. */
export interface ProxySetting {
  hostname: string;
  port: number;
  /** The value of `Proxy-Authorization`, or null. Never part of a message. */
  authorization: string | null;
}

/** A proxy that is at fault is asked again for the same target after this. */
const QUIET_MS = 5_000;
const MAX_HEAD_BYTES = 16 * 1024;
const END_OF_HEAD = '\r\n\r\n';
const STATUS_LINE = /^HTTP\/1\.[01] (\d{3})(?: [^\r\n]*)?\r\n/;
/** Where the proxy stands is the operator's word: it is not judged. */
const ANYWHERE = ['0.0.0.0/0', '::/0'];

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'refused the connection',
  ECONNRESET: 'closed the connection',
  EPIPE: 'closed the connection',
  ETIMEDOUT: 'did not accept a connection in time',
};

/** Opens tunnels through one proxy. */
export class ProxyDoor {
  readonly #setting: ProxySetting;
  readonly #guard: AddressGuard;
  readonly #lookup = createAddressGuard({ allow: ANYWHERE }).lookup;
  #turn = -1;
  /** Hosts that could not be reached since the last tunnel that opened; two are enough to know. */
  readonly #failing = new Set<string>();

  constructor(setting: ProxySetting, guard: AddressGuard) {
    this.#setting = setting;
    this.#guard = guard;
  }

  /** Opens a tunnel to an address of the host that the guard has judged. Calls back exactly once. */
  open(host: { hostname: string; port: number }, callback: DialCallback): Dialing {
    const tunnel = new Tunnel({ door: this, name: `${host.hostname}:${host.port}`, callback });
    this.#guard.resolve(host.hostname).then(
      (addresses) => tunnel.connect(authorityOf(this.#choose(addresses), host.port)),
      (error: Error) => tunnel.fail(error),
    );
    return tunnel;
  }

  // One address per try, another one each time: a host of which one address is dead is reached by the next try. Many a
  // proxy has no IPv6.
  #choose(addresses: readonly ResolvedAddress[]): string {
    const v4 = addresses.filter(({ family }) => family === 4);
    const usable = v4.length > 0 ? v4 : addresses;
    this.#turn += 1;
    return usable[this.#turn % usable.length]!.address;
  }

  dial(): Socket {
    const { hostname, port } = this.#setting;
    const socket = connectTcp({ host: hostname, port, lookup: this.#lookup });
    return socket.setNoDelay(true);
  }

  request(authority: string): string {
    const { authorization } = this.#setting;
    const credentials = authorization === null ? '' : `Proxy-Authorization: ${authorization}\r\n`;
    return `CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credentials}\r\n`;
  }

  /** A tunnel has opened: the proxy works. */
  opened(): void {
    this.#failing.clear();
  }

  /** The proxy did not get to this host; `words` say what it did. */
  unreached(name: string, words: string): Diagnosis {
    if (this.#failing.size < 2) this.#failing.add(name);
    if (this.#failing.size < 2)
      return { code: 'unreachable', message: `cannot be reached through the proxy, which ${words}` };
    return atFault(`${words}, and so it does for other targets`);
  }
}

/** One tunnel being opened. */
class Tunnel implements Dialing {
  readonly #door: ProxyDoor;
  /** Of the target: who is blamed. */
  readonly #name: string;
  #callback: DialCallback | null;
  #socket: Socket | null = null;
  #isAsked = false;
  #isDestroyed = false;
  #head = '';

  constructor({ door, name, callback }: { door: ProxyDoor; name: string; callback: DialCallback }) {
    this.#door = door;
    this.#name = name;
    this.#callback = callback;
  }

  connect(authority: string): void {
    if (this.#isDestroyed) return;
    const socket = (this.#socket = this.#door.dial());
    socket.once('connect', () => {
      this.#isAsked = true;
      socket.write(this.#door.request(authority));
    });
    socket.on('data', this.#read);
    // Stays for the life of the socket: an error nobody listens to would end the process.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const code = error.code ?? '';
      this.fail(new DiagnosedError(atFault(WORDS[code] ?? `could not be connected to (${code || error.message})`)));
    });
    socket.once('close', () =>
      this.fail(new DiagnosedError(atFault('closed the connection without opening a tunnel'))),
    );
  }

  readonly #read = (chunk: Buffer): void => {
    this.#head += chunk.toString('latin1');
    const end = this.#head.indexOf(END_OF_HEAD);
    if (end === -1 && this.#head.length <= MAX_HEAD_BYTES) return this.#judgeStart();
    const status = Number(STATUS_LINE.exec(this.#head)?.[1] ?? 0);
    if (end === -1 || end > MAX_HEAD_BYTES) this.fail(new DiagnosedError(atFault('answered with too large a head')));
    else if (status >= 100 && status < 200) this.#skip(end);
    else if (status >= 200 && status < 300) this.#opened(end + END_OF_HEAD.length);
    else this.fail(new DiagnosedError(this.#refusal(status)));
  };

  // What is not HTTP need not be waited for: an SSH or mail server says its line and then nothing.
  #judgeStart(): void {
    const isHttp = this.#head.startsWith('HTTP/1.'.slice(0, this.#head.length));
    if (!isHttp) this.fail(new DiagnosedError(this.#refusal(0)));
  }

  #skip(end: number): void {
    const rest = this.#head.slice(end + END_OF_HEAD.length);
    this.#head = '';
    if (rest !== '') this.#read(Buffer.from(rest, 'latin1'));
  }

  #refusal(status: number): Diagnosis {
    if (status === 0) return atFault('answered something that is not HTTP/1.1');
    if (status === 407) return atFault('does not take the credentials of delivery.proxy (407)');
    return this.#door.unreached(this.#name, `answered ${status}`);
  }

  #opened(end: number): void {
    const socket = this.#socket!;
    const rest = this.#head.slice(end);
    this.#head = '';
    this.#door.opened();
    socket.off('data', this.#read);
    socket.pause();
    if (rest !== '') socket.unshift(Buffer.from(rest, 'latin1'));
    const callback = this.#callback;
    this.#callback = null;
    callback?.(null, socket);
  }

  fail(error: Error): void {
    const callback = this.#callback;
    this.#callback = null;
    if (callback === null) return;
    this.#socket?.destroy();
    callback(error, null);
  }

  destroy(): void {
    this.#isDestroyed = true;
    this.#socket?.destroy();
    this.fail(new Error('the tunnel was given up'));
  }

  late(within: string): Diagnosis | null {
    // Open already, or still at the name servers: what is waited for is the target's.
    if (this.#callback === null || this.#socket === null) return null;
    if (this.#isAsked) return this.#door.unreached(this.#name, `did not open a tunnel ${within}`);
    return atFault(`did not accept a connection ${within}`);
  }
}

function atFault(words: string): Diagnosis {
  return { code: 'proxy', message: `was not sent to: the proxy ${words}`, quietMs: QUIET_MS };
}

function authorityOf(address: string, port: number): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
