// How large a value of a run may be: what a step takes in or gives out is kept in its row, and in memory for later steps.
import type { Json } from '../model/flow/definition.ts';
import { formatSize } from '../model/quantities.ts';

/** Lists and objects nest at most this deep. */
export const MAX_DEPTH = 100;

/** Why a value is too large to be kept, as a clause that names the setting; null when it is not. Any depth may be judged. */
export function sizeFault(value: Json, maxBytes: number): string | null {
  // A stack of its own: a recursion would overflow on what is about to be refused.
  const waiting: [Json, number][] = [[value, 0]];
  let bytes = 0;
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const [one, depth] = next;
    if (depth > MAX_DEPTH) return `nests deeper than ${MAX_DEPTH} levels`;
    bytes += typeof one === 'string' ? Buffer.byteLength(one) + 3 : 6;
    if (typeof one === 'object' && one !== null) {
      if (Array.isArray(one)) for (const item of one) waiting.push([item, depth + 1]);
      else {
        for (const [name, item] of Object.entries(one)) {
          bytes += Buffer.byteLength(name) + 4;
          waiting.push([item, depth + 1]);
        }
      }
    }
    if (bytes > maxBytes) return `is larger than ${formatSize(maxBytes)} (flows.stepOutput)`;
  }
  return null;
}
