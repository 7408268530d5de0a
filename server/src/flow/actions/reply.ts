// `reply`: what the caller of the hook is answered. The run goes on (R86–R88, R100).
import type { Json } from '../../model/flow/definition.ts';
import { isObject } from '../../model/flow/input-rules.ts';
import type { HookReply } from '../../model/hook/exchange.ts';
import { textOf } from '../text-of.ts';
import type { Action } from '../action.ts';

interface ReplyInput {
  status?: number;
  headers?: Readonly<Record<string, Json>>;
  body?: Json;
}

export const reply: Action = {
  name: 'reply',
  run: async ({ input, reply: give }) => {
    const given = replyOf(isObject(input) ? input : { status: input as number });
    give(given);
    return { status: given.status };
  },
};

// What is not text is JSON; nothing is an empty body, without a header that nobody asked for (R100).
function replyOf({ status = 200, headers = {}, body = null }: ReplyInput): HookReply {
  const lines = Object.entries(headers).flatMap(([name, value]) => {
    return (Array.isArray(value) ? value : [value]).flatMap((one) => [name, textOf(one)]);
  });
  if (body === null || body === '') return { status, headers: lines, body: '' };
  const isTyped = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  const type = typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json';
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { status, headers: isTyped ? lines : ['content-type', type, ...lines], body: text };
}
