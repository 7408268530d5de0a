// `collect`: a value for the output of the loop around it. The walk puts it there.
import type { Action } from '../action.ts';

export const collect: Action = { name: 'collect', run: async ({ input }) => input };
