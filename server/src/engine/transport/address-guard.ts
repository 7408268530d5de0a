// Which addresses may be connected to (wire 6), and the name resolution that holds every connection to it.
//
// What is judged is the address that is dialled: a name is resolved anew for each connection, every address it
// answers with is judged, and the connection goes to exactly those. So a name that answers differently the second
// time (DNS rebinding) is caught the second time.
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { resolveName, type ResolvedAddress, type Resolve } from './address-resolve.ts';

/**
 * Thrown to a connecting socket: the address is one the operator does not allow. `message` is a clause for people, and
 * for tenants: it tells what kind of address a name resolves to, not which, for that would show them the operator's DNS.
 */
export class AddressRefused extends Error {
  readonly code = 'ADDRESS_REFUSED';
  /** For the operator. */
  readonly address: string;
  constructor(message: string, address: string) {
    super(message);
    this.address = address;
  }
}

export interface AddressGuardOptions {
  /** CIDRs that are allowed although they are special, e.g. `127.0.0.0/8` and `::1/128` for development. */
  allow?: readonly string[];
  /** How names become addresses; the system's DNS by default. */
  resolve?: Resolve;
}

export interface AddressGuard {
  /** Null when the IP address may be connected to, else the reason, as a clause for people. */
  judge(ip: string): string | null;
  /** All addresses of a name or literal, each judged. Rejects with {@link AddressRefused} or a DNS error. */
  resolve(hostname: string): Promise<ResolvedAddress[]>;
  /** The same as `lookup` option of `net.connect` and `tls.connect`. Not called for literals: judge those. */
  lookup: LookupFunction;
}

type Range = [address: ipaddr.IPv4 | ipaddr.IPv6, bits: number];

// Everything the Internet routes to single hosts starts here; what does not is refused without knowing its name.
const GLOBAL_UNICAST: [ipaddr.IPv6, number] = ipaddr.IPv6.parseCIDR('2000::/3');
const NAT64: [ipaddr.IPv6, number] = ipaddr.IPv6.parseCIDR('64:ff9b::/96');

const WORDS: Record<string, string> = {
  private: 'a private address',
  uniqueLocal: 'a private address',
  loopback: 'a loopback address',
  linkLocal: 'a link-local address',
  carrierGradeNat: 'a carrier-grade NAT address',
  multicast: 'a multicast address',
  broadcast: 'the broadcast address',
  unspecified: 'an unspecified address',
  rfc6052: 'a NAT64 address',
};

/**
 * Makes a guard. Throws only on an `allow` entry that is not a CIDR.
 *
 * A name is refused whole when any one of its addresses is: connecting to the others would make a half-private name
 * work or fail by the luck of the order, and hide the fault from the person who can mend it. An IPv6-only host that
 * reaches IPv4 through NAT64 allows `64:ff9b::/96`; the IPv4 address inside is judged all the same.
 */
export function createAddressGuard(options: AddressGuardOptions = {}): AddressGuard {
  const allowed = (options.allow ?? []).map(parseRange);
  const resolveWith = options.resolve ?? resolveName;
  const judge = (ip: string): string | null => judgeAddress(ip, allowed);

  async function resolve(hostname: string): Promise<ResolvedAddress[]> {
    const family = isIP(hostname);
    const addresses = family === 0 ? await resolveWith(hostname) : [{ address: hostname, family }];
    if (addresses.length === 0) throw Object.assign(new Error('no address'), { code: 'ENODATA', syscall: 'query' });
    for (const { address } of addresses) {
      const reason = judge(address);
      if (reason === null) continue;
      const verb = family === 0 ? 'resolves to' : 'is';
      throw new AddressRefused(`${hostname} ${verb} ${reason}, which the operator does not allow`, address);
    }
    return addresses;
  }

  const lookup: LookupFunction = (hostname, lookupOptions, callback) => {
    resolve(hostname).then(
      (addresses) => {
        if (lookupOptions.all) return callback(null, addresses);
        callback(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: Error) => callback(error, []),
    );
  };

  return { judge, resolve, lookup };
}

function parseRange(cidr: string): Range {
  try {
    return ipaddr.parseCIDR(cidr);
  } catch {
    throw new Error(`"${cidr}" is not a range of addresses: write it as address/bits, for example 127.0.0.0/8`);
  }
}

function judgeAddress(ip: string, allowed: readonly Range[]): string | null {
  const address = parseAddress(ip);
  if (address === null) return 'not an IP address';
  const isAllowed = (one: ipaddr.IPv4 | ipaddr.IPv6): boolean =>
    allowed.some(([range, bits]) => range.kind() === one.kind() && one.match(range, bits));

  if (address instanceof ipaddr.IPv4) {
    return isAllowed(address) ? null : nameRange(address.range());
  }
  // An address that leads to an IPv4 address is judged by that one, whatever was allowed for its wrapping.
  if (address.isIPv4MappedAddress()) return judgeAddress(address.toIPv4Address().toString(), allowed);
  if (address.match(NAT64) && isAllowed(address)) return judgeAddress(embeddedIPv4(address), allowed);
  if (isAllowed(address)) return null;
  if (!address.match(GLOBAL_UNICAST)) return nameRange(address.range()) ?? 'a special-purpose address';
  return nameRange(address.range());
}

function nameRange(range: string): string | null {
  return range === 'unicast' ? null : (WORDS[range] ?? 'a special-purpose address');
}

// The URL parser first: it has one spelling for each IPv6 address, while ipaddr.js reads `::8.8.8.8` (deprecated,
// forbidden) as the mapped `::ffff:8.8.8.8`, and it refuses a zone index.
function parseAddress(ip: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  const family = isIP(ip);
  if (family === 4) return ipaddr.IPv4.parse(ip);
  const url = family === 6 ? URL.parse(`http://[${ip}]/`) : null;
  return url === null ? null : ipaddr.IPv6.parse(url.hostname.slice(1, -1));
}

function embeddedIPv4(address: ipaddr.IPv6): string {
  return address.toByteArray().slice(12).join('.');
}
