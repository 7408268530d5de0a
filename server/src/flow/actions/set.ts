// `set`: variables that later expressions see by their names. The walk puts them into the scope.
import type { Action } from '../action.ts';

export const set: Action = { name: 'set', run: async ({ input }) => input };
