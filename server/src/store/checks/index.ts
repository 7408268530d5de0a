// The checks of a store, all of them: each a row of a table in docs/doctor.md.
import type { StoreCheck } from './check.ts';
import { ENGINE_CHECKS } from './engines.ts';
import { ROW_CHECKS } from './rows.ts';
import { SEALED_CHECKS } from './sealed.ts';
import { WORK_CHECKS } from './work.ts';

export * from './check.ts';
export { openLooking } from './looking.ts';

/** What it rests on. */
export { ENGINE_CHECKS };

/** What is in it. Only of a schema that this program knows can that be said. */
export const CONTENT_CHECKS: readonly StoreCheck[] = [...ROW_CHECKS, ...WORK_CHECKS, ...SEALED_CHECKS];
