// `wait`: for a span, or until an instant. Its end is written down first, so a restart does not begin it anew.
import { parseDateTime } from '../../model/cloud-events/index.ts';
import type { Clock } from '../../model/clock.ts';
import type { Json } from '../../model/flow/definition.ts';
import { isObject } from '../../model/flow/input-rules.ts';
import { parseSpan } from '../../model/quantities.ts';
import type { Action } from '../action.ts';

/** Makes it. */
export function createWait(clock: Pick<Clock, 'now'>): Action {
  return {
    name: 'wait',
    run: async ({ input, former, note, sleepUntil }) => {
      const noted = isObject(former) ? (former as { until?: string }).until : undefined;
      const at = noted === undefined ? endOf(input, clock.now()) : Date.parse(noted);
      const output = { until: new Date(at).toISOString() };
      if (noted === undefined) await note(output);
      if (at > clock.now()) await sleepUntil(at);
      return output;
    },
  };
}

function endOf(input: Json, now: number): number {
  const { for: span = null, until } = (isObject(input) ? input : { for: input }) as { for?: Json; until?: Json };
  if (until === undefined) return now + (parseSpan(span as string | number) as number);
  return typeof until === 'number' ? until : Math.ceil(parseDateTime(until as string) as number);
}
