// The heart of the promise: whatever goes wrong, nothing that was acknowledged is lost. `npm run faults` plays longer.
import { test } from 'node:test';
import { describeSum } from './faults/report.ts';
import type { Scale } from './faults/fault.ts';
import { faults } from './faults/faults.ts';
import { startPostgres, withoutPostgres } from './kit/postgres.ts';

/** Numbers from a seed, so that a failure can be played again: `BELLWIRE_TEST_SEED=… npm test test/faults.test.ts`. */
const seed = Number(process.env['BELLWIRE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const scale: Scale = { kills: 3, awayMs: 2_000, timeoutMs: 1_000 };

for (const fault of faults) {
  for (const engine of fault.engines) {
    const skip = fault.skip || (engine === 'PostgreSQL' && withoutPostgres);
    test(`${fault.shows} nothing acknowledged is lost when ${fault.name}: ${engine}`, { skip }, async (t) => {
      // Durability is what is tested, so this server syncs; a fault of its own must not meet another test.
      const postgres = engine === 'PostgreSQL' ? await startPostgres({ fsync: true }) : null;
      t.after(() => postgres?.stop());
      const sum = await fault.play({ engine, postgres, seed, scale });
      t.diagnostic(`${describeSum(sum)}; seed ${seed}`);
    });
  }
}
