// `stop`: the end of a run before its last step. The walk ends it.
import { isObject } from '../../model/flow/input-rules.ts';
import type { Action } from '../action.ts';

export const stop: Action = {
  name: 'stop',
  run: async ({ input }) => {
    const { as = 'completed', reason = 'it was stopped' } = isObject(input) ? input : {};
    return { as, reason };
  },
};
