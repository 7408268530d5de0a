// The checks of a store, all of them: each a row of the table in docs/doctor.md.
import type { StoreCheck } from './check.ts';
import { ENGINE_CHECKS } from './engines.ts';
import { ROW_CHECKS } from './rows.ts';
import { SEALED_CHECKS } from './sealed.ts';
import { WORK_CHECKS } from './work.ts';

export * from './check.ts';
export { openLooking } from './looking.ts';

/** In the order in which they are told: without its pages and its schema nothing can be said of a store. */
export const STORE_CHECKS: readonly StoreCheck[] = [...ENGINE_CHECKS, ...ROW_CHECKS, ...WORK_CHECKS, ...SEALED_CHECKS];
