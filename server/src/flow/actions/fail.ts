// `fail`: a step that fails, with a reason.
import { ActionFailed, type Action } from '../action.ts';

export const fail: Action = {
  name: 'fail',
  run: async ({ input }) => {
    throw new ActionFailed(input as string, { retryable: false });
  },
};
