// Bodies that are XML 1.0: a strict reader of what data is written in, without DTDs, and its mapping to JSON values.
//
// No DTD means no entities but the five of section 4.6, nothing external, and a result that is never larger than the text.
import type { Json } from '../../json-value.ts';
import type { BodyLimits, Read } from './reading.ts';
import { decodeText, placeIn } from './decode.ts';
import { FieldMap } from './form.ts';

const NAME_START =
  ':A-Z_a-z\\u00c0-\\u00d6\\u00d8-\\u00f6\\u00f8-\\u02ff\\u0370-\\u037d\\u037f-\\u1fff\\u200c\\u200d\\u2070-\\u218f' +
  '\\u2c00-\\u2fef\\u3001-\\ud7ff\\uf900-\\ufdcf\\ufdf0-\\ufffd\\u{10000}-\\u{effff}';
const NAME = new RegExp(`[${NAME_START}][${NAME_START}\\-.0-9\\u00b7\\u0300-\\u036f\\u203f\\u2040]*`, 'uy');
const SPACE = /[ \t\n]*/y;
const DECLARATION = /<\?xml[ \t\n]+version[ \t\n]*=[ \t\n]*(?:"1\.\d+"|'1\.\d+')[^<>]*\?>/y;
const NOT_CHARACTER = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const REFERENCE = /&(?:#x([0-9a-fA-F]{1,6})|#(\d{1,7})|(lt|gt|amp|apos|quot));|&/g;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', apos: "'", quot: '"' };

/** True for `text/xml`, `application/xml` and `…+xml` (RFC 7303), save what people write to be looked at. */
export function isXmlType(essence: string): boolean {
  if (essence === 'application/xhtml+xml' || essence === 'image/svg+xml') return false;
  return essence === 'text/xml' || essence === 'application/xml' || essence.endsWith('+xml');
}

/**
 * `{ root: value }`. An element with neither attributes nor elements is its text; any other is an object of its
 * attributes (`@name`), its elements by name (repeated ones as an array) and its text (`#text`, left out where blank).
 * Names keep their prefixes; comments and processing instructions are passed over. A document type is refused.
 */
export function readXml(
  bytes: Buffer,
  charset: string | undefined,
  limits: BodyLimits,
): Read<{ body: Json; text: string }> {
  const decoded = decodeText(bytes, charset ?? declaredCharset(bytes), 'The body');
  if (!decoded.ok) return decoded;
  const text = decoded.text.replace(/\r\n?/g, '\n');
  try {
    return { ok: true, body: new XmlReader(text, limits).read(), text: decoded.text };
  } catch (error) {
    if (!(error instanceof XmlFault)) throw error;
    return {
      ok: false,
      reason: `The body is not XML as it is taken here: ${error.message} (${placeIn(text, error.at)}).`,
    };
  }
}

/** XML 1.0 appendix F: by the byte order mark, else by the declaration. */
function declaredCharset(bytes: Buffer): string {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return 'utf-16be';
  const begin = bytes.toString('latin1', 0, 200);
  return /^<\?xml[^>]*\sencoding\s*=\s*["']([\w.-]+)["']/.exec(begin)?.[1]?.toLowerCase() ?? 'utf-8';
}

class XmlFault extends Error {
  readonly at: number;
  constructor(message: string, at: number) {
    super(message);
    this.at = at;
  }
}

/** An element that is open. */
interface Element {
  name: string;
  attributes: [string, string][];
  children: FieldMap | null;
  text: string;
  at: number;
}

class XmlReader {
  readonly #text: string;
  readonly #limits: BodyLimits;
  readonly #open: Element[] = [];
  #root: { [name: string]: Json } | null = null;
  #at = 0;
  #nodes = 0;

  constructor(text: string, limits: BodyLimits) {
    this.#text = text;
    this.#limits = limits;
  }

  read(): Json {
    const bad = NOT_CHARACTER.exec(this.#text);
    if (bad !== null) throw new XmlFault('a character that XML does not have', bad.index);
    this.#skip(DECLARATION);
    while (this.#at < this.#text.length) {
      if (this.#text[this.#at] === '<') this.#markup();
      else this.#characters();
    }
    const open = this.#open.at(-1);
    if (open !== undefined) throw new XmlFault(`the element ${shorten(open.name)} has no end`, open.at);
    if (this.#root === null) throw new XmlFault('there is no element', this.#at);
    return this.#root;
  }

  #markup(): void {
    const text = this.#text;
    const at = this.#at;
    if (text.startsWith('</', at)) this.#close();
    else if (text.startsWith('<!--', at)) this.#comment();
    else if (text.startsWith('<![CDATA[', at)) this.#cdata();
    else if (text.startsWith('<!', at)) throw new XmlFault('a document type is not taken', at);
    else if (text.startsWith('<?', at)) this.#instruction();
    else this.#element();
  }

  #characters(): void {
    const end = this.#next('<', this.#at, this.#text.length);
    const raw = this.#text.slice(this.#at, end);
    const open = this.#open.at(-1);
    if (open !== undefined) {
      const close = raw.indexOf(']]>');
      if (close >= 0) throw new XmlFault('"]]>" outside of a CDATA section', this.#at + close);
      open.text += this.#resolve(raw, this.#at);
    } else if (!/^[ \t\n]*$/.test(raw)) {
      throw new XmlFault('text outside of the root element', this.#at + raw.search(/[^ \t\n]/));
    }
    this.#at = end;
  }

  #element(): void {
    const at = this.#at++;
    const element: Element = { name: this.#name('an element'), attributes: [], children: null, text: '', at };
    if (this.#open.length === 0 && this.#root !== null) throw new XmlFault('a second root element', at);
    if (this.#open.length >= this.#limits.depth) throw new XmlFault(`more than ${this.#limits.depth} levels`, at);
    this.#count();
    const names = new Set<string>();
    for (;;) {
      const hasSpace = this.#skip(SPACE);
      if (this.#eat('/>')) return this.#finish(element);
      if (this.#eat('>')) return void this.#open.push(element);
      if (!hasSpace) throw new XmlFault('no ">" where the tag should end', this.#at);
      const start = this.#at;
      const [name, value] = this.#attribute();
      if (names.has(name)) throw new XmlFault(`the attribute ${shorten(name)} comes twice`, start);
      names.add(name);
      element.attributes.push([`@${name}`, value]);
      this.#count();
    }
  }

  #attribute(): [string, string] {
    const name = this.#name('an attribute');
    this.#skip(SPACE);
    if (!this.#eat('=')) throw new XmlFault(`no "=" behind the attribute ${shorten(name)}`, this.#at);
    this.#skip(SPACE);
    const quote = this.#text[this.#at];
    if (quote !== '"' && quote !== "'") throw new XmlFault(`the attribute ${shorten(name)} is not in quotes`, this.#at);
    const start = ++this.#at;
    const end = this.#next(quote, start, -1);
    if (end < 0) throw new XmlFault(`the attribute ${shorten(name)} has no end`, start);
    const raw = this.#text.slice(start, end);
    if (raw.includes('<')) throw new XmlFault(`"<" in the attribute ${shorten(name)}`, start + raw.indexOf('<'));
    this.#at = end + 1;
    return [name, this.#resolve(raw.replace(/[\t\n]/g, ' '), start)];
  }

  #close(): void {
    const at = this.#at;
    this.#at += 2;
    const name = this.#name('an element');
    const element = this.#open.pop();
    if (element?.name !== name) {
      const wanted = element === undefined ? 'nothing is open' : `${shorten(element.name)} is open`;
      throw new XmlFault(`the end of ${shorten(name)}, but ${wanted}`, at);
    }
    this.#skip(SPACE);
    if (!this.#eat('>')) throw new XmlFault('no ">" where the tag should end', this.#at);
    this.#finish(element);
  }

  /** Puts a whole element where it belongs. */
  #finish(element: Element): void {
    const parent = this.#open.at(-1);
    if (parent === undefined) this.#root = Object.fromEntries([[element.name, valueOf(element)]]);
    else (parent.children ??= new FieldMap()).add(element.name, valueOf(element));
  }

  #comment(): void {
    const end = this.#next('--', this.#at + 4, -1);
    if (end < 0 || this.#text[end + 2] !== '>')
      throw new XmlFault('a comment without an end, or with "--" in it', this.#at);
    this.#at = end + 3;
  }

  #cdata(): void {
    const open = this.#open.at(-1);
    if (open === undefined) throw new XmlFault('text outside of the root element', this.#at);
    const end = this.#next(']]>', this.#at + 9, -1);
    if (end < 0) throw new XmlFault('a CDATA section without an end', this.#at);
    open.text += this.#text.slice(this.#at + 9, end);
    this.#at = end + 3;
  }

  #instruction(): void {
    const at = this.#at;
    this.#at += 2;
    if (this.#name('an instruction').toLowerCase() === 'xml') {
      throw new XmlFault('an XML declaration that is none, or not where the body begins', at);
    }
    const end = this.#next('?>', this.#at, -1);
    if (end < 0) throw new XmlFault('an instruction without an end', at);
    this.#at = end + 2;
  }

  #name(what: string): string {
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) throw new XmlFault(`no name where ${what} should have one`, this.#at);
    this.#at += name.length;
    return name;
  }

  #resolve(raw: string, at: number): string {
    if (!raw.includes('&')) return raw;
    return raw.replace(REFERENCE, (...found: unknown[]) => {
      const [whole, hex, decimal, name, offset] = found as [string, string?, string?, string?, number?];
      if (name !== undefined) return ENTITIES[name]!;
      const code = hex === undefined ? Number(decimal ?? Number.NaN) : Number.parseInt(hex, 16);
      if (!(code > 0 && code <= 0x10ffff) || NOT_CHARACTER.test(String.fromCodePoint(code))) {
        throw new XmlFault(`${whole} names no character that is known`, at + (offset ?? 0));
      }
      return String.fromCodePoint(code);
    });
  }

  #count(): void {
    if (++this.#nodes > this.#limits.nodes) {
      throw new XmlFault(`more than ${this.#limits.nodes} elements and attributes`, this.#at);
    }
  }

  /** Where `what` stands next, or else `otherwise`. */
  #next(what: string, from: number, otherwise: number): number {
    const at = this.#text.indexOf(what, from);
    return at < 0 ? otherwise : at;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const length = pattern.exec(this.#text)?.[0].length ?? 0;
    this.#at += length;
    return length > 0;
  }

  #eat(mark: string): boolean {
    if (!this.#text.startsWith(mark, this.#at)) return false;
    this.#at += mark.length;
    return true;
  }
}

/** See {@link readXml}. */
function valueOf({ attributes, children, text }: Element): Json {
  if (attributes.length === 0 && children === null) return text;
  const shown = children === null ? text : text.trim();
  return Object.fromEntries([
    ...attributes,
    ...Object.entries(children?.toJson() ?? {}),
    ...(shown.trim() === '' ? [] : [['#text', shown] as const]),
  ]);
}

function shorten(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}
