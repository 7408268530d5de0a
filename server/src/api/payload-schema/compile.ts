// Compiles a judged schema with Ajv into a function that names the first fault of some data, in words.
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { DataValidateFunction, FuncKeywordDefinition } from 'ajv/dist/types/index.js';
import { fullFormats } from 'ajv-formats/dist/formats.js';
import { FORMATS } from './keywords.ts';
import { compilePattern } from '../../model/patterns.ts';
import type { CoreSchema } from './reader.ts';
import { describeErrors } from './sentences.ts';

/** What is wrong with some data: where (a JSON pointer into it) and what, in words. */
export interface DataFault {
  pointer: string;
  message: string;
}

/** Answers the first fault, or null when the data fits. May throw on data nested too deeply for the stack. */
export type Validate = (data: unknown) => DataFault | null;

const formats = Object.fromEntries(Object.entries(fullFormats).filter(([name]) => FORMATS.has(name)));

/** Compiles the core of a judged schema. Throws with the reason in words where RE2 cannot do a pattern. */
export function compileSchema(core: CoreSchema): Validate {
  // An instance of its own: Ajv keeps what it has compiled for as long as it lives.
  const ajv = new Ajv2020({
    // The core was checked keyword by keyword; Ajv's meta-schemas would cost ten times the rest.
    meta: false,
    validateSchema: false,
    strict: false,
    logger: false,
    messages: false,
    formats,
    // {"constructor": …} is data like any other, and must not be found on the prototype of {}.
    ownProperties: true,
    // Inlining copies a definition to each place that refers to it: time and memory without bound.
    inlineRefs: false,
    // Longer lists of names are looped over instead of written out.
    loopRequired: 20,
    // 19.99 is a multiple of 0.01 although 19.99 / 0.01 is not quite whole.
    multipleOfPrecision: 9,
    // Off: the optimiser's time grows with the square of the schema (2,000 properties: 2.8 s, without it 0.4 s).
    code: {
      optimize: false,
      regExp: Object.assign((pattern: string) => compilePattern(pattern), { code: 'compilePattern' }),
    },
  });
  for (const keyword of KEYWORDS_OF_OURS) ajv.addKeyword(keyword);
  const validate = ajv.compile(core);
  return (data) => (validate(data) ? null : describeErrors(validate.errors ?? []));
}

/**
 * Keywords that replace Ajv's own in the core. Ajv compares values pair by pair (`uniqueItems` on 181 KB took 4.4 s)
 * and trips over data that has a member called `valueOf`; these compare one canonical text each. And it writes out every
 * name of `dependentRequired`, which overflows its own stack at some thousands.
 */
const KEYWORDS_OF_OURS: FuncKeywordDefinition[] = [
  { keyword: 'equals', errors: false, compile: (wanted: unknown) => isOneOf([wanted]) },
  { keyword: 'equalsOneOf', errors: false, compile: (wanted: unknown[]) => isOneOf(wanted) },
  {
    keyword: 'distinct',
    errors: false,
    type: 'array',
    compile: (wanted: boolean) => (wanted ? isDistinct : () => true),
  },
  { keyword: 'dependsOn', type: 'object', compile: dependsOn },
];

function isOneOf(wanted: readonly unknown[]): (data: unknown) => boolean {
  const texts = new Set(wanted.map(canonical));
  const scalars = wanted.every((value) => typeof value !== 'object' || value === null);
  return (data) => (scalars && typeof data === 'object' && data !== null ? false : texts.has(canonical(data)));
}

function isDistinct(items: readonly unknown[]): boolean {
  return new Set(items.map(canonical)).size === items.length;
}

function dependsOn(needs: Record<string, readonly string[]>): DataValidateFunction {
  const check: DataValidateFunction = (data: object) => {
    for (const [property, names] of Object.entries(needs)) {
      if (!Object.hasOwn(data, property)) continue;
      const missingProperty = names.find((name) => !Object.hasOwn(data, name));
      if (missingProperty === undefined) continue;
      check.errors = [{ keyword: 'dependsOn', params: { property, missingProperty } }];
      return false;
    }
    return true;
  };
  return check;
}

/** A text that two JSON values share exactly when they are equal. */
function canonical(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '0' : String(value);
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical((value as Record<string, unknown>)[name])}`).join(',')}}`;
}
