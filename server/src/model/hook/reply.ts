// What a `reply` step says, as the caller of the hook gets it (R86–R88, R100). Pure.
import type { Json } from '../json-value.ts';
import type { HookReply } from './exchange.ts';

/** What a `reply` step says, checked: a status alone, or a map. */
export interface ReplyInput {
  status?: number;
  headers?: Readonly<Record<string, Json>>;
  body?: Json;
}

/** What the value of a header may be, by the rule of the action. */
type Scalar = string | number | boolean;

/** The reply of a step. What is not text is JSON; nothing is an empty body, without a header nobody asked for (R100). */
export function replyOf(input: Json): HookReply {
  const isMap = typeof input === 'object' && input !== null && !Array.isArray(input);
  const { status = 200, headers = {}, body = null }: ReplyInput = isMap ? input : { status: input as number };
  const lines = Object.entries(headers).flatMap(([name, value]) => {
    const values = (Array.isArray(value) ? value : [value]) as (Scalar | null)[];
    // A field that the request does not have leaves its header out, as it leaves a cell of a sheet empty.
    return values.flatMap((one) => (one === null ? [] : [name, String(one)]));
  });
  if (body === null || body === '') return { status, headers: lines, body: '' };
  const isTyped = lines.some((line, at) => at % 2 === 0 && line.toLowerCase() === 'content-type');
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: isTyped ? lines : ['content-type', type, ...lines], body: text };
}
