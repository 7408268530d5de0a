// A JSON Schema as people read it: its fields with their types, bounds and words; one that was shown before is a link.
import { markup, prose, type Markup } from './markup.ts';

/** What of JSON Schema the API's own schemas use. */
export interface Schema {
  type?: string;
  const?: unknown;
  enum?: readonly unknown[];
  anyOf?: readonly Schema[];
  items?: Schema;
  properties?: Readonly<Record<string, Schema>>;
  patternProperties?: Readonly<Record<string, Schema>>;
  additionalProperties?: boolean | Schema;
  required?: readonly string[];
  description?: string;
  format?: string;
  pattern?: string;
  [keyword: string]: unknown;
}

/** Where a shape was shown first. */
export interface Place {
  anchor: string;
  title: string;
}

/** Shows shapes, each large one once. */
export type Shapes = (schema: Schema, place: Place) => Markup;

/** Fewer fields are shown again rather than looked up elsewhere. */
const WORTH_A_LINK = 5;

/** Makes what shows the shapes of one page. */
export function createShapes(): Shapes {
  const shown = new Map<string, Place>();
  return (schema, place) => {
    const show = (one: Schema): Markup | null => {
      const inner = fieldsWithin(one);
      if (inner === null) return null;
      const key = JSON.stringify(inner.properties ?? inner);
      const before = shown.get(key);
      const isLarge = Object.keys(inner.properties ?? {}).length >= WORTH_A_LINK;
      if (isLarge && before?.anchor === place.anchor) return markup`<p class="same">Fields as above.</p>`;
      if (isLarge && before !== undefined) {
        return markup`<p class="same">Fields as under <a href="#${before.anchor}">${before.title}</a>.</p>`;
      }
      if (before === undefined) shown.set(key, place);
      return fieldList(inner, show);
    };
    const words = schema.description === undefined ? null : markup` ${prose(schema.description)}`;
    const isPlain = words === null && schema.properties !== undefined;
    const head = isPlain ? null : markup`<p class="shape">${typeOf(schema)}${words}</p>`;
    return markup`${head}${show(schema)}`;
  };
}

function fieldList({ properties = {}, required = [] }: Schema, show: (one: Schema) => Markup | null): Markup {
  const fields = Object.entries(properties).map(([name, field]) => {
    const needed = required.includes(name) ? markup` <b>required</b>` : null;
    const said = field.description ?? (field.anyOf ?? []).find(({ description }) => description)?.description;
    const words = said === undefined ? null : markup`<span class="words">${prose(said)}</span>`;
    return markup`<li><code>${name}</code> ${typeOf(field)}${needed}${boundsOf(field)}${words}${show(field)}</li>`;
  });
  return markup`<ul class="fields">${fields}</ul>`;
}

/** The object that a schema is, holds in a list, or is one of several. */
function fieldsWithin(schema: Schema): Schema | null {
  if (schema.properties !== undefined) return Object.keys(schema.properties).length > 0 ? schema : null;
  if (schema.items !== undefined) return fieldsWithin(schema.items);
  for (const one of [...(schema.anyOf ?? []), ...Object.values(schema.patternProperties ?? {})]) {
    const found = fieldsWithin(one);
    if (found !== null) return found;
  }
  return null;
}

function typeOf(schema: Schema): Markup {
  return markup`<i>${typeInWords(schema)}</i>`;
}

/** `text`, `list of objects`, `"a" | "b"`, `whole number or null`. */
export function typeInWords(schema: Schema): string {
  const { type, format, items, anyOf } = schema;
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((one) => JSON.stringify(one)).join(' | ');
  if (anyOf !== undefined) return [...new Set(anyOf.map(typeInWords))].join(' or ');
  if (type === 'array')
    return items === undefined ? 'list' : items.type === 'object' ? 'list of objects' : `list of ${typeInWords(items)}`;
  if (type === 'string') return format === 'date-time' ? 'instant' : 'text';
  if (type === 'integer') return 'whole number';
  return type ?? 'any JSON';
}

function boundsOf(schema: Schema): Markup | null {
  const of = schema.anyOf?.find((one) => one.type !== 'null') ?? schema;
  const bounds = [
    range(of['minLength'], of['maxLength'], 'characters'),
    range(of['minimum'], of['maximum'], ''),
    range(of['minItems'], of['maxItems'], 'items'),
    of['uniqueItems'] === true ? 'each once' : '',
    of.default === undefined ? '' : `default ${JSON.stringify(of.default)}`,
  ].filter((text) => text !== '');
  return bounds.length === 0 ? null : markup` <small>${bounds.join(', ')}</small>`;
}

function range(from: unknown, to: unknown, unit: string): string {
  const [low, high] = [from, to].map((bound) => (typeof bound === 'number' ? bound.toLocaleString('en') : null));
  if (low === null && high === null) return '';
  if (high === null && low === '1' && unit === 'characters') return 'not empty';
  if (low === null) return `up to ${high} ${unit}`.trim();
  if (high === null) return `from ${low} ${unit}`.trim();
  return `${low === high ? low : `${low} to ${high}`} ${unit}`.trim();
}
