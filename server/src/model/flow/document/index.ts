// Documents of flows: text in, definitions out, or every fault of every file with its place. Pure.
//
// A file holds one or several documents, YAML or JSON, parted by `---`. A document begins with `job: name` or
// `policySet: name`. Its meaning is its definition (../definition.ts), written in one way only: two documents that mean
// the same have the same text, whatever their layout, order of fields, comments and spelled-out defaults.
import type { Flow, FlowKind } from '../definition.ts';
import { MAX_FAULTS, type DocumentFault, type Faults, type Span } from './fault.ts';
import { describe, fieldsOf, isGiven, textOf, type Fields } from './fields.ts';
import { HEAD_FIELDS, readHead } from './head.ts';
import { readRules } from './rules.ts';
import { readSource, type DocumentFile, type SourceDocument, type Value } from './source.ts';
import { readSteps } from './steps.ts';
import { readJobTests, readPolicyTests, type FlowTest } from './tests.ts';
import { readTriggers } from './triggers.ts';

export { faultLine, type DocumentFault } from './fault.ts';
export type { DocumentFile } from './source.ts';
export type { FlowTest, JobTest, PolicyTest } from './tests.ts';

/** A document that was read. */
export interface FlowDocument {
  flow: Flow;
  /** The definition as it is kept: JSON, the same text for the same meaning. */
  definition: string;
  /** The document as its author wrote it. */
  source: string;
  /** What `bellwire test` plays; no part of the definition. */
  tests: readonly FlowTest[];
  file: string;
  /** Where the document begins, from 1. */
  line: number;
}

/** What became of files of documents. */
export type ReadFlows =
  | { ok: true; documents: readonly FlowDocument[] }
  /** In the order of the files, at most 50 of each. */
  | { ok: false; faults: readonly DocumentFault[] };

/** Reads files of documents. All of them or none: a fault anywhere gives the faults of all. Never throws. */
export function readFlows(files: readonly DocumentFile[]): ReadFlows {
  const documents: FlowDocument[] = [];
  const all: DocumentFault[] = [];
  const known = new Map<string, string>();
  for (const file of files) {
    const { documents: sources, faults } = readSource(file);
    for (const source of sources) {
      const document = readDocument(source, faults);
      if (document === null) continue;
      checkTwice(document, { known, faults, at: nameSpan(source.value) });
      documents.push(document);
    }
    all.push(...[...faults.list].sort((a, b) => a.line - b.line || a.column - b.column));
  }
  return all.length > 0 ? { ok: false, faults: all.slice(0, MAX_FAULTS * 4) } : { ok: true, documents };
}

/** The definition as text. Fields stand in the order they are read in; what authors name stands as they wrote it. */
export function definitionText(flow: Flow): string {
  return JSON.stringify(flow);
}

/** A number alone would be taken for an id. */
const NAME = { pattern: /\D/, looks: 'must not be a number' };
const KINDS = { job: 'job', policySet: 'policy-set' } as const satisfies Record<string, FlowKind>;
const OWN_FIELDS = { job: 'steps', policySet: 'rules' } as const;

function readDocument({ value, text }: SourceDocument, faults: Faults): FlowDocument | null {
  const word = kindOf(value, faults);
  if (word === null || value.kind !== 'map') return null;
  const before = faults.list.length;
  const what = word === 'job' ? 'a job' : 'a policy set';
  const fields = fieldsOf(value, what, [word, ...HEAD_FIELDS, OWN_FIELDS[word]], faults) as Fields;
  const name = textOf(fields.value(word) as Value, `the name of ${what}`, faults, NAME);
  const { description, group, enabled, params, ...rest } = readHead(fields, faults);
  const on = readTriggers(fields.value('on'), { params, faults });
  const head = { kind: KINDS[word], name: name ?? '', description, group, enabled, params, on, ...rest };
  const at = fields.nameAt(word);
  const flow: Flow =
    head.kind === 'job'
      ? { ...head, kind: head.kind, steps: readSteps(fields.value('steps'), { at, params, faults }) }
      : { ...head, kind: head.kind, rules: readRules(fields.value('rules'), at, faults) };
  const tests = readTests(flow, fields.value('tests'), faults);
  if (name === null || faults.list.length > before) return null;
  return {
    flow,
    definition: definitionText(flow),
    source: text,
    tests,
    file: faults.file,
    line: faults.placeOf(value.start).line,
  };
}

function readTests(flow: Flow, value: Value | null, faults: Faults): readonly FlowTest[] {
  if (!isGiven(value)) return [];
  if (value.kind === 'list') {
    if (flow.kind === 'job') return readJobTests(value, flow, faults);
    if (flow.kind === 'policy-set') return readPolicyTests(value, flow, faults);
    return [];
  }
  faults.add(value, `tests must be a list, not ${describe(value)}`);
  return [];
}

/** The word a document begins with; null (told) where it is none of ours. */
function kindOf(value: Value, faults: Faults): keyof typeof KINDS | null {
  const begins = 'a document begins with "job: name" or "policySet: name"';
  if (value.kind !== 'map') {
    faults.add(value, `${begins}, not with ${describe(value)}`, Object.keys(KINDS));
    return null;
  }
  const words = value.entries.filter(({ name }) => name in KINDS || name === 'scenario');
  const [first, second] = words;
  if (first === undefined) {
    const at: Span = value.entries[0]?.at ?? value;
    faults.add(at, `${begins}; this one has neither`, Object.keys(KINDS));
    return null;
  }
  if (first.name === 'scenario') {
    faults.add(
      first.at,
      'scenarios are not known to this version yet; it has jobs and policy sets',
      Object.keys(KINDS),
    );
    return null;
  }
  if (second === undefined || second.name === first.name) return first.name as keyof typeof KINDS;
  faults.add(second.at, `a document is one thing, and this one is a ${first.name}; part them by ---`);
  return null;
}

function nameSpan(value: Value): Span {
  return value.kind === 'map' ? (value.entries.find(({ name }) => name in KINDS)?.value ?? value) : value;
}

/** Two documents of one name would take turns at each push. */
function checkTwice(
  { flow, file, line }: FlowDocument,
  { known, faults, at }: { known: Map<string, string>; faults: Faults; at: Span },
): void {
  const key = `${flow.kind} ${flow.name}`;
  const former = known.get(key);
  if (former === undefined) known.set(key, `${file}:${line}`);
  else faults.add(at, `the ${flow.kind === 'job' ? 'job' : 'policy set'} "${flow.name}" stands at ${former} already`);
}
