// `bellwire backup`: the whole store as one file, while the platform runs.
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { formatSize } from '../../model/quantities.ts';
import { backUp } from '../../moving.ts';
import { addStoreOptions, carriedJson, carriedLines, keyNames, move, type StoreOptions } from './moving.ts';
import { loadSettings, near } from '../begin/serve.ts';
import type { Declare, Session } from '../session.ts';

export const backup: Declare = (command, run) => {
  addStoreOptions(command)
    .argument('<file>', 'Where to write it; what is there already is left alone')
    .option('--replace', 'Take the place of a backup of that name, once this one is whole')
    .addHelpText('after', '\nThe keys of its secrets are never in it. Everything else: docs/backup.md.')
    .action(run(backUpStore));
};

async function backUpStore(
  session: Session,
  { replace = false, ...options }: StoreOptions & { replace?: boolean },
  [named = '']: string[],
): Promise<void> {
  const { folder } = session.terminal;
  const file = resolve(folder, named);
  const { config } = loadSettings(options, session);
  const moved = await move(session, (wish) => backUp(config, { file, replaces: replace, ...wish }));
  const bytes = statSync(file).size;
  session.show({ file, bytes, ...carriedJson(moved) }, () => [
    `${near(file, folder)}  ${formatSize(bytes)}, as it was at ${new Date(moved.takenAt).toISOString()}`,
    ...carriedLines(session, moved),
  ]);
  if (moved.keys.length > 0) {
    session.note(`its secrets need ${keyNames(moved.keys)}: not in the backup, keep a copy elsewhere`);
  }
  session.note(`is it whole? npx bellwire restore ${near(file, folder)} --check`);
}
