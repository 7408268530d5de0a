// A file of documents, read into values that know their place: YAML or JSON in, values out. Bounded, whatever is in it.
import {
  Composer,
  isAlias,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  Parser,
  type CST,
  type Document,
  type ParsedNode,
  type YAMLError,
  type YAMLMap,
} from 'yaml';
import { createFaults, MAX_FAULTS, type Faults, type Span } from './fault.ts';

/** The longest file, in UTF-16 units. */
export const MAX_FILE_LENGTH = 256 * 1_024;
/** Documents in one file. */
export const MAX_DOCUMENTS = 500;
/** Maps and lists nest at most this deep. */
export const MAX_NESTING = 128;
/** Values in one file, each use of an alias counted anew: what makes a "YAML bomb" harmless. */
export const MAX_VALUES = 100_000;

/** A file as it was handed in. */
export interface DocumentFile {
  /** Its path, as it is to be named in faults. */
  name: string;
  text: string;
}

/** A value with its place in the file. */
export type Value = MapValue | ListValue | ScalarValue;

/** A map; its keys are texts, each there once. */
export interface MapValue extends Span {
  kind: 'map';
  entries: readonly Entry[];
}

/** A line of a map. */
export interface Entry {
  name: string;
  at: Span;
  value: Value;
}

/** A list. */
export interface ListValue extends Span {
  kind: 'list';
  items: readonly Value[];
}

/** A text, a number, true, false or null. */
export interface ScalarValue extends Span {
  kind: 'scalar';
  value: null | boolean | number | string;
}

/** One document of a file. */
export interface SourceDocument {
  value: Value;
  /** The document as its author wrote it, without its neighbours. */
  text: string;
}

/** Reads the documents of a file. What cannot be read is told to `faults`; the documents beside it are read all the same. */
export function readSource(file: DocumentFile): { documents: SourceDocument[]; faults: Faults } {
  const lines = new LineCounter();
  const faults = createFaults(file, (offset) => lines.linePos(offset));
  lines.addNewLine(0);
  if (file.text.length > MAX_FILE_LENGTH) {
    const length = file.text.length.toLocaleString('en');
    faults.add({ start: 0, end: 0 }, `the file has ${length} characters; at most 262,144 are read`);
    return { documents: [], faults };
  }
  const tokens = tokenize(file.text, lines, faults);
  if (tokens === null) return { documents: [], faults };
  const composer = new Composer({ stringKeys: true, uniqueKeys: false, resolveKnownTags: false, logLevel: 'silent' });
  const composed = [...composer.compose(tokens)];
  if (composed.length === 0) tellErrors(composer.streamInfo().errors, faults);
  const budget = { left: MAX_VALUES };
  const documents = composed.flatMap((document, at) => {
    if (tellErrors([...document.errors, ...document.warnings], faults)) return [];
    const value = createUnfolder(faults, budget)(document.contents);
    if (value === null || (value.kind === 'scalar' && value.value === null)) return [];
    return [{ value, text: sliceOf(file.text, composed, at) }];
  });
  return { documents, faults };
}

/** The text as tokens; null where the file is more than is read. The parser keeps a stack of its own, so it cannot overflow. */
function tokenize(text: string, lines: LineCounter, faults: Faults): CST.Token[] | null {
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  let documents = 0;
  const take = (token: CST.Token): void => {
    tokens.push(token);
    if (token.type === 'document') documents++;
  };
  const tooMany = (at: Span): boolean => {
    if (documents > MAX_DOCUMENTS) faults.add(at, `the file holds more than ${MAX_DOCUMENTS} documents; divide it`);
    return documents > MAX_DOCUMENTS;
  };
  for (const lexeme of new Lexer().lex(text)) {
    for (const token of parser.next(lexeme)) take(token);
    const at = { start: parser.offset, end: parser.offset };
    if (parser.stack.length > MAX_NESTING + 2) {
      faults.add(at, `the document nests deeper than ${MAX_NESTING} levels here`);
      return null;
    }
    if (tooMany(at)) return null;
  }
  for (const token of parser.end()) take(token);
  return tooMany({ start: text.length, end: text.length }) ? null : tokens;
}

/** Tells what is not YAML; true when there was something. */
function tellErrors(errors: readonly YAMLError[], faults: Faults): boolean {
  for (const { code, message, pos } of errors.slice(0, MAX_FAULTS)) {
    const [start, end] = pos;
    const line = faults.lineAt(start);
    const words = WORDS[code] ?? `this is not YAML: ${(message.split('\n')[0] ?? '').replace(/\.$/, '')}`;
    const hint = line.includes('${') ? '; inside { } and [ ], a text with ${ } stands in quotes' : '';
    faults.add({ start, end }, words + hint);
  }
  return errors.length > 0;
}

const WORDS: Readonly<Record<string, string>> = {
  NON_STRING_KEY: 'the name of a field must be a text',
  TAB_AS_INDENT: 'lines are indented by spaces, not by tabs',
  TAG_RESOLVE_FAILED: 'tags such as !!binary are not used here',
  MULTIPLE_ANCHORS: 'a value has one anchor at most',
};

/** The text of one of the documents: comments above the first belong to it, the line of dashes to none. */
function sliceOf(text: string, documents: readonly Document.Parsed[], at: number): string {
  const start = at === 0 ? 0 : (documents[at]?.range[0] ?? 0);
  const end = documents[at + 1]?.range[0] ?? text.length;
  const own = text.slice(start, end).replace(/(?:^|\n)---[ \t]*$/, '\n');
  return `${own.replace(/^(?:---[ \t]*(?:#[^\n]*)?)?(?:\r?\n)+/, '').trimEnd()}\n`;
}

/** Makes values of nodes: aliases are replaced by what they stand for, until the budget is spent. */
function createUnfolder(faults: Faults, budget: { left: number }): (node: ParsedNode | null) => Value | null {
  const anchors = new Map<string, ParsedNode>();
  const open = new Set<ParsedNode>();

  function unfold(node: ParsedNode | null, depth: number): Value | null {
    const at = spanOf(node);
    if (--budget.left < 0) {
      // Said once: whoever asks after that finds the budget spent, too.
      const limit = MAX_VALUES.toLocaleString('en');
      if (budget.left === -1) faults.add(at, `with its aliases unfolded, the file holds more than ${limit} values`);
      return null;
    }
    if (depth > MAX_NESTING)
      return fault(at, `with its aliases unfolded, the document nests deeper than ${MAX_NESTING}`);
    if (node === null) return { kind: 'scalar', value: null, ...at };
    if (isAlias(node)) return unfoldAlias(node.source, at, depth);
    if (node.anchor !== undefined) anchors.set(node.anchor, node);
    if (isScalar(node)) return scalarOf(node.value, at);
    open.add(node);
    const value = isSeq(node) ? listOf(node.items, at, depth) : mapOf(node, at, depth);
    open.delete(node);
    return value;
  }

  function unfoldAlias(name: string, at: Span, depth: number): Value | null {
    const meant = anchors.get(name);
    if (meant === undefined) return fault(at, `there is no anchor &${name} above`);
    if (open.has(meant)) return fault(at, `the alias *${name} stands inside of what it stands for`);
    return unfold(meant, depth + 1);
  }

  function listOf(nodes: readonly ParsedNode[], at: Span, depth: number): Value | null {
    const items: Value[] = [];
    for (const node of nodes) {
      const item = unfold(node, depth + 1);
      if (item === null) return null;
      items.push(item);
    }
    return { kind: 'list', items, ...at };
  }

  function mapOf(node: YAMLMap.Parsed, at: Span, depth: number): Value | null {
    const entries: Entry[] = [];
    const names = new Set<string>();
    for (const { key, value: inner } of node.items) {
      const keyAt = spanOf(key);
      if (!isScalar(key) || typeof key.value !== 'string') return fault(keyAt, 'the name of a field must be a text');
      if (key.value === '<<') return fault(keyAt, 'maps are not merged by <<; write the fields out, or use an alias');
      if (names.has(key.value)) faults.add(keyAt, `the field "${key.value}" comes twice`);
      names.add(key.value);
      const value = unfold(inner, depth + 1);
      if (value === null) return null;
      entries.push({ name: key.value, at: keyAt, value });
    }
    return { kind: 'map', entries, ...at };
  }

  function scalarOf(value: unknown, at: Span): Value | null {
    if (typeof value === 'number' && !Number.isFinite(value)) return fault(at, 'this number is none that JSON has');
    if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) {
      return fault(at, 'this number is too large to be kept exactly; write it as a text, in quotes');
    }
    if (typeof value === 'string' && (value.includes('\0') || !value.isWellFormed())) {
      return fault(at, 'the text holds a NUL or half of a surrogate pair');
    }
    return { kind: 'scalar', value: value as ScalarValue['value'], ...at };
  }

  function fault(at: Span, words: string): null {
    faults.add(at, words);
    return null;
  }

  return (node) => unfold(node, 0);
}

function spanOf(node: ParsedNode | null): Span {
  const [start, end] = node?.range ?? [0, 0];
  return { start, end };
}
