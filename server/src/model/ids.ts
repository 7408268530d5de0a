// Public identifiers: how a row's key is written for people and read back. Pure.
//
// Every workspace counts its own numbers, one counter for all that it holds, given in commit order. A public id is
// the kind, the workspace's random token and the number(s) in base 36: `evt_k3v9x2m4q7_2s` is event 100 of that
// workspace, `dlv_k3v9x2m4q7_2s_7` the delivery of that event to webhook 7 (a third number: the copy a replay made).
// The token makes ids unique over workspaces and installations, so a receiver that meets two of them never takes one
// delivery for another, and an id of a foreign workspace is recognised without a look-up.

/** What an id can name. */
export type IdKind = 'ws' | 'evt' | 'wh' | 'sub' | 'dlv' | 'bat' | 'att' | 'key' | 'op' | 'ers' | 'grp' | 'pp' | 'req';

/** An id taken apart. `numbers` is empty for a workspace. */
export interface ParsedId {
  kind: IdKind;
  token: string;
  numbers: number[];
}

/** Letters and digits that cannot be taken for one another (Crockford's base 32, lower case). */
const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A workspace token has ten characters: 50 random bits. */
export const TOKEN_LENGTH = 10;

const FORM = /^(ws|evt|wh|sub|dlv|bat|att|key|op|ers|grp|pp|req)_([0-9a-hjkmnp-tv-z]{10})((?:_[0-9a-z]{1,11})*)$/;
const COUNTS: Record<IdKind, readonly number[]> = {
  ws: [0],
  evt: [1],
  wh: [1],
  sub: [1],
  dlv: [2, 3],
  bat: [2],
  att: [3, 4],
  key: [1],
  op: [1],
  ers: [1],
  grp: [1],
  pp: [1],
  req: [1],
};

/** A token from at least ten random bytes; the low five bits of each are used. */
export function makeToken(random: Uint8Array): string {
  let token = '';
  for (let i = 0; i < TOKEN_LENGTH; i++) token += ALPHABET[(random[i] ?? 0) & 31];
  return token;
}

/** Writes an id. The numbers are positive integers below 2^53. */
export function formatId(kind: IdKind, token: string, ...numbers: number[]): string {
  let id = `${kind}_${token}`;
  for (const number of numbers) id += `_${number.toString(36)}`;
  return id;
}

/** Reads an id back, or `null` for anything that `formatId` would not have written. */
export function parseId(text: string): ParsedId | null {
  const match = FORM.exec(text);
  if (!match) return null;
  const kind = match[1] as IdKind;
  const parts = match[3] === '' ? [] : match[3]!.slice(1).split('_');
  if (!COUNTS[kind].includes(parts.length)) return null;
  const numbers = parts.map((part) => parseInt(part, 36));
  const exact = numbers.every((number, i) => Number.isSafeInteger(number) && number.toString(36) === parts[i]);
  return exact ? { kind, token: match[2]!, numbers } : null;
}

/** The key of a delivery: one event for one target; `copy` is 0 for the publish and counts up with replays. */
export interface DeliveryKey {
  workspace: number;
  event: number;
  target: number;
  copy: number;
}

/** The delivery's public id, which is also its `webhook-id` over all tries (Standard Webhooks 1.0). */
export function deliveryId(token: string, key: DeliveryKey): string {
  return key.copy === 0
    ? formatId('dlv', token, key.event, key.target)
    : formatId('dlv', token, key.event, key.target, key.copy);
}

/** A batch's public id, which is also its `webhook-id` over all tries; batches are counted by their webhook. */
export function batchId(token: string, target: number, batch: number): string {
  return formatId('bat', token, target, batch);
}
