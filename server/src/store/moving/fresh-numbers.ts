// What a store that comes back from a backup must not give twice: numbers. Ids, and so the `webhook-id` that receivers know
// events by, are made of them.
//
// What was accepted after the backup was taken had numbers that the restored store would give again. How many those were
// nobody can know any more. So all that counts goes on from a number that no store can have reached: the microseconds since
// 2026 began, when there was none yet. No workspace gives a million numbers a second (the quickest that was measured gave
// some twenty thousand), so at any instant all that was ever given, by whichever of several restored stores, is below; and
// what is given from here on is above. It takes 285 years until they no longer fit into 2^53.
//
// Readers that continue after a number see a gap, as they do where retention has been. Pages that look through a stretch of
// numbers leap over it (../gaps.ts).
import { MoveRefusal, type Target } from './ends.ts';

const BEGINNING = Date.UTC(2026, 0, 1);
const PER_MS = 1_000;

/** A clock that is this much behind may be out by chance; more would undo what is written above. */
const MOST_BEHIND_MS = 3_600_000;

/** Columns that count, each with what its numbers name. */
const COUNTERS: readonly { table: string; column: string; names: string }[] = [
  { table: 'workspaces', column: 'head', names: 'events, webhooks, runs, requests and all else that has an id' },
  { table: 'webhooks', column: 'batches', names: 'batches' },
  { table: 'sheets', column: 'last_number', names: 'rows of sheets' },
  { table: 'lanes', column: 'epoch', names: 'owners of lanes: one that still believes in its lane is refused' },
];

/** The number that all counting goes on from at an instant. */
export function freshNumber(now: number): number {
  return (now - BEGINNING) * PER_MS;
}

/**
 * Lets all that counts go on from the {@link freshNumber} of `now`. Throws {@link MoveRefusal} where the clock says that the
 * backup is yet to be taken: then the rule above does not hold.
 */
export async function giveFreshNumbers(
  target: Target,
  { now, takenAt }: { now: number; takenAt: number },
): Promise<void> {
  if (now < takenAt - MOST_BEHIND_MS) {
    const [clock, taken] = [new Date(now).toISOString(), new Date(takenAt).toISOString()];
    throw new MoveRefusal(
      `the clock of this machine says ${clock}, which is before ${taken}, when this was taken: set it right`,
    );
  }
  const fresh = freshNumber(now);
  for (const { table, column } of COUNTERS) {
    await target.run(`UPDATE ${table} SET ${column} = $1 WHERE ${column} < $1`, [fresh]);
  }
  // Counted per event and webhook, from 1 on where there is none: what a replay makes.
  await target.run(
    `INSERT INTO installation (name, value) VALUES ('copies', $1) ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value`,
    [String(fresh)],
  );
  await target.run(`UPDATE installation SET value = $1 WHERE name = 'workspaces' AND length(value) < length($1)`, [
    String(fresh),
  ]);
}

/** Takes every lane from its owner: nobody's session reaches from one store into another. */
export async function freeLanes(target: Target): Promise<void> {
  await target.run('UPDATE lanes SET node = NULL, leased_until = 0, epoch = epoch + 1');
}
