// Documents of flows: text in, definitions out, or every fault of every file with its place. Pure.
//
// A file holds one or several documents, YAML or JSON, parted by `---`. A document begins with `job: name`,
// `policySet: name`, `scenario: name` or `sheet: name`. Its meaning is its definition (../definition.ts), written in one way only: two documents that mean
// the same have the same text, whatever their layout, order of fields, comments and spelled-out defaults.
import type { Sheet } from '../../sheet.ts';
import type { Flow, FlowKind } from '../definition.ts';
import { MAX_FAULTS, type DocumentFault, type Faults, type Span } from './fault.ts';
import { describe, fieldsOf, isGiven, textOf, type Fields } from './fields.ts';
import { HEAD_FIELDS, readHead, UNSAID } from './head.ts';
import { readRules } from './rules.ts';
import type { Samples } from './samples.ts';
import { readScenarioTests } from './scenario-tests.ts';
import { readScenario, SCENARIO_UNSAID } from './scenario.ts';
import { readSheet } from './sheets.ts';
import { readSource, type DocumentFile, type SourceDocument, type Value } from './source.ts';
import { readSteps } from './steps.ts';
import { readJobTests, readPolicyTests, type FlowTest } from './tests.ts';
import { readTriggers } from './triggers.ts';
import { ofJob } from './uses.ts';

export { faultLine, type DocumentFault } from './fault.ts';
export { namedSamples, type NamedSample, type Samples } from './samples.ts';
export type { ScenarioTest } from './scenario-tests.ts';
export { secretsOfSheet } from './sheets.ts';
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

/** A document of a sheet. */
export interface SheetDocument {
  sheet: Sheet;
  source: string;
  file: string;
  line: number;
}

/** What became of files of documents. */
export type ReadFlows =
  | { ok: true; documents: readonly FlowDocument[]; sheets: readonly SheetDocument[] }
  /** In the order of the files, at most 50 of each. */
  | { ok: false; faults: readonly DocumentFault[] };

/**
 * Reads files of documents. All of them or none: a fault anywhere gives the faults of all. `samples` are the files beside
 * them that they name (samples.ts). Never throws.
 */
export function readFlows(files: readonly DocumentFile[], samples: Samples = new Map()): ReadFlows {
  const documents: FlowDocument[] = [];
  const sheets: SheetDocument[] = [];
  const all: DocumentFault[] = [];
  const known = new Map<string, string>();
  for (const file of files) {
    const { documents: sources, faults } = readSource(file);
    for (const source of sources) {
      const word = kindOf(source.value, faults);
      if (word === null) continue;
      const at = nameSpan(source.value);
      if (word === 'sheet') {
        const document = readSheetDocument(source, faults);
        if (document === null) continue;
        checkTwice({ word: 'sheet', name: document.sheet.name, ...document }, { known, faults, at });
        sheets.push(document);
      } else {
        const document = readDocument(source, { word, samples, faults });
        if (document === null) continue;
        checkTwice({ word, name: document.flow.name, ...document }, { known, faults, at });
        documents.push(document);
      }
    }
    all.push(...[...faults.list].sort((a, b) => a.line - b.line || a.column - b.column));
  }
  return all.length > 0 ? { ok: false, faults: all.slice(0, MAX_FAULTS * 4) } : { ok: true, documents, sheets };
}

/** The definition as text. Fields stand in the order they are read in; what authors name stands as they wrote it. */
export function definitionText(flow: Flow): string {
  return JSON.stringify(flow);
}

/** A number alone would be taken for an id. */
const NAME = { pattern: /\D/, looks: 'must not be a number' };
const KINDS = { job: 'job', policySet: 'policy-set', scenario: 'scenario' } as const satisfies Record<string, FlowKind>;
const OWN_FIELDS = { job: ['params', 'steps'], policySet: ['params', 'rules'], scenario: ['shapes', 'steps'] } as const;
const WORDS: Readonly<Record<Word, string>> = {
  job: 'job',
  policySet: 'policy set',
  scenario: 'scenario',
  sheet: 'sheet',
};

type FlowWord = keyof typeof KINDS;
type Word = FlowWord | 'sheet';

interface Reading {
  word: FlowWord;
  samples: Samples;
  faults: Faults;
}

function readDocument({ value, text }: SourceDocument, reading: Reading): FlowDocument | null {
  const { word, faults } = reading;
  const before = faults.list.length;
  const fields = fieldsOf(value, `a ${WORDS[word]}`, [word, ...HEAD_FIELDS, ...OWN_FIELDS[word]], faults) as Fields;
  const name = textOf(fields.value(word) as Value, `the name of a ${WORDS[word]}`, faults, NAME);
  const flow = readFlow(fields, name ?? '', reading);
  const tests = readTests(flow, fields.value('tests'), reading);
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

function readFlow(fields: Fields, name: string, { word, samples, faults }: Reading): Flow {
  const unsaid = word === 'scenario' ? SCENARIO_UNSAID : UNSAID;
  const { description, group, enabled, params, ...rest } = readHead(fields, faults, unsaid);
  const at = fields.nameAt(word);
  const kind = KINDS[word];
  if (kind === 'scenario') {
    // The hook is what starts it, so that nothing else does.
    const on = { cron: [], http: false, events: [] };
    const head = { kind, name, description, group, enabled, params: {}, on, ...rest };
    return { ...head, ...readScenario(fields, { at, samples, faults }) };
  }
  const on = readTriggers(fields.value('on'), { params, faults });
  const head = { name, description, group, enabled, params, on, ...rest };
  if (kind === 'policy-set') return { kind, ...head, rules: readRules(fields.value('rules'), at, faults) };
  return { kind, ...head, steps: readSteps(fields.value('steps'), { at, around: ofJob(params), faults }) };
}

function readSheetDocument({ value, text }: SourceDocument, faults: Faults): SheetDocument | null {
  const sheet = readSheet(value, faults);
  return sheet && { sheet, source: text, file: faults.file, line: faults.placeOf(value.start).line };
}

function readTests(flow: Flow, value: Value | null, { samples, faults }: Reading): readonly FlowTest[] {
  if (!isGiven(value)) return [];
  if (value.kind !== 'list') {
    faults.add(value, `tests must be a list, not ${describe(value)}`);
    return [];
  }
  if (flow.kind === 'job') return readJobTests(value, flow, faults);
  if (flow.kind === 'policy-set') return readPolicyTests(value, flow, faults);
  return readScenarioTests(value, flow, { samples, faults });
}

/** The word a document begins with; null (told) where it is none of ours. */
function kindOf(value: Value, faults: Faults): Word | null {
  const known = Object.keys(WORDS);
  const begins = 'a document begins with "job: name", "policySet: name", "scenario: name" or "sheet: name"';
  if (value.kind !== 'map') {
    faults.add(value, `${begins}, not with ${describe(value)}`, known);
    return null;
  }
  const [first, second] = value.entries.filter(({ name }) => Object.hasOwn(WORDS, name));
  if (first === undefined) {
    const at: Span = value.entries[0]?.at ?? value;
    faults.add(at, `${begins}; this one has none of them`, known);
    return null;
  }
  if (second === undefined || second.name === first.name) return first.name as Word;
  faults.add(second.at, `a document is one thing, and this one is a ${first.name}; part them by ---`);
  return null;
}

function nameSpan(value: Value): Span {
  return value.kind === 'map' ? (value.entries.find(({ name }) => Object.hasOwn(WORDS, name))?.value ?? value) : value;
}

/** Two documents of one name would take turns at each push. */
function checkTwice(
  { word, name, file, line }: { word: Word; name: string; file: string; line: number },
  { known, faults, at }: { known: Map<string, string>; faults: Faults; at: Span },
): void {
  const key = `${word} ${name}`;
  const former = known.get(key);
  if (former === undefined) known.set(key, `${file}:${line}`);
  else faults.add(at, `the ${WORDS[word]} "${name}" stands at ${former} already`);
}
