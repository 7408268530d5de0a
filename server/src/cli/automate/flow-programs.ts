// Programs that build documents: a file that was named is imported, and what it exports by default is read as YAML.
import { registerHooks } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { DocumentFile } from '../../model/flow/document/index.ts';
import { isBuilt, toYaml, type Built } from '../../model/flow/builder/index.ts';
import { usage } from '../failure.ts';
import type { Terminal } from '../terminal.ts';

/** Is it a program that would be run? Only files that somebody named are, never what lies in a folder. */
export function isProgram(name: string): boolean {
  return /(?<!\.d)\.m?[jt]s$/i.test(name);
}

/** Runs a program; the documents that it exports by default, one or a list. */
export async function runProgramOf(name: string, { folder }: Terminal): Promise<DocumentFile> {
  findBuilder();
  const exported = await load(name, pathToFileURL(resolve(folder, name)).href);
  const documents: unknown[] = Array.isArray(exported) ? exported : [exported];
  const wrong = documents.findIndex((one) => !isBuilt(one));
  if (documents.length === 0 || wrong >= 0) {
    const which = Array.isArray(exported) && documents.length > 0 ? `, and entry ${wrong} of it is none` : '';
    throw usage(`${name} must export by default what scenario(), job() or sheet() of bellwire/flows made${which}`);
  }
  // Places in faults are those of the text that was made.
  return { name: `${name} (as YAML)`, text: toYaml(...(documents as Built[])) };
}

async function load(name: string, url: string): Promise<unknown> {
  try {
    return ((await import(url)) as { default?: unknown }).default;
  } catch (error) {
    throw usage(`cannot run ${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

let isFound = false;

/** The program need not have Bellwire installed beside it: `bellwire/flows` is the builder of this command line. */
function findBuilder(): void {
  if (isFound) return;
  isFound = true;
  const builder = import.meta.resolve(
    `../../model/flow/builder/index.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`,
  );
  registerHooks({
    resolve: (specifier, context, next) => next(specifier === 'bellwire/flows' ? builder : specifier, context),
  });
}
