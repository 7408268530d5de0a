// A blueprint as Make exports it, read leniently into modules: what is missing reads as empty, what is unknown is kept.
import type { Json } from '../definition.ts';
import type { Condition } from './filters.ts';

/** What stands in a field of a module. */
export type Fields = Readonly<Record<string, Json>>;

/** A module of a scenario of Make. */
export interface Module {
  id: number;
  /** Its kind, such as `gateway:CustomWebHook`. */
  kind: string;
  /** What its author called it; empty where nobody did. */
  title: string;
  parameters: Fields;
  mapper: Fields;
  /** What has to hold for it to be reached, or null. */
  filter: Filter | null;
  /** The routes of a router, the branches of an if-else. */
  routes: readonly Route[];
  /** What follows when it fails; empty where nothing is said. */
  onError: readonly Module[];
}

/** A filter: alternatives of conditions that all have to hold. */
export interface Filter {
  name: string;
  rows: readonly (readonly Condition[])[];
  isFallback: boolean;
}

/** A route of a router. */
export interface Route {
  /** The filter that stands at the route; most exports have it at its first module. */
  filter: Filter | null;
  isFallback: boolean;
  flow: readonly Module[];
}

/** A scenario of Make. */
export interface Blueprint {
  name: string;
  flow: readonly Module[];
  /** One run after the other. */
  isSequential: boolean;
  /** Runs by a time table, not for each request. */
  isScheduled: boolean;
}

/** Larger is no scenario. */
const MAX_LENGTH = 8 * 1_024 * 1_024;
const MAX_MODULES = 1_000;
const MAX_DEPTH = 40;

/** Reads an exported blueprint; a sentence where it is none. */
export function readBlueprint(text: string): Blueprint | string {
  if (text.length > MAX_LENGTH) return 'the file is too large to be a blueprint';
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch (error) {
    return `the file is no JSON: ${(error as Error).message}`;
  }
  // The API wraps what the editor exports.
  const outer = fieldsOf(fieldsOf(json)['response'] ?? json);
  const root = fieldsOf(outer['blueprint'] ?? outer);
  if (!Array.isArray(root['flow'])) return 'the file is no blueprint of Make: it has no list called flow';
  const reading: Reading = { modules: 0, fault: null };
  const flow = modulesOf(root['flow'], reading, 0);
  if (reading.fault !== null) return reading.fault;
  if (flow.length === 0) return 'the blueprint has no modules';
  const metadata = fieldsOf(root['metadata']);
  return {
    name: textOf(root['name']).trim().slice(0, 255),
    flow,
    isSequential: fieldsOf(metadata['scenario'])['sequential'] === true,
    isScheduled: metadata['instant'] === false,
  };
}

interface Reading {
  modules: number;
  fault: string | null;
}

function modulesOf(value: Json | undefined, reading: Reading, depth: number): Module[] {
  if (depth > MAX_DEPTH) reading.fault ??= `the blueprint nests deeper than ${MAX_DEPTH} levels`;
  if (!Array.isArray(value) || reading.fault !== null) return [];
  return value.flatMap((one) => {
    const fields = fieldsOf(one);
    if (typeof fields['module'] !== 'string') return [];
    if (++reading.modules > MAX_MODULES) reading.fault ??= `the blueprint has more than ${MAX_MODULES} modules`;
    return moduleOf(fields, reading, depth + 1);
  });
}

function moduleOf(fields: Fields, reading: Reading, depth: number): Module {
  const branches = Array.isArray(fields['routes']) ? fields['routes'] : fields['branches'];
  return {
    id: Number(fields['id'] ?? 0),
    kind: textOf(fields['module']),
    title: textOf(fieldsOf(fieldsOf(fields['metadata'])['designer'])['name']).trim(),
    parameters: fieldsOf(fields['parameters']),
    mapper: fieldsOf(fields['mapper']),
    filter: filterOf(fields['filter']),
    routes: Array.isArray(branches) ? branches.map((one) => routeOf(fieldsOf(one), reading, depth)) : [],
    onError: modulesOf(fields['onerror'], reading, depth),
  };
}

function routeOf(fields: Fields, reading: Reading, depth: number): Route {
  const own = fields['filter'] ?? (fields['conditions'] === undefined ? null : { conditions: fields['conditions'] });
  return {
    filter: filterOf(own),
    isFallback: fields['fallback'] === true || fields['else'] === true || fields['type'] === 'else',
    flow: modulesOf(fields['flow'], reading, depth),
  };
}

function filterOf(value: Json | undefined): Filter | null {
  const fields = fieldsOf(value);
  const rows = Array.isArray(fields['conditions']) ? fields['conditions'] : [];
  const isFallback = fields['fallback'] === true || fields['else'] === true;
  const read = rows.map((row) => (Array.isArray(row) ? row : [row]).map((one) => conditionIn(fieldsOf(one))));
  if (read.length === 0 && !isFallback) return null;
  return { name: textOf(fields['name']).trim(), rows: read, isFallback };
}

function conditionIn({ a, o, b }: Fields): Condition {
  return { a: textOf(a), o: textOf(o), b: textOf(b) };
}

/** The fields of an object; none of anything else. */
export function fieldsOf(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
}

/** A field as text; numbers, true and false as they are written, anything else is empty. */
export function textOf(value: Json | undefined): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

/** The pairs of a list such as `[{ name, value }]`, in either of the spellings that modules have. */
export function pairsOf(value: Json | undefined): [string, string][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((one) => {
    const { name, key, value: text } = fieldsOf(one);
    const called = textOf(name ?? key).trim();
    return called === '' ? [] : [[called, textOf(text)] as [string, string]];
  });
}
