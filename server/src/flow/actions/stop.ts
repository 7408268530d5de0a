// `stop`: the end of a run before its last step. The walk ends it.
import type { Json } from '../../model/flow/definition.ts';
import { isObject } from '../../model/flow/input-rules.ts';
import type { Action } from '../action.ts';

export const stop: Action = {
  name: 'stop',
  run: async ({ input }) => {
    const { as = 'completed', reason = 'it was stopped' } = isObject(input) ? (input as Record<string, Json>) : {};
    return { as, reason };
  },
};
