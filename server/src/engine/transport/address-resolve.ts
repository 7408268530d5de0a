// Names to addresses without one slow name server holding up everybody.
import { Resolver, lookup as systemLookup } from 'node:dns/promises';

export interface ResolvedAddress {
  address: string;
  family: number;
}

/** All addresses of a name, in the order to try them; never empty. Rejects with an error whose `syscall` names DNS. */
export type Resolve = (hostname: string) => Promise<ResolvedAddress[]>;

export interface ResolveOptions {
  /** Name servers as `address:port`; those of the system by default. */
  servers?: readonly string[];
  /** How long a name server may take to answer once, ms; it is asked twice. Default 2 s. */
  timeoutMs?: number;
  /** Ask the system (hosts file, search domains) for names that DNS does not know. */
  system?: boolean;
}

// The system's resolver runs on libuv's pool of four threads: a handful of names whose servers hang would stop all
// other look-ups, and the file system with them. So at most two of its threads are ever used here.
const SYSTEM_LOOKUPS = 2;

/** Makes a {@link Resolve}: DNS over sockets, then the system for single labels and for names that DNS does not know. */
export function createResolve(options: ResolveOptions = {}): Resolve {
  const currentResolver = renewing(options);
  const system = options.system === false ? null : limited(SYSTEM_LOOKUPS, lookupAll);

  return async (hostname) => {
    if (system && isLocalName(hostname)) return system(hostname);
    const resolver = currentResolver();
    const [v4, v6] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
    const addresses = [
      ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
      ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
    ];
    if (addresses.length > 0) return addresses;
    const error: unknown = v4.status === 'rejected' ? v4.reason : (v6 as PromiseRejectedResult).reason;
    if (system && isUnknownName(error)) return system(hostname);
    throw error;
  };
}

/** The default {@link Resolve}. */
export const resolveName: Resolve = createResolve();

// A resolver reads the system's settings when it is made and never again; a machine that changes its network would go
// on asking the old name servers.
const RESOLVER_AGE_MS = 60_000;

function renewing({ servers, timeoutMs = 2_000 }: ResolveOptions): () => Resolver {
  let resolver: Resolver | null = null;
  let madeAt = 0;
  return () => {
    const now = performance.now();
    if (resolver === null || now - madeAt > RESOLVER_AGE_MS) {
      resolver = new Resolver({ timeout: timeoutMs, tries: 2 });
      if (servers) resolver.setServers(servers);
      madeAt = now;
    }
    return resolver;
  };
}

async function lookupAll(hostname: string): Promise<ResolvedAddress[]> {
  return systemLookup(hostname, { all: true, order: 'ipv4first' });
}

function isLocalName(hostname: string): boolean {
  return !hostname.includes('.') || hostname.endsWith('.localhost');
}

// Not a time-out: a name whose servers hang must not reach the system's threads.
function isUnknownName(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === 'ENOTFOUND' || code === 'ENODATA' || code === 'ECONNREFUSED';
}

function limited<A, R>(limit: number, run: (argument: A) => Promise<R>): (argument: A) => Promise<R> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (argument) => {
    if (running >= limit) await new Promise<void>((go) => waiting.push(go));
    else running += 1;
    try {
      return await run(argument);
    } finally {
      // The place is handed on, not freed and taken again: nobody can slip in between.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}
