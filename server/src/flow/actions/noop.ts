// `noop`: does nothing. For trying out triggers, concurrency and what follows the end.
import type { Action } from '../action.ts';

export const noop: Action = { name: 'noop', run: async () => null };
