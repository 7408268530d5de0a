// Keeps the values of secrets out of what is written down and shown: each value, and the forms it usually takes on its way.
import { MASK } from '../headers.ts';
import type { Json } from './definition.ts';

/** Takes secrets out of texts and values. */
export interface Masker {
  text(text: string): string;
  /** Names and numbers are looked at, too. The value must not nest deeper than a stack allows (bounds.ts). */
  json(value: Json): Json;
}

/** A part of a multi-line secret that is shorter says too little to be worth hiding, and occurs everywhere. */
const SHORTEST_LINE = 8;
/** What three letters of base64 or hex stand for occurs by chance. */
const SHORTEST_FORM = 4;

/** Makes one for these values. Without any it costs nothing. */
export function createMasker(values: readonly string[]): Masker {
  const forms = [...new Set(values.flatMap(formsOf))].toSorted((a, b) => b.length - a.length);
  if (forms.length === 0) return { text: (text) => text, json: (value) => value };
  const pattern = new RegExp(forms.map((form) => form.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&')).join('|'), 'g');
  const text = (words: string): string => words.replace(pattern, MASK);
  return { text, json: (value) => maskJson(value, text) };
}

/** Was something taken out of this value? */
export function isMasked(value: Json): boolean {
  return JSON.stringify(value).includes(MASK);
}

function maskJson(value: Json, mask: (text: string) => string): Json {
  if (typeof value === 'string') return mask(value);
  if (typeof value === 'number') {
    const digits = String(value);
    const masked = mask(digits);
    return masked === digits ? value : masked;
  }
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => maskJson(item, mask));
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [mask(name), maskJson(item, mask)]));
}

function formsOf(value: string): string[] {
  if (value === '') return [];
  const lines = value.split(/\r?\n/).filter((line) => line.length >= SHORTEST_LINE);
  const plain = [value, value.trim(), ...lines].filter((form) => form !== '');
  return [...plain, ...plain.flatMap(encodedForms).filter((form) => form.length >= SHORTEST_FORM)];
}

function encodedForms(value: string): string[] {
  const url = encodeURIComponent(value.toWellFormed());
  return [
    JSON.stringify(value).slice(1, -1),
    url,
    url.replace(/%../g, (escape) => escape.toLowerCase()),
    url.replaceAll('%20', '+'),
    Buffer.from(value).toString('hex'),
    ...[0, 1, 2].flatMap((offset) => base64Inside(value, offset)),
  ];
}

// In `Basic base64(user:password)` the value does not begin where a group of base64 begins. Of each of the three ways it
// may lie, these are the characters that depend on nothing but the value.
function base64Inside(value: string, offset: number): string[] {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(value)]);
  const inside = bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
  return [inside, inside.replaceAll('+', '-').replaceAll('/', '_')];
}
