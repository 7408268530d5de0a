// `bellwire restore`: a store made of a backup, where there is none yet.
import { resolve } from 'node:path';
import { bringBack, checkBackup } from '../../moving.ts';
import { addStoreOptions, carriedJson, carriedLines, keyNames, move, type StoreOptions } from './moving.ts';
import { loadSettings, near } from '../begin/serve.ts';
import type { Declare, Session } from '../session.ts';

/** What whoever restores has to know, in lines that fit a screen. */
const MEANING = [
  'what was delivered since then comes again, under the same webhook-id',
  'what was accepted since then is gone; no id of it comes twice',
  'what was deleted, rotated or erased since then is there again: do it once more',
];

export const restore: Declare = (command, run) => {
  addStoreOptions(command)
    .argument('<file>', 'A backup that bellwire backup has written')
    .option('--check', 'Read all of it, compare it with what it says of itself, and restore nothing')
    .addHelpText('after', '\nThe keys of its secrets have to be there first. What a restore means: docs/backup.md.')
    .action(run(restoreBackup));
};

async function restoreBackup(
  session: Session,
  { check = false, ...options }: StoreOptions & { check?: boolean },
  [named = '']: string[],
): Promise<void> {
  const { folder } = session.terminal;
  const file = resolve(folder, named);
  if (check) return lookThrough(session, file);
  const { config } = loadSettings(options, session);
  const moved = await move(session, (wish) => bringBack(config, { file, ...wish }));
  const taken = new Date(moved.takenAt).toISOString();
  session.show({ file, store: config.store.kind, ...carriedJson(moved) }, () => [
    `restored from ${near(file, folder)}, as it was at ${taken}`,
    ...carriedLines(session, moved),
  ]);
  for (const line of MEANING) session.note(line);
  session.note('start it: npx bellwire serve');
}

async function lookThrough(session: Session, file: string): Promise<void> {
  const moved = await move(session, (wish) => checkBackup(file, wish));
  session.show({ file, ...carriedJson(moved) }, () => [
    `${near(file, session.terminal.folder)} is whole, as it was at ${new Date(moved.takenAt).toISOString()}`,
    ...carriedLines(session, moved),
  ]);
  if (moved.keys.length > 0) session.note(`its secrets need ${keyNames(moved.keys)}`);
}
