// The text that a value becomes where only text fits: a word of a command, a header, a URL.
import type { Json } from '../model/flow/definition.ts';

/** What a template became, as text: nothing is the empty text, lists and objects are JSON. */
export function textOf(value: Json): string {
  return typeof value === 'string' ? value : value === null ? '' : JSON.stringify(value);
}
