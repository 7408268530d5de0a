// Judges a stranger's JSON Schema 2020-12 without running it: takes what is known to be harmless, rewrites it into a
// core that holds nothing else, and bounds what applying it can cost. Pure.
//
// Ajv says that schemas must be as trusted as code. So Ajv never sees the stranger's schema, only the core built here:
// known keywords with values of the right kind, every reference turned into a name of ours (`#/$defs/r3`), no ids, no
// annotations, no property called __proto__.
import { sizeOfPattern } from './payload-schema-patterns.ts';
import { countJson, FORMATS, KEYWORDS, OBSOLETE } from './payload-schema-keywords.ts';

/** Largest schema, as JSON text in bytes. */
export const MAX_SCHEMA_BYTES = 65_536;
/** How deep schemas may stand in one another, and how deep values of `enum` and `const` may be. */
export const MAX_SCHEMA_DEPTH = 32;
/** How many values the schema may be made of. */
const MAX_NODES = 8_000;
/** How many rules may be applied to one place of the data, all references followed. */
const MAX_RULES_AT_ONCE = 5_000;
/** How large the programs of all patterns may be together. */
const MAX_PATTERNS = 40_000;

/** A schema that may be applied. */
export interface Judged {
  ok: true;
  /** The rewritten schema. */
  core: CoreSchema;
  /** Rules written down: compiling costs in proportion. */
  written: number;
  /**
   * Rules that may be applied to any one value, all references followed: applying costs at most this times the number
   * of values in the data. Infinite for a schema that refers to itself.
   */
  rules: number;
  /** The same for rules that read texts letter by letter, in steps per letter. */
  reading: number;
}

/** Why a schema is not taken, and where in it (a JSON pointer). */
export interface Refused {
  ok: false;
  reason: string;
  pointer: string;
}

/** A schema of known keywords only. */
export type CoreSchema = boolean | { [keyword: string]: unknown };

/** Judges a schema. Never throws, never runs longer than the size of the schema allows. */
export function judgeSchema(schema: unknown): Judged | Refused {
  try {
    return createJudge(schema).judge();
  } catch (refusal) {
    if (refusal instanceof Refusal) return { ok: false, reason: refusal.message, pointer: refusal.pointer };
    throw refusal;
  }
}

/** One schema of the tree: its core, its cost, and the schemas it applies to the same value or to those inside it. */
interface Node {
  core: CoreSchema;
  pointer: string;
  rules: number;
  reading: number;
  here: Node[];
  below: Node[];
}

/** Internal way out of the walk. */
class Refusal extends Error {
  readonly pointer: string;
  constructor(reason: string, pointer: string) {
    super(reason);
    this.pointer = pointer;
  }
}

function createJudge(root: unknown) {
  const anchors = new Map<string, { raw: unknown; pointer: string }>();
  const references = new Map<unknown, { name: string; node: Node }>();
  const pending: { raw: unknown; node: Node }[] = [];
  let written = 0;
  let patterns = 0;

  function judge(): Judged {
    measure(root);
    collectAnchors(root, '');
    const node = createNode('');
    fill(node, root, 0);
    // References are filled after the tree that holds them: a chain of them costs no depth of the stack.
    for (let next = pending.pop(); next; next = pending.pop()) fill(next.node, next.raw, 0);
    const core = withDefinitions(node.core);
    refuseEndless(node);
    const cost = costOf(node);
    return { ok: true, core, written, ...cost };
  }

  function withDefinitions(core: CoreSchema): CoreSchema {
    if (references.size === 0 || typeof core === 'boolean') return core;
    const definitions = [...references.values()].map(({ name, node }) => [name, node.core]);
    return { ...core, $defs: Object.fromEntries(definitions) };
  }

  /** Reads one schema into its node. */
  function fill(node: Node, raw: unknown, depth: number): void {
    const { pointer } = node;
    if (++written > MAX_NODES)
      throw new Refusal(`more than ${MAX_NODES} schemas, counting each reference target`, pointer);
    if (typeof raw === 'boolean') {
      node.core = raw;
      return;
    }
    if (!isObject(raw)) throw new Refusal('a schema must be an object, true or false', pointer);
    if (depth > MAX_SCHEMA_DEPTH)
      throw new Refusal(`schemas stand more than ${MAX_SCHEMA_DEPTH} deep in one another`, pointer);
    const core: { [keyword: string]: unknown } = {};
    for (const [keyword, value] of Object.entries(raw)) {
      const at = `${pointer}/${escapePointer(keyword)}`;
      if (Object.hasOwn(OBSOLETE, keyword)) throw new Refusal(OBSOLETE[keyword] as string, at);
      if (!Object.hasOwn(KEYWORDS, keyword)) continue;
      if (isObject(value) && Object.hasOwn(value, '$data')) throw new Refusal('$data references are not taken', at);
      readKeyword({ node, core, keyword, value, at, depth });
    }
    node.core = core;
  }

  interface Step {
    node: Node;
    core: { [keyword: string]: unknown };
    keyword: string;
    value: unknown;
    at: string;
    depth: number;
  }

  function readKeyword(step: Step): void {
    const { node, core, keyword, value, at, depth } = step;
    const kind = KEYWORDS[keyword] as (typeof KEYWORDS)[string];
    node.rules++;
    switch (kind.kind) {
      case 'schema':
        core[keyword] = child(step, value, at).core;
        return;
      case 'schemas':
        if (!Array.isArray(value) || value.length === 0) throw new Refusal(`${keyword} must be a list of schemas`, at);
        core[keyword] = value.map((item, index) => child(step, item, `${at}/${index}`).core);
        return;
      case 'schema-map':
        readMap(step);
        return;
      case 'reference':
        if (core['$ref']) throw new Refusal('$ref and $dynamicRef in one schema are not taken', at);
        core['$ref'] = `#/$defs/${refer(node, value, at)}`;
        return;
      case 'identity':
        checkIdentity(keyword, value, { at, depth });
        return;
      case 'value': {
        const fault = kind.check(value);
        if (fault) throw new Refusal(`${keyword} must be ${fault}`, at);
        readValue(step);
      }
    }
  }

  function readMap({ node, core, keyword, value, at, depth }: Step): void {
    if (!isObject(value)) throw new Refusal(`${keyword} must be an object of schemas`, at);
    const schemas: [string, CoreSchema][] = [];
    for (const [name, raw] of Object.entries(value)) {
      const place = `${at}/${escapePointer(name)}`;
      if (name === '__proto__') throw new Refusal('a name __proto__ is not taken', place);
      if (keyword === 'patternProperties') readPattern(node, name, place);
      schemas.push([name, child({ node, keyword, depth }, raw, place).core]);
    }
    // Definitions are checked here, but stand in the core only when something refers to them.
    if (keyword !== '$defs' && keyword !== 'definitions') core[keyword] = Object.fromEntries(schemas);
  }

  function readValue({ node, core, keyword, value, at }: Step): void {
    if (keyword === 'format' && !FORMATS.has(value as string)) return;
    if (keyword === 'pattern') readPattern(node, value as string, at);
    if (keyword === 'required' || keyword === 'dependentRequired' || keyword === 'type') node.rules += countJson(value);
    if (keyword === 'maxLength' || keyword === 'minLength') node.reading++;
    if (keyword === 'format') node.reading += 20;
    if (keyword === 'enum' || keyword === 'const' || keyword === 'uniqueItems') {
      // The value is written out as a text first.
      node.rules += 30;
      node.reading += 20;
    }
    core[(KEYWORDS[keyword] as { as?: string }).as ?? keyword] = value;
  }

  function readPattern(node: Node, pattern: string, at: string): void {
    const sized = sizeOfPattern(pattern);
    if ('refused' in sized) throw new Refusal(sized.refused, at);
    patterns += sized.size;
    if (patterns > MAX_PATTERNS) throw new Refusal('the patterns of this schema are too large together', at);
    // Measured: about 100 plain steps a letter while RE2 finds its states cached, two more per instruction when not.
    node.reading += 100 + 2 * sized.size;
  }

  function child(parent: Pick<Step, 'node' | 'keyword' | 'depth'>, raw: unknown, pointer: string): Node {
    const node = createNode(pointer);
    const place = (KEYWORDS[parent.keyword] as { place?: 'here' | 'below' | 'aside' }).place;
    if (place === 'here') parent.node.here.push(node);
    if (place === 'below') parent.node.below.push(node);
    fill(node, raw, parent.depth + 1);
    return node;
  }

  /** The name of the schema referred to; it is read once, however often it is referred to. */
  function refer(node: Node, value: unknown, at: string): string {
    if (typeof value !== 'string') throw new Refusal('a reference must be a text', at);
    const target = resolveReference(value, at);
    let reference = references.get(target.raw);
    if (!reference) {
      reference = { name: `r${references.size}`, node: createNode(target.pointer) };
      references.set(target.raw, reference);
      pending.push({ raw: target.raw, node: reference.node });
    }
    node.here.push(reference.node);
    return reference.name;
  }

  function resolveReference(reference: string, at: string): { raw: unknown; pointer: string } {
    const own = isObject(root) && typeof root['$id'] === 'string' ? root['$id'].replace(/#$/, '') : '';
    const local = own !== '' && reference.startsWith(own) ? reference.slice(own.length) || '#' : reference;
    if (!local.startsWith('#')) {
      throw new Refusal(
        `refers to "${reference}": only references within the schema (#…) are taken, nothing is fetched`,
        at,
      );
    }
    const fragment = decodeFragment(local.slice(1));
    const found = fragment?.startsWith('/') || fragment === '' ? follow(root, fragment) : anchors.get(fragment ?? '');
    if (!found) throw new Refusal(`refers to "${reference}", which is not in the schema`, at);
    return found;
  }

  function collectAnchors(raw: unknown, pointer: string): void {
    if (typeof raw !== 'object' || raw === null) return;
    for (const [name, value] of Object.entries(raw)) {
      const at = `${pointer}/${escapePointer(name)}`;
      if ((name === '$anchor' || name === '$dynamicAnchor') && typeof value === 'string') {
        if (anchors.has(value)) throw new Refusal(`the anchor ${value} stands twice in the schema`, at);
        anchors.set(value, { raw, pointer });
      }
      collectAnchors(value, at);
    }
  }

  return { judge };
}

const DIALECT = /^https?:\/\/json-schema\.org\/draft\/2020-12\/schema#?$/;

function checkIdentity(keyword: string, value: unknown, place: { at: string; depth: number }): void {
  const { at, depth } = place;
  if (typeof value !== 'string') throw new Refusal(`${keyword} must be a text`, at);
  if (keyword === '$schema' && !DIALECT.test(value)) {
    throw new Refusal('only JSON Schema 2020-12 is taken (https://json-schema.org/draft/2020-12/schema)', at);
  }
  // The id of the whole is a mere name: nothing is ever fetched from it. Inside, it would change what # means.
  if (keyword === '$id' && depth > 0) throw new Refusal('only the schema as a whole may have an $id', at);
}

function createNode(pointer: string): Node {
  return { core: true, pointer, rules: 1, reading: 0, here: [], below: [] };
}

/* ── Cost ───────────────────────────────────────────────────────────────────────────────────────────────────── */

// Without a cycle every schema of the tree, references written out, meets any one value at most once; so the size of
// that tree times the number of values bounds the work.
function costOf(root: Node): { rules: number; reading: number } {
  const known = new Map<Node, { rules: number; reading: number } | 'open'>();
  const visit = (node: Node): { rules: number; reading: number } => {
    const before = known.get(node);
    if (before === 'open') return { rules: Infinity, reading: Infinity };
    if (before) return before;
    known.set(node, 'open');
    const cost = { rules: node.rules, reading: node.reading };
    for (const part of [...node.here, ...node.below]) {
      const { rules, reading } = visit(part);
      cost.rules += rules;
      cost.reading += reading;
    }
    known.set(node, cost);
    return cost;
  };
  return visit(root);
}

// In place, a schema that comes back to itself would never end, and one that doubles at each of 24 references would
// be applied 16 million times to a single value: both are refused, whatever the data.
function refuseEndless(root: Node): void {
  const known = new Map<Node, number | 'open'>();
  const rulesHere = (node: Node): number => {
    const before = known.get(node);
    if (before === 'open')
      throw new Refusal('the schema refers to itself without going deeper into the data', node.pointer);
    if (before !== undefined) return before;
    known.set(node, 'open');
    const sum = node.here.reduce((all, part) => all + rulesHere(part), node.rules);
    if (sum > MAX_RULES_AT_ONCE) {
      throw new Refusal(`more than ${MAX_RULES_AT_ONCE} rules would apply to one value`, node.pointer);
    }
    known.set(node, sum);
    return sum;
  };
  const seen = new Set<Node>();
  const stack = [root];
  for (let node = stack.pop(); node; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    rulesHere(node);
    stack.push(...node.here, ...node.below);
  }
}

/* ── JSON ───────────────────────────────────────────────────────────────────────────────────────────────────── */

// Before anything recursive looks at the schema: not too deep, not too many values, not too long.
function measure(schema: unknown): void {
  let nodes = 0;
  const visit = (value: unknown, depth: number): void => {
    if (++nodes > MAX_NODES) throw new Refusal(`the schema is made of more than ${MAX_NODES} values`, '');
    // A schema within a schema is up to two levels of JSON deeper; values of enum and const come below that.
    if (depth > 3 * MAX_SCHEMA_DEPTH) throw new Refusal('the schema is nested too deeply', '');
    if (typeof value !== 'object' || value === null) return;
    for (const name in value) visit((value as Record<string, unknown>)[name], depth + 1);
  };
  visit(schema, 0);
  if (Buffer.byteLength(JSON.stringify(schema) ?? '') > MAX_SCHEMA_BYTES) {
    throw new Refusal(`the schema is larger than ${MAX_SCHEMA_BYTES / 1_024} KiB`, '');
  }
}

function follow(root: unknown, fragment: string): { raw: unknown; pointer: string } | undefined {
  let raw = root;
  for (const part of fragment.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~');
    if (typeof raw !== 'object' || raw === null || !Object.hasOwn(raw, name)) return undefined;
    raw = (raw as Record<string, unknown>)[name];
  }
  return typeof raw === 'boolean' || isObject(raw) ? { raw, pointer: fragment } : undefined;
}

function decodeFragment(fragment: string): string | undefined {
  try {
    return decodeURIComponent(fragment);
  } catch {
    return undefined;
  }
}

function escapePointer(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
