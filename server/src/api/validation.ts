// What a request says against the schema of its route: nothing is coerced, everything wrong is named at once.
import { Ajv2020, type ErrorObject, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import type { TObject, TSchema } from 'typebox';
import { escapePointer } from '../model/json-bytes.ts';
import { didYouMean } from '../model/near-names.ts';
import { problemOf, Refused, type ProblemFault } from '../model/problem.ts';

/** More faults than this are not listed. */
const MAX_FAULTS = 50;

// allErrors is safe here: bodies are bounded, and nobody gets this far without a key of the right scope.
const ajv = new Ajv2020({ allErrors: true, strict: true, strictTypes: false, verbose: true, coerceTypes: false });
addFormats.default(ajv);

/** Checks a value of one part of a request. */
export type Check = (value: unknown) => ProblemFault[];

/** Compiles the check of a body. Faults point into it. */
export function bodyCheck(schema: TSchema): Check {
  const validate = ajv.compile(schema);
  return (value) => faultsOf(validate, value, (pointer) => pointer);
}

/** Compiles the check of a query. Faults name parameters. */
export function queryCheck(schema: TObject): Check {
  const validate = ajv.compile(schema);
  return (value) => faultsOf(validate, value, (pointer) => pointer.slice(1));
}

/** Refuses when there are faults. */
export function refuseFaults(faults: ProblemFault[]): void {
  if (faults.length > 0) throw new Refused(problemOf(faults.slice(0, MAX_FAULTS), 'invalid-request'));
}

/**
 * Query parameters by the types of their schema. They are text by nature: what is an integer there is read as one,
 * `12` and not `1e1`; what does not read so stays text and fails its check.
 */
export function parseQuery(search: string, schema: TObject | undefined): Record<string, unknown> {
  const query: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const faults: ProblemFault[] = [];
  for (const [name, text] of new URLSearchParams(search)) {
    if (name in query) {
      faults.push({ pointer: name, code: 'invalid-value', detail: `The parameter ${name} comes twice.` });
    }
    query[name] = typed(text, schema?.properties[name]);
  }
  for (const [name, value] of Object.entries(query)) faults.push(...textFaults(value, name));
  refuseFaults(faults);
  return query;
}

/**
 * Text that cannot be kept as it is: NUL, which PostgreSQL has no place for, and halves of surrogate pairs, which no UTF-8
 * can carry. Looks into names and values at any depth; the depth has been bounded.
 */
export function textFaults(value: unknown, pointer = ''): ProblemFault[] {
  if (typeof value === 'string') return isKeepable(value) ? [] : [unkeepable(pointer)];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const place = `${pointer}/${escapePointer(name)}`;
    return isKeepable(name) ? textFaults(inner, place) : [unkeepable(pointer)];
  });
}

function isKeepable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}

function unkeepable(pointer: string): ProblemFault {
  return { pointer, code: 'invalid-value', detail: `${pointer || 'A name'} holds a NUL or half of a surrogate pair.` };
}

function typed(text: string, schema: TSchema | undefined): unknown {
  const type = schema === undefined ? undefined : (schema as { type?: string }).type;
  if (type === 'integer' && /^-?(?:0|[1-9]\d{0,15})$/.test(text)) return Number(text);
  if (type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function faultsOf(validate: ValidateFunction, value: unknown, locate: (pointer: string) => string): ProblemFault[] {
  if (validate(value)) return [];
  const errors = (validate.errors ?? []).filter(isTelling);
  return errors.map((error) => faultOf(error, locate));
}

// A value or null is `anyOf` in the schema: its own error and that of the null branch only repeat what the other says.
function isTelling(error: ErrorObject, _at: number, all: ErrorObject[]): boolean {
  if (error.keyword === 'type' && error.params['type'] === 'null') return false;
  return (
    error.keyword !== 'anyOf' ||
    !all.some((other) => other !== error && other.schemaPath.startsWith(`${error.schemaPath}/`))
  );
}

function faultOf(error: ErrorObject, locate: (pointer: string) => string): ProblemFault {
  const { keyword, instancePath, params } = error;
  if (keyword === 'additionalProperties') {
    const name = params['additionalProperty'] as string;
    const known = Object.keys((error.parentSchema as { properties?: object }).properties ?? {});
    const detail = `There is no ${JSON.stringify(name)} here${didYouMean(name, known) || '.'}`;
    return { pointer: locate(`${instancePath}/${escapePointer(name)}`), code: 'unknown-field', detail };
  }
  if (keyword === 'required') {
    const name = params['missingProperty'] as string;
    const detail = `${JSON.stringify(name)} is required.`;
    return { pointer: locate(`${instancePath}/${escapePointer(name)}`), code: 'missing-field', detail };
  }
  const pointer = locate(instancePath);
  const subject = pointer === '' ? 'The body' : pointer;
  if (keyword === 'type') {
    return { pointer, code: 'wrong-type', detail: `${subject} must be of type ${String(params['type'])}.` };
  }
  if (keyword === 'enum') {
    const allowed = (params['allowedValues'] as unknown[]).join(', ');
    return { pointer, code: 'invalid-value', detail: `${subject} must be one of: ${allowed}.` };
  }
  return { pointer, code: 'invalid-value', detail: `${subject} ${error.message ?? 'is not valid'}.` };
}
