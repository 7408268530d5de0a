// `bellwire shapes`: the structures of samples, or those that documents have, as fields for a document or as TypeScript.
import { stat } from 'node:fs/promises';
import { basename, extname, resolve } from 'node:path';
import { shapeTypes } from '../../model/hook/shapes/declare.ts';
import { inferShape } from '../../model/hook/shapes/infer.ts';
import { writeShape } from '../../model/hook/shapes/notation.ts';
import type { Json, NamedShape } from '../../model/flow/definition.ts';
import { readable, readDocuments, readSamples } from '../automate/documents.ts';
import { usage } from '../failure.ts';
import { readBytes } from '../input.ts';
import type { Declare, Session } from '../session.ts';

interface ShapesOptions {
  ts?: boolean;
  name?: string;
}

export const shapes: Declare = (command, run) => {
  command
    .argument('<file...>', 'Samples (JSON; - is stdin), or documents with scenarios (.yaml, or folders of them)')
    .option('--ts', 'As TypeScript types')
    .option('--name <name>', 'One shape of all samples, of this name; else each is called as its file')
    .action(run(show));
};

async function show(session: Session, { ts, name }: ShapesOptions, files: string[]): Promise<void> {
  const all = files.flat();
  const documents: string[] = [];
  for (const file of all) if (/\.ya?ml$/i.test(file) || (await isFolder(file, session))) documents.push(file);
  const samples = all.filter((file) => !documents.includes(file));
  const found = [...(await ofDocuments(documents, session)), ...(await ofSamples(samples, name, session))];
  if (found.length === 0) throw usage('there is no shape in these files');
  const fields = Object.fromEntries(found.map((one) => [one.name, { fields: writeShape(one.shape) }]));
  if (ts === true) return session.show({ types: shapeTypes(found) }, () => shapeTypes(found).trimEnd().split('\n'));
  const { stringify } = await import('yaml');
  session.show({ shapes: fields }, () => stringify({ shapes: fields }).trimEnd().split('\n'));
}

async function isFolder(file: string, { terminal }: Session): Promise<boolean> {
  const found = await stat(resolve(terminal.folder, file)).catch(() => null);
  return found?.isDirectory() === true;
}

/** Shapes of the same name are shown once: one document may have several scenarios that know the same. */
async function ofDocuments(paths: readonly string[], { terminal, signal }: Session): Promise<NamedShape[]> {
  if (paths.length === 0) return [];
  const files = await readDocuments(paths, terminal, signal);
  const flows = readable(files, await readSamples(files, terminal)).map(({ flow }) => flow);
  const named = flows.flatMap((flow) => (flow.kind === 'scenario' ? flow.hook.shapes : []));
  return [...new Map(named.map((shape) => [shape.name, shape])).values()];
}

async function ofSamples(
  files: readonly string[],
  name: string | undefined,
  { terminal, signal }: Session,
): Promise<NamedShape[]> {
  const samples: { name: string; sample: Json }[] = [];
  for (const file of files) {
    const text = (await readBytes(file, terminal, signal)).toString();
    samples.push({ name: file === '-' ? 'body' : basename(file, extname(file)), sample: jsonOf(file, text) });
  }
  if (samples.length === 0) return [];
  if (name !== undefined) return [{ name, shape: inferShape(samples.map(({ sample }) => sample)) }];
  return samples.map(({ name: own, sample }) => ({ name: own, shape: inferShape([sample]) }));
}

function jsonOf(file: string, text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    throw usage(`${file} is not JSON: ${(error as Error).message}`);
  }
}
