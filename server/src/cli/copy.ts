// `bellwire copy`: a whole store into another place, of the same engine or the other one.
import { copyOver } from '../moving.ts';
import { usage } from './failure.ts';
import { addStoreOptions, carriedJson, carriedLines, keyNames, move, type StoreOptions } from './moving.ts';
import { loadSettings } from './serve.ts';
import type { Declare, Session } from './session.ts';

interface CopyOptions extends Omit<StoreOptions, 'store'> {
  from?: string;
  to?: string;
  whileRunning?: boolean;
}

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
  if (moved.keys.length > 0)
    session.note(`its secrets need ${keyNames(moved.keys)}: a platform on the copy needs the same keys`);
  session.note(
    whileRunning
      ? 'what was accepted since is not in the copy, and two platforms on the two would deliver everything twice: a drill'
      : 'start the platform on the copy (setting store), and never again on what it was copied from',
  );
}
