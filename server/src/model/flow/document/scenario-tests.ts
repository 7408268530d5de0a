// The tests that a scenario's document carries: a request, and what must become of it.
import type { Hook, Json, Scenario } from '../definition.ts';
import type { HookRequest } from '../../hook/exchange.ts';
import type { Faults } from './fault.ts';
import { choiceOf, describe, fieldsOf, integerOf, isGiven, itemsOf, jsonOf, textOf, type Fields } from './fields.ts';
import { HOOK_METHODS } from './hook.ts';
import { sampleText, typeOfSample, type SampleReading } from './samples.ts';
import type { ListValue, Value } from './source.ts';
import {
  namesOf,
  readByStep,
  readExpectations,
  readReasons,
  readTestHead,
  readTexts,
  type StepExpectations,
  type StepTest,
} from './step-tests.ts';

/** A scenario is walked through by one request, without doing anything. */
export interface ScenarioTest extends StepTest {
  kind: 'scenario';
  request: HookRequest;
  expect: StepExpectations & {
    /** What the caller is told; null where it is not looked at. */
    reply: ReplyExpectation | null;
    /** What is appended to sheets, by name: how many rows, or these cells of each. */
    rows: Readonly<Record<string, number | readonly Json[]>>;
  };
}

/** Parts of a reply; what is undefined is not looked at. */
export interface ReplyExpectation {
  status?: number;
  /** By names in lower case. */
  headers?: Readonly<Record<string, string>>;
  body?: Json;
}

const TEST = ['name', 'send', 'headers', 'query', 'method', 'secrets', 'steps', 'fails', 'expect'];
const EXPECT = ['status', 'route', 'ran', 'skipped', 'inputs', 'reply', 'rows'];
const MAX_TEXT = 65_536;

/** Reads the tests of a scenario. */
export function readScenarioTests(list: ListValue, scenario: Scenario, reading: SampleReading): ScenarioTest[] {
  const { faults } = reading;
  const steps = namesOf(scenario.steps);
  return list.items.flatMap((item, index) => {
    const fields = fieldsOf(item, 'a test', TEST, faults);
    if (fields === null) return [];
    const by = (name: string) => ({ name, steps, faults });
    const test: ScenarioTest = {
      kind: 'scenario',
      ...readTestHead(fields, { index, line: faults.placeOf(item.start).line, faults }),
      params: {},
      request: readRequest(fields, scenario, reading),
      secrets: readTexts(fields.value('secrets'), 'secrets', faults),
      outputs: readByStep(fields.value('steps'), by('steps')),
      fails: readReasons(fields.value('fails'), by('fails')),
      expect: readExpect(fields, steps, faults),
    };
    return test;
  });
}

function readRequest(fields: Fields, { hook }: Scenario, reading: SampleReading): HookRequest {
  const { faults } = reading;
  const method = fields.value('method');
  const headers = Object.entries(readTexts(fields.value('headers'), 'headers', faults));
  const query = fields.value('query');
  const { text, type } = readBody(fields.value('send'), reading);
  const named = headers.some(([name]) => name.toLowerCase() === 'content-type');
  if (!named && type !== null) headers.push(['content-type', type]);
  return {
    method: (isGiven(method) ? choiceOf(method, 'method', { words: HOOK_METHODS, faults }) : null) ?? usualMethod(hook),
    query: isGiven(query) ? readQuery(query, faults) : '',
    headers: headers.flat(),
    body: new TextEncoder().encode(text),
    from: null,
  };
}

/** How a hook is called unless somebody says otherwise. */
export function usualMethod({ methods }: Pick<Hook, 'methods'>): string {
  return methods.includes('POST') ? 'POST' : (methods[0] ?? 'POST');
}

/** A text of a document itself is sent as JSON, like everything else that stands there. */
function readBody(value: Value | null, reading: SampleReading): { text: string; type: string | null } {
  if (!isGiven(value)) return { text: '', type: null };
  if (value.kind !== 'scalar' || typeof value.value !== 'string') {
    return { text: JSON.stringify(jsonOf(value)), type: 'application/json' };
  }
  const text = sampleText(value, value.value, reading);
  return { text: text ?? '', type: typeOfSample(value.value) };
}

/** `query: a=1&b=2`, or a map whose lists are repeated parameters. */
function readQuery(value: Value, faults: Faults): string {
  if (value.kind !== 'map') return textOf(value, 'query', faults, { max: MAX_TEXT }) ?? '';
  const pairs = value.entries.flatMap(({ name, value: inner }) =>
    itemsOf(inner).flatMap((item): [string, string][] => {
      if (item.kind === 'scalar') return [[name, String(item.value ?? '')]];
      faults.add(item, `query.${name} must be a text, not ${describe(item)}`);
      return [];
    }),
  );
  return new URLSearchParams(pairs).toString();
}

/* ── What is expected ───────────────────────────────────────────────────────────────────────────────────────── */

function readExpect(fields: Fields, steps: readonly string[], faults: Faults): ScenarioTest['expect'] {
  const expect = readExpectations(fields, { known: EXPECT, steps, faults });
  const value = fields.value('expect');
  const own = value?.kind === 'map' ? value.entries : [];
  const of = (name: string): Value | null => own.find((entry) => entry.name === name)?.value ?? null;
  return { ...expect, reply: readReply(of('reply'), faults), rows: readRows(of('rows'), faults) };
}

/** `reply: 200`, or a map of status, headers and body. */
function readReply(value: Value | null, faults: Faults): ReplyExpectation | null {
  if (!isGiven(value)) return null;
  const bounds = { min: 200, max: 599, faults };
  if (value.kind !== 'map') {
    const status = integerOf(value, 'the status of the reply', bounds);
    return status === null ? null : { status };
  }
  const fields = fieldsOf(value, 'reply', ['status', 'headers', 'body'], faults) as Fields;
  const status = fields.value('status');
  const headers = fields.value('headers');
  const body = fields.value('body');
  const number = isGiven(status) ? integerOf(status, 'status', bounds) : null;
  const texts = Object.entries(readTexts(headers, 'headers', faults)).map(([name, text]) => [name.toLowerCase(), text]);
  return {
    ...(number === null ? {} : { status: number }),
    ...(isGiven(headers) ? { headers: Object.fromEntries(texts) as Record<string, string> } : {}),
    ...(body === null ? {} : { body: jsonOf(body) }),
  };
}

function readRows(value: Value | null, faults: Faults): ScenarioTest['expect']['rows'] {
  if (!isGiven(value)) return {};
  if (value.kind !== 'map') {
    faults.add(value, `rows must be a map of sheets, not ${describe(value)}`);
    return {};
  }
  const rows = value.entries.flatMap(({ name, value: inner }): [string, number | readonly Json[]][] => {
    if (inner.kind === 'list') return [[name, inner.items.map(jsonOf)]];
    if (inner.kind === 'map') return [[name, [jsonOf(inner)]]];
    const count = integerOf(inner, `rows.${name}`, { min: 0, max: 10_000, faults });
    return count === null ? [] : [[name, count]];
  });
  return Object.fromEntries(rows);
}
