// Samples: files beside a document that it names, such as the bodies that senders send. They are read by whoever has the
// documents, and handed in.
import type { Json } from '../definition.ts';
import type { Faults } from './fault.ts';
import { jsonOf } from './fields.ts';
import { readSource, type DocumentFile, type MapValue, type Value } from './source.ts';

/** Texts of samples by their path: that of the document's folder, and how the document names them. */
export type Samples = ReadonlyMap<string, string>;

/** The longest sample, in UTF-16 units. */
export const MAX_SAMPLE_LENGTH = 256 * 1_024;

/** What is wrong with the way to a sample, as a clause; null when nothing is. A document names only what lies below it. */
export function samplePathFault(path: string): string | null {
  if (path === '' || path.length > 1_024) return 'must be a path of 1 to 1,024 characters';
  if (/[\\\p{Cc}]/u.test(path)) return 'must be a path with / between its parts';
  if (
    path.startsWith('/') ||
    /^[A-Za-z]:/.test(path) ||
    path.split('/').some((part) => part === '..' || part === '.')
  ) {
    return 'must lie in the folder of its document, or below it';
  }
  return null;
}

/** The key of a sample that a document of this file names. */
export function sampleKey(file: string, path: string): string {
  const folder = file.replaceAll('\\', '/').replace(/[^/]*$/, '');
  return folder + path;
}

const TYPES: Readonly<Record<string, string>> = {
  xml: 'application/xml',
  txt: 'text/plain; charset=utf-8',
  form: 'application/x-www-form-urlencoded',
};

/** The content type that a sample is sent with, by what its file is called: JSON unless it says otherwise. */
export function typeOfSample(path: string): string {
  const ending = /\.([^./\\]*)$/.exec(path)?.[1] ?? '';
  return TYPES[ending.toLowerCase()] ?? 'application/json';
}

/** A sample that documents name: its file, and where. */
export interface NamedSample {
  /** See {@link sampleKey}. */
  key: string;
  /** The file of the document. */
  file: string;
  path: string;
}

/** The samples that documents name, each once, before anything else is judged of them. */
export function namedSamples(files: readonly DocumentFile[]): NamedSample[] {
  const named = new Map<string, NamedSample>();
  for (const file of files) {
    for (const { value } of readSource(file).documents) {
      if (value.kind !== 'map' || !value.entries.some(({ name }) => name === 'scenario')) continue;
      for (const path of pathsIn(value)) {
        const key = sampleKey(file.name, path);
        if (samplePathFault(path) === null) named.set(key, { key, file: file.name, path });
      }
    }
  }
  return [...named.values()];
}

function* pathsIn(document: MapValue): Generator<string> {
  const shapes = memberOf(document, 'shapes');
  const own = new Set(shapes?.kind === 'map' ? shapes.entries.map(({ name }) => name) : []);
  for (const { value } of shapes?.kind === 'map' ? shapes.entries : []) yield* textsOf(memberOf(value, 'samples'));
  for (const text of textsOf(memberOf(memberOf(memberOf(document, 'on'), 'hook'), 'shapes'))) {
    if (!own.has(text)) yield text;
  }
  const tests = memberOf(document, 'tests');
  for (const test of tests?.kind === 'list' ? tests.items : []) yield* textsOf(memberOf(test, 'send'), false);
}

function memberOf(value: Value | null, name: string): Value | null {
  return value?.kind === 'map' ? (value.entries.find((entry) => entry.name === name)?.value ?? null) : null;
}

function* textsOf(value: Value | null, lists = true): Generator<string> {
  if (value?.kind === 'scalar' && typeof value.value === 'string') yield value.value;
  if (value?.kind === 'list' && lists) for (const item of value.items) yield* textsOf(item, false);
}

/** Where samples are looked up while a file is read. */
export interface SampleReading {
  samples: Samples;
  faults: Faults;
}

/** The text of a sample; null (told) where it is not there or may not be. */
export function sampleText(value: Value, path: string, { samples, faults }: SampleReading): string | null {
  const fault = samplePathFault(path);
  const text = samples.get(sampleKey(faults.file, path));
  if (fault !== null) faults.add(value, `the sample ${JSON.stringify(path)} ${fault}`);
  else if (text === undefined) faults.add(value, `there is no sample ${path} beside the document`);
  else if (text.length > MAX_SAMPLE_LENGTH) {
    const length = text.length.toLocaleString('en');
    faults.add(value, `the sample ${path} has ${length} characters; at most 262,144 are read`);
  } else return text;
  return null;
}

/** The JSON of a sample: that of the file a text names, or what stands there itself; undefined (told) where it is none. */
export function sampleJson(value: Value, reading: SampleReading): Json | undefined {
  if (value.kind !== 'scalar' || typeof value.value !== 'string') return jsonOf(value);
  const text = sampleText(value, value.value, reading);
  if (text === null) return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch (error) {
    reading.faults.add(value, `the sample ${value.value} is not JSON: ${(error as Error).message}`);
    return undefined;
  }
}
