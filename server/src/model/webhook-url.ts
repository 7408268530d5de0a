// Which URLs may be registered (R9–R11, R59, R60, wire 6). Pure: what the name resolves to is judged at each connect.

export interface WebhookUrlRules {
  /** R60: `required` by default; `optional` where the operator allows http. */
  https: 'required' | 'optional';
  /** R59: `fqdn` refuses IP literals, localhost, single labels and names of local networks; `any` takes them. */
  host: 'fqdn' | 'any';
}

export type WebhookUrlFault =
  | 'url-missing'
  | 'url-too-long'
  | 'url-character'
  | 'url-scheme'
  | 'url-not-https'
  | 'url-malformed'
  | 'url-userinfo'
  | 'url-fragment'
  | 'url-port'
  | 'url-ip-literal'
  | 'url-local-name'
  | 'url-not-fqdn';

export type WebhookUrlVerdict =
  /** `url` is the normalised form to store and send to: punycode, lower-case host, no default port, no trailing dot. */
  | { ok: true; url: string }
  /** `message` is one sentence for the person who typed it. */
  | { ok: false; code: WebhookUrlFault; message: string };

/** R11, in code points. */
export const MAX_URL_LENGTH = 2_048;

// White space, control characters and the backslash: the URL parser drops or rewrites them, so what is stored would not
// be what was typed. A CR or LF in particular never gets near a request line.
// oxlint-disable-next-line no-control-regex
const FORBIDDEN = /[\s\u0000-\u0020\u007f-\u009f\\]/u;
const SCHEME = /^([a-z][a-z0-9+.-]*):/i;
const AUTHORITY = /^https?:\/\/([^/?#]*)/i;
const IPV4 = /^\d+\.\d+\.\d+\.\d+$/;
// Letters, digits, hyphens; underscores are met in real names although RFC 952 knows none.
const LABEL = /^[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?$/;

// Names that mean "this machine" or "this network" by registration (RFC 6761, 6762, 8375; .internal by ICANN, 2024;
// localdomain by habit): somebody else's platform can never reach the one that is meant.
const LOCAL_NAMES = ['localhost', 'localdomain', 'local', 'internal', 'home.arpa'];

// Ports of protocols that can be talked to by accident with an HTTP request (Fetch standard, "port blocking"), and 0.
const BAD_PORTS = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

/** Judges a URL somebody wants events sent to. Total: any text gets a verdict. */
export function judgeWebhookUrl(text: string, rules: WebhookUrlRules): WebhookUrlVerdict {
  const fault = judgeText(text, rules);
  if (fault) return fault;
  const url = URL.parse(text);
  if (url === null || url.hostname === '')
    return refuse('url-malformed', 'This is not a URL a request can be sent to.');
  if (url.protocol === 'http:' && rules.https === 'required') {
    return refuse('url-not-https', 'The URL must begin with https://, so that deliveries are encrypted.');
  }
  if (BAD_PORTS.has(Number(url.port || 443))) {
    return refuse('url-port', `Port ${url.port} belongs to another protocol; use 443 or another port for HTTP.`);
  }
  dropTrailingDot(url);
  return (rules.host === 'fqdn' ? judgeName(url.hostname) : null) ?? { ok: true, url: url.href };
}

// What the URL parser would quietly repair or drop is judged on the text as typed.
function judgeText(text: string, { https }: WebhookUrlRules): WebhookUrlVerdict | null {
  if (text === '') return refuse('url-missing', 'A URL is required.');
  if (isTooLong(text)) return refuse('url-too-long', `The URL is longer than ${MAX_URL_LENGTH} characters.`);
  if (FORBIDDEN.test(text) || !text.isWellFormed()) {
    return refuse('url-character', 'The URL contains white space, a control character or a backslash.');
  }
  const scheme = SCHEME.exec(text)?.[1]?.toLowerCase();
  if (scheme !== 'https' && scheme !== 'http') {
    const allowed = https === 'required' ? 'https://' : 'https:// or http://';
    return refuse('url-scheme', `The URL must begin with ${allowed}${scheme ? `, not ${scheme}:` : ''}.`);
  }
  const authority = AUTHORITY.exec(text)?.[1];
  if (!authority) return refuse('url-malformed', `The URL must have a host name after ${scheme}://.`);
  if (authority.includes('@')) {
    return refuse(
      'url-userinfo',
      'The URL must not contain a user name or password; set the Authorization value instead.',
    );
  }
  if (text.includes('#')) {
    return refuse('url-fragment', 'The URL must not contain a #fragment: it would never be sent.');
  }
  return null;
}

function isTooLong(text: string): boolean {
  // A code point takes one or two of the units that `length` counts.
  if (text.length <= MAX_URL_LENGTH || text.length > 2 * MAX_URL_LENGTH) return text.length > MAX_URL_LENGTH;
  return Array.from(text).length > MAX_URL_LENGTH;
}

// `example.com.` is the same name, but certificates and SNI do not know the dot.
function dropTrailingDot(url: URL): void {
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.slice(0, -1);
}

// The parser has already put every spelling of an IPv4 address (decimal, hex, octal, short, full-width) into dotted form
// and every name into lower-case punycode.
function judgeName(hostname: string): WebhookUrlVerdict | null {
  if (hostname.startsWith('[') || IPV4.test(hostname)) {
    return refuse('url-ip-literal', `The host must be a fully qualified domain name, not the IP address ${hostname}.`);
  }
  const local = LOCAL_NAMES.find((name) => hostname === name || hostname.endsWith(`.${name}`));
  if (local)
    return refuse('url-local-name', `${hostname} names a machine of a local network; a public name is needed.`);
  const labels = hostname.split('.');
  if (labels.length < 2 || hostname.length > 253 || !labels.every((label) => LABEL.test(label))) {
    return refuse('url-not-fqdn', `${hostname} is not a fully qualified domain name such as hooks.example.com.`);
  }
  return null;
}

function refuse(code: WebhookUrlFault, message: string): { ok: false; code: WebhookUrlFault; message: string } {
  return { ok: false, code, message };
}
