// HTML as values: what is put into a template is escaped unless it is HTML already.

/** Text that is HTML. */
export interface Markup {
  readonly html: string;
}

type Part = string | number | Markup | readonly Markup[] | null;

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** A template of HTML: texts are escaped, lists joined, null is nothing. */
export function markup(texts: TemplateStringsArray, ...parts: readonly Part[]): Markup {
  return { html: texts.map((text, at) => text + written(parts[at] ?? null)).join('') };
}

function written(part: Part): string {
  if (part === null) return '';
  if (typeof part === 'string' || typeof part === 'number') {
    return String(part).replaceAll(/[&<>"]/g, (sign) => ENTITIES[sign] as string);
  }
  return 'html' in part ? part.html : part.map((one) => one.html).join('');
}

/** Numbers of our own requirements, which mean nothing to a reader of the page. */
const OWN_NUMBERS = / \(R\d[^)]*\)/g;

/** Our own words: what stands between backticks is code, the rest is text. */
export function prose(words: string): Markup {
  const parts = words.replaceAll(OWN_NUMBERS, '').split('`');
  return markup`${parts.map((text, at) => (at % 2 === 1 ? markup`<code>${text}</code>` : markup`${text}`))}`;
}
