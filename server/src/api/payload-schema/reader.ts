// Reads a stranger's schema keyword by keyword and writes the core that Ajv is given instead of it. Pure.
//
// Ajv says that schemas must be as trusted as code. So Ajv never sees the stranger's schema, only the core built here:
// known keywords with values of the right kind, every reference turned into a name of ours (`#/$defs/r3`), no ids, no
// annotations, nothing called __proto__.
import { escapePointer } from '../../model/json-bytes.ts';
import { countJson, FORMATS, KEYWORDS, OBSOLETE, type Keyword } from './keywords.ts';
import { sizeOfPattern } from '../../model/patterns.ts';

/** How deep schemas may stand in one another. */
const MAX_DEPTH = 32;
/** How many schemas may be written down, each target of a reference counted with all that is in it. */
const MAX_WRITTEN = 8_000;
/** How large the programs of all patterns may be together, in instructions. */
const MAX_PATTERNS = 40_000;

/** A schema of known keywords only. */
export type CoreSchema = boolean | { [keyword: string]: unknown };

/** One schema: its core, its own cost, and the schemas it applies to the same value or to those inside it. */
export interface SchemaNode {
  core: CoreSchema;
  /** Where it stands in the stranger's schema. */
  pointer: string;
  rules: number;
  /** Steps per letter of a text. */
  reading: number;
  here: SchemaNode[];
  below: SchemaNode[];
}

/** Why a schema is not taken: the way out of reading it. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly pointer: string;
  constructor(reason: string, pointer: string) {
    super(reason);
    this.pointer = pointer;
  }
}

/** What is known while one schema is read. */
interface Reading {
  root: unknown;
  anchors: Map<string, Target>;
  /** What was referred to, by its place in memory: read once, however often it is referred to. */
  references: Map<unknown, { name: string; node: SchemaNode }>;
  pending: { raw: unknown; node: SchemaNode }[];
  written: number;
  patterns: number;
}

interface Target {
  raw: unknown;
  pointer: string;
}

/** One keyword of one schema. */
interface Step {
  reading: Reading;
  node: SchemaNode;
  core: { [keyword: string]: unknown };
  keyword: string;
  value: unknown;
  at: string;
  depth: number;
}

/** Reads a schema whose size and depth were measured. Throws {@link Refusal}. */
export function readSchema(raw: unknown): { root: SchemaNode; core: CoreSchema; written: number } {
  const anchors = new Map<string, Target>();
  collectAnchors(anchors, { raw, pointer: '' });
  const reading: Reading = { root: raw, anchors, references: new Map(), pending: [], written: 0, patterns: 0 };
  const root = createNode('');
  fill(reading, { node: root, raw, depth: 0 });
  // Targets are read after the tree that refers to them, so a long chain of references needs no deep stack.
  for (let next = reading.pending.pop(); next; next = reading.pending.pop()) fill(reading, { ...next, depth: 0 });
  const definitions = [...reading.references.values()].map(({ name, node }) => [name, node.core] as const);
  const core =
    definitions.length === 0 ? root.core : { ...(root.core as object), $defs: Object.fromEntries(definitions) };
  return { root, core, written: reading.written };
}

function fill(reading: Reading, part: { node: SchemaNode; raw: unknown; depth: number }): void {
  const { node, raw, depth } = part;
  const { pointer } = node;
  if (++reading.written > MAX_WRITTEN) throw new Refusal(`there are more than ${MAX_WRITTEN} schemas in it`, pointer);
  if (typeof raw === 'boolean') {
    node.core = raw;
    return;
  }
  if (!isObject(raw)) throw new Refusal('a schema must be an object, true or false', pointer);
  if (depth > MAX_DEPTH) throw new Refusal(`schemas stand more than ${MAX_DEPTH} deep in one another`, pointer);
  const core: { [keyword: string]: unknown } = {};
  for (const [keyword, value] of Object.entries(raw)) {
    const at = `${pointer}/${escapePointer(keyword)}`;
    if (Object.hasOwn(OBSOLETE, keyword)) throw new Refusal(OBSOLETE[keyword] as string, at);
    if (!Object.hasOwn(KEYWORDS, keyword)) continue;
    if (isObject(value) && Object.hasOwn(value, '$data')) throw new Refusal('$data references are not taken', at);
    readKeyword({ reading, node, core, keyword, value, at, depth }, KEYWORDS[keyword] as Keyword);
  }
  node.core = core;
}

function readKeyword(step: Step, keyword: Keyword): void {
  const { node, core, value, at } = step;
  node.rules++;
  switch (keyword.kind) {
    case 'schema':
      core[step.keyword] = readPart(step, { raw: value, pointer: at }, keyword.place);
      return;
    case 'schemas':
      if (!Array.isArray(value) || value.length === 0)
        throw new Refusal(`${step.keyword} must be a list of schemas`, at);
      core[step.keyword] = value.map((raw, index) => readPart(step, { raw, pointer: `${at}/${index}` }, keyword.place));
      return;
    case 'schema-map':
      readMap(step, keyword.place);
      return;
    case 'reference':
      if (core['$ref']) throw new Refusal('$ref and $dynamicRef in one schema are not taken', at);
      core['$ref'] = `#/$defs/${refer(step)}`;
      return;
    case 'identity':
      checkIdentity(step);
      return;
    case 'value': {
      const wanted = keyword.check(value);
      if (wanted) throw new Refusal(`${step.keyword} must be ${wanted}`, at);
      if (weigh(step)) core[keyword.as ?? step.keyword] = value;
    }
  }
}

type Place = 'here' | 'below' | 'aside';

function readPart({ reading, node, depth }: Step, part: Target, place: Place): CoreSchema {
  const child = createNode(part.pointer);
  if (place !== 'aside') node[place].push(child);
  fill(reading, { node: child, raw: part.raw, depth: depth + 1 });
  return child.core;
}

function readMap(step: Step, place: Place): void {
  const { core, keyword, value, at } = step;
  if (!isObject(value)) throw new Refusal(`${keyword} must be an object of schemas`, at);
  const schemas: [string, CoreSchema][] = [];
  for (const [name, raw] of Object.entries(value)) {
    const pointer = `${at}/${escapePointer(name)}`;
    if (name === '__proto__') throw new Refusal('a name __proto__ is not taken', pointer);
    if (keyword === 'patternProperties') weighPattern(step, name, pointer);
    schemas.push([name, readPart(step, { raw, pointer }, place)]);
  }
  // Definitions are read to refuse what is broken in them, but stand in the core only where they are referred to.
  if (place !== 'aside') core[keyword] = Object.fromEntries(schemas);
}

/** Adds what the keyword costs; false when it has no effect. */
function weigh(step: Step): boolean {
  const { node, keyword, value, at } = step;
  switch (keyword) {
    case 'required':
    case 'dependentRequired':
    case 'type':
      node.rules += countJson(value);
      return true;
    case 'minLength':
    case 'maxLength':
      node.reading++;
      return true;
    case 'enum':
    case 'const':
    case 'uniqueItems':
      // Values are written out as texts to be compared.
      node.rules += 30;
      node.reading += 20;
      return true;
    case 'format':
      node.reading += 20;
      return FORMATS.has(value as string);
    case 'pattern':
      weighPattern(step, value as string, at);
      return true;
    default:
      return true;
  }
}

function weighPattern({ reading, node }: Step, pattern: string, at: string): void {
  const sized = sizeOfPattern(pattern);
  if ('refused' in sized) throw new Refusal(sized.refused, at);
  reading.patterns += sized.size;
  if (reading.patterns > MAX_PATTERNS) throw new Refusal('the patterns of this schema are too large together', at);
  // Measured: RE2 takes about 100 plain steps a letter, and two more per instruction when it cannot cache its states.
  node.reading += 100 + 2 * sized.size;
}

/* ── References ─────────────────────────────────────────────────────────────────────────────────────────────── */

/** The name in the core of what a reference refers to. */
function refer({ reading, node, value, at }: Step): string {
  if (typeof value !== 'string') throw new Refusal('a reference must be a text', at);
  const target = resolve(reading, value, at);
  let reference = reading.references.get(target.raw);
  if (!reference) {
    reference = { name: `r${reading.references.size}`, node: createNode(target.pointer) };
    reading.references.set(target.raw, reference);
    reading.pending.push({ raw: target.raw, node: reference.node });
  }
  node.here.push(reference.node);
  return reference.name;
}

function resolve({ root, anchors }: Reading, reference: string, at: string): Target {
  const own = isObject(root) && typeof root['$id'] === 'string' ? root['$id'].replace(/#$/, '') : '';
  const local = own !== '' && reference.startsWith(own) ? reference.slice(own.length) || '#' : reference;
  if (!local.startsWith('#')) {
    const rule = 'only references within the schema (#…) are taken, nothing is fetched';
    throw new Refusal(`refers to "${reference}": ${rule}`, at);
  }
  const fragment = decodeFragment(local.slice(1));
  const found = fragment === '' || fragment?.startsWith('/') ? follow(root, fragment) : anchors.get(fragment ?? '');
  if (!found) throw new Refusal(`refers to "${reference}", which is not in the schema`, at);
  return found;
}

function follow(root: unknown, pointer: string): Target | undefined {
  let raw = root;
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof raw !== 'object' || raw === null || !Object.hasOwn(raw, name)) return undefined;
    raw = (raw as Record<string, unknown>)[name];
  }
  return typeof raw === 'boolean' || isObject(raw) ? { raw, pointer } : undefined;
}

function collectAnchors(anchors: Map<string, Target>, { raw, pointer }: Target): void {
  if (typeof raw !== 'object' || raw === null) return;
  for (const [name, value] of Object.entries(raw)) {
    const at = `${pointer}/${escapePointer(name)}`;
    if ((name === '$anchor' || name === '$dynamicAnchor') && typeof value === 'string') {
      if (anchors.has(value)) throw new Refusal(`the anchor ${value} stands twice in the schema`, at);
      anchors.set(value, { raw, pointer });
    }
    collectAnchors(anchors, { raw: value, pointer: at });
  }
}

const DIALECT = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

function checkIdentity({ keyword, value, at }: Step): void {
  if (typeof value !== 'string') throw new Refusal(`${keyword} must be a text`, at);
  if (keyword === '$schema' && !DIALECT.test(value)) {
    throw new Refusal('only JSON Schema 2020-12 is taken (https://json-schema.org/draft/2020-12/schema)', at);
  }
  // The id of the whole is a mere name: nothing is ever fetched from it. Inside, it would change what # means.
  if (keyword === '$id' && at !== '/$id') throw new Refusal('only the schema as a whole may have an $id', at);
}

function createNode(pointer: string): SchemaNode {
  return { core: true, pointer, rules: 1, reading: 0, here: [], below: [] };
}

function decodeFragment(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
