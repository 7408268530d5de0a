// `reply`: what the caller of the hook is answered. The run goes on (R86–R88, R100).
import { replyOf } from '../../model/hook/reply.ts';
import type { Action } from '../action.ts';

export const reply: Action = {
  name: 'reply',
  run: async ({ input, reply: give }) => {
    const given = replyOf(input);
    give(given);
    return { status: given.status };
  },
};
