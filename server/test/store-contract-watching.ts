// The store's contract about those who watch its transactions, shown on one engine.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { StoreWatch } from '../src/store/index.ts';
import { addWorkspace, furnish, mustPublish, openOf, settle, settlementOf, someEvents } from './store-furniture.ts';
import type { Prepare } from './store-ground.ts';

export function exerciseWatching(engine: string, prepare: Prepare): void {
  test(`${engine}: each transaction is told with what it was for, how many shared it, and how long it took`, async (t) => {
    const told: Parameters<StoreWatch['commit']>[0][] = [];
    let outages = 0;
    const watch = { commit: (commit: (typeof told)[number]) => void told.push(commit), outage: () => void outages++ };
    const store = await (await prepare(t)).open({ watch });
    const place = await furnish(store);
    assert.ok(told.every(({ kind, size }) => kind === 'other' && size === 1));
    told.length = 0;
    await mustPublish(place, someEvents(3));
    await settle(store, ...(await openOf(place, place.target)).map((one) => settlementOf(one)));
    assert.deepEqual(
      told.map(({ kind, size }) => [kind, size]),
      [
        ['accept', 3],
        ['settle', 3],
      ],
    );
    for (const { waitedMs, tookMs } of told) assert.ok(waitedMs >= 0 && tookMs > 0);
    await store.close();
    await assert.rejects(addWorkspace(store, 'late'));
    assert.equal(outages, 1);
    // Whoever publishes is looked up first: an outage is mostly met by those who read.
    await assert.rejects(store.settings.workspaces());
    await assert.rejects(store.log.counts(0));
    assert.equal(outages, 3);
  });
}
