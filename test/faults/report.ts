// What came of the faults, for people: a line per play, and the report of a whole run.
import type { Sum } from './ground.ts';

/** One play of a fault. */
export interface Played {
  fault: string;
  engine: string;
  seed: number;
  /** How often the fault struck. */
  times: number;
  sum: Sum | null;
  failure: string | null;
  /** Why it was not played. */
  skip: string | null;
}

/** One line. */
export function describeSum({ acknowledged, found, unavailable, rate, taken, longestBefore }: Sum): string {
  const paths = Object.entries(taken).map(([path, { again }]) => `${path} took all, ${again} of them again`);
  return (
    `${acknowledged} events acknowledged at up to ${rate}/s (${found} found to be stored when sent again, ` +
    `${unavailable} requests answered 503); ${paths.join('; ')}; no repetition of anything answered more than ` +
    `${longestBefore} ms before a fault`
  );
}

/** The report, as Markdown. */
export function reportOf(played: readonly Played[], machine: string): string {
  const groups = Map.groupBy(played, ({ fault, engine }) => `${fault}|${engine}`);
  const rows = [...groups.values()].map(rowOf);
  const failures = played.filter(({ failure }) => failure !== null);
  const skipped = played.filter(({ skip }) => skip !== null);
  return `# Faults

${machine}. Made by \`npm run faults\`; each play publishes at full speed in batches of 100 to two webhooks, one of them
refusing what it gets at times so that retries fall due, while a ledger outside the platform syncs what was acknowledged.

Durability: SQLite with WAL, accepts at \`synchronous = FULL\`, notes of deliveries at \`NORMAL\`; PostgreSQL with \`fsync = on\`,
accepts at \`synchronous_commit = on\`, notes of deliveries at \`off\`.

Of every play it is checked that each acknowledged event arrived at both webhooks, always under one \`webhook-id\`; that
nothing arrived again but what was under way or answered shortly before a fault (the last column; allowed are 1,000 ms on
SQLite and 1,600 ms on PostgreSQL); that nothing is left open or dead; that the well webhook was never anything but active.

| fault | engine | times | acknowledged | lost | again | 503 | events/s | answered before a fault, repeated |
|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

${failures.length === 0 ? 'Nothing failed.' : failures.map(({ fault, engine, seed, failure }) => `**Failed**: ${fault}, ${engine}, seed ${seed}: ${failure}`).join('\n')}
${skipped.map(({ fault, engine, skip }) => `Not played: ${fault}, ${engine}: ${skip}.`).join('\n')}

Seeds, to play one again with \`npm run faults -- --seed=N --only="…"\`: ${[...new Set(played.map(({ seed }) => seed))].join(', ')}.
`;
}

function rowOf(plays: readonly Played[]): string {
  const { fault, engine } = plays[0]!;
  const sums = plays.flatMap(({ sum }) => (sum ? [sum] : []));
  const total = (count: (sum: Sum) => number): number => sums.reduce((all, sum) => all + count(sum), 0);
  const again = total(({ taken }) => Object.values(taken).reduce((all, path) => all + path.again, 0));
  const cells = [
    fault,
    engine,
    plays.reduce((all, { times }) => all + times, 0),
    total(({ acknowledged }) => acknowledged),
    sums.length === plays.length ? 0 : 'see below',
    again,
    total(({ unavailable }) => unavailable),
    Math.max(0, ...sums.map(({ rate }) => rate)),
    `${Math.max(0, ...sums.map(({ longestBefore }) => longestBefore))} ms`,
  ];
  return `| ${cells.join(' | ')} |`;
}
