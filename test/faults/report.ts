// What came of the faults, for people: a line per play, and the table of a whole run.
import type { Sum } from './ground.ts';

/** One line. */
export function describeSum({ acknowledged, found, unavailable, rate, taken, longestBefore }: Sum): string {
  const paths = Object.entries(taken).map(([path, { again }]) => `${path} took all, ${again} of them again`);
  return (
    `${acknowledged} events acknowledged at up to ${rate}/s (${found} found to be stored when sent again, ` +
    `${unavailable} requests answered 503); ${paths.join('; ')}; no repetition of anything answered more than ` +
    `${longestBefore} ms before a fault`
  );
}
