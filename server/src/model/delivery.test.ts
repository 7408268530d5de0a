import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shownDeliveryState } from './delivery.ts';
import type { Health, Intent } from './webhook.ts';

test('R51 R124 an open delivery is held while its webhook may not be sent to, and scheduled otherwise', () => {
  const shown = (intent: Intent, health: Health): string => shownDeliveryState('open', intent, health);
  assert.deepEqual([shown('enabled', 'active'), shown('enabled', 'warning')], ['scheduled', 'scheduled']);
  for (const health of ['pending', 'critical'] as const) assert.equal(shown('enabled', health), 'held');
  for (const intent of ['paused', 'disabled'] as const) assert.equal(shown(intent, 'active'), 'held');
});

test('R124 what has ended is shown as it ended, whatever the webhook is now', () => {
  for (const intent of ['enabled', 'paused', 'disabled'] as const) {
    assert.equal(shownDeliveryState('delivered', intent, 'critical'), 'delivered');
    assert.equal(shownDeliveryState('dead', intent, 'active'), 'dead');
  }
});
