// What came of the faults, for people: a line per play, and the report of a whole run.
import type { Sum } from './ground.ts';

/** Events per second that a play is to bear; one of hooks, whose callers send one request at a time, is not asked for it. */
const RATE = 1_000;

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
    `${acknowledged} events acknowledged at ${rate}/s (${found} found to be stored when sent again, ` +
    `${unavailable} requests answered 503); ${paths.join('; ')}; no repetition of anything answered more than ` +
    `${longestBefore} ms before a fault`
  );
}

/** The report, as Markdown. */
export function reportOf(played: readonly Played[], machine: string): string {
  const groups = Map.groupBy(played, ({ fault, engine }) => `${fault}|${engine}`);
  const rows = [...groups.values()].map(rowOf);
  const slow = played.filter(({ sum }) => sum !== null && !('/hook' in sum.taken) && sum.rate < RATE);
  const failures = played.filter(({ failure }) => failure !== null);
  const skipped = played.filter(({ skip }) => skip !== null);
  return `# Faults

${machine}. Made by \`npm run faults\`; each play publishes at full speed in batches of 100 while a ledger outside the
platform syncs what was acknowledged. Four webhooks are subscribed: one gets everything and takes it; one gets everything
and refuses it at times, so that there is a backlog and retries fall due; one gets a part, first in first out; one gets a
part, first in first out per subject, and refuses it at times.

Durability: SQLite with WAL, accepts at \`synchronous = FULL\`, notes of deliveries at \`NORMAL\`; PostgreSQL with \`fsync = on\`,
accepts at \`synchronous_commit = on\`, notes of deliveries at \`off\` (\`wal_writer_delay\` 200 ms).

Of every play it is checked that

- each acknowledged event arrived at each webhook that is subscribed to it, always under one \`webhook-id\`, and nothing
  else did;
- nothing arrived again but what was under way when something went wrong, or was answered shortly before (the last column;
  allowed are 1,000 ms on SQLite and 1,600 ms on PostgreSQL: the settle timer, the commit, three times \`wal_writer_delay\`);
- in the lines that are first in first out nothing arrived before all that is earlier had been taken;
- nothing is left open or dead, and the webhooks whose endpoints always answered were never anything but active;
- publishers were answered 503 with \`Retry-After\` while the store was away, and went on by themselves;
- of requests to a hook, each that was answered 2xx is kept and has exactly one row in the sheet, though some were sent
  again on purpose, and no run is left queued or running;
- no page of the SQLite file is damaged (\`PRAGMA integrity_check\`).

| fault | engine | times | acknowledged | lost | again | inversions | 503 | events/s | answered before a fault, repeated |
|---|---|---|---|---|---|---|---|---|---|
${rows.join('\n')}

\`events/s\` is what was acknowledged while nothing was wrong, the restarts left out; from the slowest play to the fastest; \`again\` counts deliveries of
all four webhooks.${slow.length === 0 ? '' : ` ${slow.length} of ${played.length} plays published fewer than ${RATE.toLocaleString('en')}/s: the machine was busy with other things.`} Requests to a hook come one
at a time from each caller, not by the hundred.

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
    sums.length === plays.length ? 0 : 'see below',
    total(({ unavailable }) => unavailable),
    spanOf(sums.map(({ rate }) => rate)),
    `${Math.max(0, ...sums.map(({ longestBefore }) => longestBefore))} ms`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function spanOf(numbers: readonly number[]): string {
  if (numbers.length === 0) return '';
  const [least, most] = [Math.min(...numbers), Math.max(...numbers)];
  return least === most ? String(most) : `${least}–${most}`;
}
