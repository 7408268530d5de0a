// `bellwire import`: a blueprint of Make becomes a document; what could not be carried over is told. Needs no platform.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { importBlueprint, type Loss } from '../../model/flow/blueprint/index.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { readBytes, reasonOf } from '../input.ts';
import type { Declare, Session } from '../session.ts';
import { plain } from '../terminal.ts';

export const importCommand: Declare = (command, run) => {
  command
    .argument('<file>', 'A scenario that Make exported as a blueprint, or - for stdin')
    .option('--out <file>', 'Write the document there, not to stdout; folders are made')
    .action(run(importFile));
};

async function importFile(session: Session, { out }: { out?: string }, [file = '-']: string[]): Promise<void> {
  const { terminal, signal } = session;
  const text = (await readBytes(file, terminal, signal)).toString().replace(/^\uFEFF/, '');
  const made = importBlueprint(text);
  if (!made.ok) throw new Failure(`${file}: ${made.message}`, EXIT.failed, 'invalid-document');
  const { name, yaml, losses } = made;
  if (out !== undefined) await keep(resolve(terminal.folder, out), out, yaml);
  const shown = out === undefined ? { name, yaml, losses } : { name, file: out, losses };
  session.show(shown, () => (out === undefined ? yaml.trimEnd().split('\n') : [`${out}  scenario ${plain(name)}`]));
  for (const loss of losses) session.note(plain(lineOf(loss)));
}

/** Never over a file that is there: it may have been mended since. */
async function keep(path: string, named: string, yaml: string): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, yaml, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw usage(`${named} is there already`);
    throw usage(`cannot write ${named}: ${reasonOf(error)}`);
  }
}

function lineOf({ module, what, why, hand }: Loss): string {
  return module === null ? `${what}: ${why}; ${hand}` : `module ${module} (${what}): ${why}; ${hand}`;
}
