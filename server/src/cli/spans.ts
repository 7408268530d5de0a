// Spans of time as options take them.
import { parseSpan } from '../model/quantities.ts';
import { usage } from './failure.ts';

/** The milliseconds of a span that an option takes. */
export function spanMs(text: string, option: string): number {
  const span = parseSpan(text.trim());
  if (span === null) throw usage(`${option} takes spans such as 250ms, 15s or 1h, not "${text}"`);
  return span;
}
