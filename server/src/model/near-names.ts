// What a mistyped name was probably meant to be: for event types, settings and commands. Pure and bounded.

/** Longest name that is compared; what is longer is cut, so one comparison costs at most 2,600 steps. */
const LONGEST = 200;
/** How many candidates are looked at. */
const CANDIDATES = 2_000;
/** Shortest part of a name that counts as a hint. */
const SHORTEST_PART = 4;

/**
 * The candidates nearest to a mistyped name, the nearest first, at most `count` of them (R116).
 * Near is: the same but for upper and lower case, a few mistypings away (one for every four characters, at most six;
 * two exchanged neighbours count as one), or one name ending or beginning with the whole of the other.
 */
export function nearNames(name: string, candidates: Iterable<string>, count = 3): string[] {
  const wanted = name.slice(0, LONGEST).toLowerCase();
  const found: { candidate: string; distance: number }[] = [];
  let looked = 0;
  for (const candidate of candidates) {
    if (++looked > CANDIDATES) break;
    const distance = nearness(wanted, candidate.slice(0, LONGEST).toLowerCase());
    if (distance !== null) found.push({ candidate, distance });
  }
  found.sort((a, b) => a.distance - b.distance || (a.candidate < b.candidate ? -1 : 1));
  // Beside a very near one, those far away only distract.
  const furthest = 2 * (found[0]?.distance ?? 0) + 1;
  return found
    .filter(({ distance }) => distance <= furthest)
    .slice(0, count)
    .map(({ candidate }) => candidate);
}

/** The end of a sentence that names near matches: `; did you mean a or b?`, or nothing when none is near. */
export function didYouMean(name: string, candidates: Iterable<string>): string {
  const near = nearNames(name, candidates);
  if (near.length === 0) return '';
  const last = near.pop() as string;
  return `; did you mean ${near.length > 0 ? `${near.join(', ')} or ${last}` : last}?`;
}

function nearness(a: string, b: string): number | null {
  if (a === b) return 0;
  const allowed = Math.min(6, Math.max(1, Math.floor(Math.max(a.length, b.length) / 4)));
  const typed = Math.abs(a.length - b.length) > allowed ? null : distanceUpTo(...withoutCommonEnds(a, b), allowed);
  if (typed !== null) return typed;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  if (short.length < SHORTEST_PART) return null;
  // A lost prefix (`com.hpe.greenlake.`) or ending is a likelier slip than anything further away than a typing error.
  return long.endsWith(short) || long.startsWith(short) ? allowed + 1 : null;
}

/** What two names begin and end with alike adds nothing to their distance; names of one catalog begin alike for long. */
function withoutCommonEnds(a: string, b: string): [string, string] {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return [a.slice(start, a.length - end), b.slice(start, b.length - end)];
}

/**
 * Optimal string alignment distance (insert, delete, replace, exchange two neighbours), or null when above `limit`.
 * Three rows are enough, since an exchange looks two rows back; and of each row only the cells within `limit` of the
 * diagonal, since every step away from it costs one.
 */
function distanceUpTo(a: string, b: string, limit: number): number | null {
  const beyond = limit + 1;
  let before = new Uint8Array(b.length + 1);
  let row = new Uint8Array(b.length + 1);
  let last = Uint8Array.from(before, (_, column) => Math.min(column, beyond));
  for (let i = 1; i <= a.length; i++) {
    row.fill(beyond);
    row[0] = Math.min(i, beyond);
    let least = at(row, 0);
    const letter = a.charCodeAt(i - 1);
    for (let j = Math.max(1, i - limit); j <= Math.min(b.length, i + limit); j++) {
      const other = b.charCodeAt(j - 1);
      let cost = Math.min(at(last, j - 1) + (letter === other ? 0 : 1), at(last, j) + 1, at(row, j - 1) + 1);
      if (i > 1 && j > 1 && letter === b.charCodeAt(j - 2) && a.charCodeAt(i - 2) === other)
        cost = Math.min(cost, at(before, j - 2) + 1);
      row[j] = cost;
      least = Math.min(least, cost);
    }
    if (least > limit) return null;
    [before, last, row] = [last, row, before];
  }
  const distance = at(last, b.length);
  return distance <= limit ? distance : null;
}

function at(row: Uint8Array, column: number): number {
  return row[column] as number;
}
