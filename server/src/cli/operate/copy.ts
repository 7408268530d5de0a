// `bellwire copy`: a whole store into another place, of the same engine or the other one.
import { copyOver } from '../../moving.ts';
import { usage } from '../failure.ts';
import { addStoreOptions, carriedJson, carriedLines, keyNames, move, type StoreOptions } from './moving.ts';
import { loadSettings } from '../begin/serve.ts';
import type { Declare, Session } from '../session.ts';

interface CopyOptions extends Omit<StoreOptions, 'store'> {
  from?: string;
  to?: string;
  whileRunning?: boolean;
}

/** What comes next, in lines that fit a screen. */
const FOR_GOOD = [
  'start the platform on the copy: the setting store, or BELLWIRE_STORE',
  'never again on what was copied: both would deliver',
];
const REHEARSAL = [
  'what is accepted from now on is not in the copy',
  'a platform on it delivers what was pending a second time: a rehearsal',
];

export const copy: Declare = (command, run) => {
  addStoreOptions(command)
    .option('--from <address>', 'The store to copy: sqlite, sqlite:<file> or postgres://…; else that of the settings')
    .option('--to <address>', 'An empty place for it')
    .option('--while-running', 'Copy a store on which a platform runs; what it accepts from then on is not in the copy')
    .addHelpText(
      'after',
      '\nA password can stay out of the addresses: PGPASSWORD. Moving step by step: docs/backup.md.',
    )
    .action(run(copyAll));
};

async function copyAll(session: Session, { from, to, whileRunning = false, ...options }: CopyOptions): Promise<void> {
  if (to === undefined) throw usage('copy needs --to, an empty place: sqlite:<file> or postgres://user@host/database');
  const settingOf = (store?: string) =>
    loadSettings({ ...options, ...(store === undefined ? {} : { store }) }, session).config.store;
  const places = { from: settingOf(from), to: settingOf(to) };
  const moved = await move(session, (wish) => copyOver(places, { whileRunning, ...wish }));
  session.show(carriedJson(moved), () => carriedLines(session, moved));
  if (moved.keys.length > 0) session.note(`its secrets need ${keyNames(moved.keys)}: the copy needs the same`);
  for (const line of whileRunning ? REHEARSAL : FOR_GOOD) session.note(line);
}
