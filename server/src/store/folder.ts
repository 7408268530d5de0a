// The folder that data lives in, made when it is missing, for nobody else on this machine.
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

/** Makes a folder and those above it (mode 0700). Throws in words where that cannot be. */
export function makeFolder(folder: string): void {
  const path = resolve(folder);
  try {
    // Level by level: Node's own `recursive` never returns where a folder can be named but not made, such as in /proc.
    for (const level of missingLevels(path)) makeLevel(level);
    if (!statSync(path).isDirectory()) throw new Error('there is a file of that name');
  } catch (error) {
    throw new Error(`cannot make the data folder ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** The folder and those above it that are not there, the topmost first. */
function missingLevels(path: string): string[] {
  const missing: string[] = [];
  for (let at = path; !existsSync(at) && at !== dirname(at); at = dirname(at)) missing.unshift(at);
  return missing;
}

function makeLevel(level: string): void {
  try {
    mkdirSync(level, { mode: 0o700 });
  } catch (error) {
    // Another start may have made it meanwhile; that it is a folder is seen by what comes next.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
