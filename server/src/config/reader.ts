// Turns raw values of settings into what the program counts with, and collects in words what does not fit.
import ipaddr from 'ipaddr.js';
import { parseSize, parseSpan } from '../model/quantities.ts';
import type { Layer, Origin } from './layers.ts';

/** A setting as it was read: its value as text, a secret only as `set` or `unset`. */
export interface Reading {
  path: string;
  text: string;
  origin: Origin;
}

/** Bounds of a number, inclusive. */
interface Bounds {
  min?: number;
  max?: number;
}

/** Reads settings by path; what does not fit becomes a fault, and a harmless stand-in is returned. */
export interface Reader {
  boolean(path: string): boolean;
  text(path: string): string;
  optionalText(path: string): string | null;
  /** Text that can be sent as an HTTP header value, or null. */
  headerValue(path: string): string | null;
  word<Word extends string>(path: string, words: readonly Word[]): Word;
  integer(path: string, bounds: Bounds): number;
  optionalInteger(path: string): number | null;
  /** From 0 to 1. */
  share(path: string): number;
  /** Milliseconds. */
  span(path: string, bounds?: Bounds): number;
  optionalSpan(path: string, bounds?: Bounds): number | null;
  spans(path: string): number[];
  /** Bytes. */
  size(path: string, bounds?: Bounds): number;
  optionalSize(path: string): number | null;
  texts(path: string): string[];
  /** Ranges in CIDR form. */
  addresses(path: string): string[];
  /** `name=value`, values as in a URL. */
  pairs(path: string): Record<string, string>;
  /** The same of values that nobody may see. */
  secretPairs(path: string): Record<string, string>;
  /** An http or https URL without user name and password, or null. */
  optionalEndpoint(path: string): string | null;
  secretList(path: string): string[];
  optionalSecret(path: string): string | null;
  /** `sqlite:`, `sqlite:<path>`, or a PostgreSQL URL. */
  storeAddress(path: string): string;
  /** An HTTP proxy, or null. */
  optionalProxy(path: string): ProxyAddress | null;
  /** Adds a fault of a value that was read. */
  refuse(path: string, reason: string): void;
  readings(): readonly Reading[];
}

/** Where a proxy is, and what to say to be let through. */
export interface ProxyAddress {
  hostname: string;
  port: number;
  /** The value of `Proxy-Authorization` (RFC 7617), or null. */
  authorization: string | null;
}

/** Words for ranges that people would otherwise have to look up. */
const RANGES: Readonly<Record<string, readonly string[]>> = {
  loopback: ['127.0.0.0/8', '::1/128'],
  private: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
};

/** Reads from layers, the last one that knows a path wins; the first one must know every path. */
export function createReader(layers: readonly Layer[], faults: string[]): Reader {
  const readings = new Map<string, Reading>();
  const find = (path: string): { raw: unknown; origin: Origin } => {
    for (const layer of [...layers].reverse()) {
      const value = layer.get(path);
      if (value) return value;
    }
    throw new Error(`${path} is read but stands in no manual`);
  };

  // Every kind of setting is this function with another `parse`, which answers undefined for what does not fit.
  const read = <Value>(path: string, kind: Kind<Value>): Value => {
    const { raw, origin } = find(path);
    readings.set(path, { path, text: kind.show?.(raw) ?? shown(raw), origin });
    const value = kind.parse(raw);
    if (value !== undefined) return value;
    faults.push(`${path} must be ${kind.wanted}, not ${kind.show?.(raw) ?? shown(raw)} (${origin})`);
    return kind.standIn;
  };

  return {
    boolean: (path) => read(path, { wanted: 'true or false', standIn: false, parse: toBoolean }),
    text: (path) => read(path, { wanted: 'text', standIn: '', parse: toText }),
    optionalText: (path) => read(path, optional({ wanted: 'text', standIn: '', parse: toText })),
    headerValue: (path) => read(path, optional(HEADER_VALUE)),
    word: <Word extends string>(path: string, words: readonly Word[]) => read(path, wordOf(words)),
    integer: (path, bounds) => read(path, integerKind(bounds)),
    optionalInteger: (path) => read(path, optional(integerKind({ min: 0 }))),
    share: (path) => read(path, SHARE),
    span: (path, bounds = {}) => read(path, bounded(SPAN, bounds)),
    optionalSpan: (path, bounds = {}) => read(path, optional(bounded(SPAN, bounds))),
    spans: (path) => read(path, listOf(SPAN)),
    size: (path, bounds = {}) => read(path, bounded(SIZE, bounds)),
    optionalSize: (path) => read(path, optional(SIZE)),
    texts: (path) => read(path, listOf({ wanted: 'text', standIn: '', parse: toText })),
    addresses: (path) => read(path, listOf(ADDRESS)).flat(),
    pairs: (path) => Object.fromEntries(read(path, listOf(PAIR))),
    secretPairs: (path) => Object.fromEntries(read(path, { ...listOf(PAIR), show: setOrUnset })),
    optionalEndpoint: (path) => read(path, optional(ENDPOINT)),
    secretList: (path) => read(path, { ...listOf({ wanted: 'text', standIn: '', parse: toText }), show: setOrUnset }),
    optionalSecret: (path) =>
      read(path, { ...optional({ wanted: 'text', standIn: '', parse: toText }), show: setOrUnset }),
    storeAddress: (path) => read(path, STORE),
    optionalProxy: (path) => read(path, optional(PROXY)),
    refuse(path, reason) {
      const reading = readings.get(path);
      faults.push(`${path} ${reason} (${reading?.text}, ${reading?.origin})`);
    },
    readings: () => [...readings.values()],
  };
}

/** How one kind of setting is read. */
interface Kind<Value> {
  /** Completes "must be …". */
  wanted: string;
  /** What is returned beside the fault. */
  standIn: Value;
  parse(raw: unknown): Value | undefined;
  /** The value as text, where it must not be shown whole. */
  show?(raw: unknown): string;
}

const SPAN: Kind<number> = { wanted: 'a span such as 250ms, 15s, 10m or 7d', standIn: 1, parse: quantity(parseSpan) };
const SIZE: Kind<number> = { wanted: 'a size such as 256KiB or 4MiB', standIn: 1, parse: quantity(parseSize) };
const SHARE: Kind<number> = {
  wanted: 'a number from 0 to 1',
  standIn: 0,
  parse(raw) {
    const value = toNumber(raw);
    return value !== undefined && value >= 0 && value <= 1 ? value : undefined;
  },
};
const HEADER_VALUE: Kind<string> = {
  wanted: 'printable ASCII text without line breaks',
  standIn: '',
  parse(raw) {
    const text = toText(raw);
    return text !== undefined && /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(text) ? text : undefined;
  },
};
const ADDRESS: Kind<readonly string[]> = {
  wanted: 'addresses (10.1.2.3), ranges (10.1.0.0/16), or the words loopback and private',
  standIn: [],
  parse(raw) {
    const text = toText(raw) ?? '';
    if (Object.hasOwn(RANGES, text)) return RANGES[text];
    const range = ipaddr.isValidCIDR(text) ? ipaddr.parseCIDR(text) : undefined;
    if (range) return [`${range[0].toString()}/${range[1]}`];
    const literal = ipaddr.IPv4.isValidFourPartDecimal(text) || ipaddr.IPv6.isValid(text);
    return literal ? [`${ipaddr.parse(text).toString()}/${text.includes(':') ? 128 : 32}`] : undefined;
  },
};
const STORE: Kind<string> = {
  wanted: 'sqlite, sqlite:<path> or postgres://<user>:<password>@<host>:<port>/<database>',
  standIn: 'sqlite:',
  parse(raw) {
    const text = toText(raw) ?? '';
    if (text === 'sqlite' || text === 'sqlite:') return 'sqlite:';
    if (text.startsWith('sqlite:')) return text;
    return /^postgres(?:ql)?:\/\/./.test(text) && URL.canParse(text) ? text : undefined;
  },
  show: (raw) =>
    shown(raw)
      .replace(/(\/\/[^/:@]*):.*@/, '$1:***@')
      .replace(/(password=)[^&]*/i, '$1***'),
};

const PROXY: Kind<ProxyAddress> = {
  wanted: 'http://<host>:<port> or http://<user>:<password>@<host>:<port>',
  standIn: { hostname: '', port: 0, authorization: null },
  parse(raw) {
    const url = URL.parse(toText(raw) ?? '');
    if (url?.protocol !== 'http:' || url.hostname === '' || url.search + url.hash !== '') return undefined;
    if (url.pathname !== '/') return undefined;
    const credentials = proxyCredentials(url);
    if (credentials === undefined) return undefined;
    // Port 80 is the protocol's own, which the URL drops.
    return { hostname: bareHost(url), port: Number(url.port || 80), authorization: credentials };
  },
  show: (raw) => shown(raw).replace(/^(\w+:\/\/)?.*@/s, '$1***@'),
};

const ENDPOINT: Kind<string> = {
  wanted: 'an http or https URL without user name and password',
  standIn: '',
  parse(raw) {
    const text = toText(raw);
    const url = URL.parse(text ?? '');
    if (url === null || !/^https?:$/.test(url.protocol)) return undefined;
    return url.username === '' && url.password === '' ? text : undefined;
  },
  show: (raw) =>
    shown(raw)
      .replace(/(:\/\/).*@/s, '$1***@')
      .replace(/\?.*$/s, '?***'),
};

const PAIR: Kind<[string, string]> = {
  wanted: 'texts such as name=value',
  standIn: ['', ''],
  parse(raw) {
    const [, name, value] = /^\s*([^\s=]+)\s*=\s*(.*?)\s*$/s.exec(toText(raw) ?? '') ?? [];
    if (name === undefined || value === undefined) return undefined;
    try {
      return [name, decodeURIComponent(value)];
    } catch {
      return undefined;
    }
  },
};

// Null without any; undefined when they cannot be decoded.
function proxyCredentials({ username, password }: URL): string | null | undefined {
  if (username === '' && password === '') return null;
  try {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return `Basic ${Buffer.from(pair).toString('base64')}`;
  } catch {
    return undefined;
  }
}

// An IPv6 literal stands in brackets in a URL, and without them everywhere else.
function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[|\]$/g, '');
}

function optional<Value>(kind: Kind<Value>): Kind<Value | null> {
  return {
    ...kind,
    wanted: `${kind.wanted}, or null`,
    standIn: null,
    parse: (raw) => (raw === null || raw === 'none' || raw === 'null' ? null : kind.parse(raw)),
  };
}

function bounded(kind: Kind<number>, { min = 0, max = Infinity }: Bounds): Kind<number> {
  const between = max === Infinity ? `at least ${min}` : `from ${min} to ${max}`;
  return {
    ...kind,
    wanted: min === 0 && max === Infinity ? kind.wanted : `${kind.wanted}, ${between}`,
    standIn: Math.max(kind.standIn, min),
    parse(raw) {
      const value = kind.parse(raw);
      return value !== undefined && value >= min && value <= max ? value : undefined;
    },
  };
}

function integerKind(bounds: Bounds): Kind<number> {
  const parse = (raw: unknown): number | undefined => {
    const value = toNumber(raw);
    return Number.isSafeInteger(value) ? value : undefined;
  };
  return bounded({ wanted: 'a whole number', standIn: 0, parse }, bounds);
}

function wordOf<Word extends string>(words: readonly Word[]): Kind<Word> {
  return {
    wanted: `one of ${words.join(', ')}`,
    standIn: words[0] as Word,
    parse: (raw) => words.find((word) => word === String(raw)),
  };
}

function listOf<Value>(kind: Kind<Value>): Kind<Value[]> {
  return {
    wanted: `a list of ${kind.wanted}`,
    standIn: [],
    parse(raw) {
      const items = typeof raw === 'string' ? raw.split(',').map((item) => item.trim()) : raw;
      if (!Array.isArray(items)) return undefined;
      const values = items.map((item: unknown) => kind.parse(item));
      return values.includes(undefined) ? undefined : (values as Value[]);
    },
  };
}

function quantity(parse: (value: string | number) => number | null): (raw: unknown) => number | undefined {
  return (raw) => (typeof raw === 'string' || typeof raw === 'number' ? (parse(raw) ?? undefined) : undefined);
}

function toBoolean(raw: unknown): boolean | undefined {
  if (raw === true || raw === 'true') return true;
  return raw === false || raw === 'false' ? false : undefined;
}

function toText(raw: unknown): string | undefined {
  return typeof raw === 'string' && raw !== '' ? raw : undefined;
}

function toNumber(raw: unknown): number | undefined {
  if (typeof raw === 'number') return raw;
  return typeof raw === 'string' && /^-?\d+(?:\.\d+)?$/.test(raw) ? Number(raw) : undefined;
}

function shown(raw: unknown): string {
  return typeof raw === 'string' ? raw : (JSON.stringify(raw) ?? String(raw));
}

function setOrUnset(raw: unknown): string {
  return raw === null || raw === '' || (Array.isArray(raw) && raw.length === 0) ? 'unset' : 'set';
}
