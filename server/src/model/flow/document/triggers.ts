// What starts a flow, as a document says it: `on: { cron, http, event, job, manual }`.
import { compileFilter } from '../../filter/index.ts';
import { isPattern } from '../../catalog.ts';
import { cronFault, isTimezone } from '../cron.ts';
import type { Cron, EventTrigger, Json, Param, Triggers } from '../definition.ts';
import { JOB_STATUSES } from '../end-events.ts';
import { notOneOf, type Faults, type Span } from './fault.ts';
import { checkTemplates, placeIn } from './expressions.ts';
import {
  booleanOf,
  choiceOf,
  describe,
  fieldsOf,
  isGiven,
  itemsOf,
  jsonOf,
  spanOf,
  textOf,
  type Fields,
} from './fields.ts';
import { isOfType } from './params.ts';
import type { Value } from './source.ts';

const ON_FIELDS = ['manual', 'http', 'cron', 'timezone', 'event', 'job'];
const CRON_FIELDS = ['at', 'timezone', 'skip', 'startTimeout', 'catchUp', 'params'];
const CATCH_UP = ['none', 'one', 'all'] as const;
const MAX_TRIGGERS = 100;
const YEAR_MS = 366 * 86_400_000;

/** What the parameters of a start are judged by. */
interface Context {
  params: Readonly<Record<string, Param>>;
  faults: Faults;
}

/** Reads `on`, for a flow of these parameters; absent, only a hand starts it. */
export function readTriggers(value: Value | null, context: Context): Triggers {
  const { faults } = context;
  const none: Triggers = { cron: [], http: false, events: [] };
  if (!isGiven(value)) return none;
  const fields = fieldsOf(value, 'on', ON_FIELDS, faults);
  if (fields === null) return none;
  checkManual(fields, faults);
  const http = fields.value('http');
  const zone = fields.value('timezone');
  const timezone = (isGiven(zone) ? readTimezone(zone, faults) : null) ?? 'UTC';
  const cron = itemsOf(fields.value('cron'));
  const events = itemsOf(fields.value('event'));
  const jobs = itemsOf(fields.value('job'));
  if (cron.length > MAX_TRIGGERS || events.length + jobs.length > MAX_TRIGGERS) {
    faults.add(value, `a flow has at most ${MAX_TRIGGERS} triggers of a kind`);
  }
  return {
    cron: cron.flatMap((one) => readCron(one, timezone, context) ?? []),
    http: (isGiven(http) ? booleanOf(http, 'http', faults) : null) ?? false,
    events: [
      ...events.flatMap((one) => readEvent(one, context) ?? []),
      ...jobs.flatMap((one) => readJobEnd(one, context)),
    ],
  };
}

function checkManual(fields: Fields, faults: Faults): void {
  const manual = fields.value('manual');
  if (isGiven(manual) && booleanOf(manual, 'manual', faults) === false) {
    faults.add(manual, 'manual can only be true: whoever may manage a flow may start it', ['true']);
  }
}

/** The name of a time zone that the runtime knows; null (told) for any other. */
export function readTimezone(value: Value, faults: Faults): string | null {
  const name = textOf(value, 'timezone', faults, { max: 64 });
  if (name === null || isTimezone(name)) return name;
  faults.add(value, `there is no time zone ${JSON.stringify(name)}; one is Asia/Tokyo, another UTC`);
  return null;
}

/* ── Time tables ────────────────────────────────────────────────────────────────────────────────────────────── */

function readCron(value: Value, timezone: string, context: Context): Cron | null {
  const { faults } = context;
  const rest = { skip: [], startTimeoutMs: null, catchUp: 'none' as const, params: {} };
  if (value.kind !== 'map') {
    checkRequired(value, {}, context);
    const at = readAt(value, timezone, faults);
    return at === null ? null : { at, timezone, ...rest };
  }
  const fields = fieldsOf(value, 'a time table', CRON_FIELDS, faults);
  if (fields === null) return null;
  const own = fields.value('timezone');
  const zone = (isGiven(own) ? readTimezone(own, faults) : null) ?? timezone;
  const table = fields.value('at');
  if (!isGiven(table)) faults.add(fields.at, 'a time table needs at, such as "0 2 * * *"', ['at']);
  const at = isGiven(table) ? readAt(table, zone, faults) : null;
  const startTimeout = fields.value('startTimeout');
  const catchUp = fields.value('catchUp');
  const cron: Omit<Cron, 'at'> = {
    timezone: zone,
    skip: itemsOf(fields.value('skip')).flatMap((day) => readDay(day, faults) ?? []),
    startTimeoutMs: isGiven(startTimeout)
      ? spanOf(startTimeout, 'startTimeout', { min: 1_000, max: YEAR_MS, faults })
      : null,
    catchUp: (isGiven(catchUp) ? choiceOf(catchUp, 'catchUp', { words: CATCH_UP, faults }) : null) ?? 'none',
    params: readParamValues(fields.value('params'), { at: fields.at, templates: false, ...context }),
  };
  return at === null ? null : { at, ...cron };
}

function readAt(value: Value, timezone: string, faults: Faults): string | null {
  const at = textOf(value, 'a time table', faults);
  const fault = at === null ? null : cronFault(at, timezone);
  if (fault !== null) faults.add(value, fault);
  return fault === null ? at : null;
}

function readDay(value: Value, faults: Faults): string | null {
  const day = textOf(value, 'a day to skip', faults, {
    pattern: /^\d{4}-\d{2}-\d{2}$/,
    looks: 'must be written like 2026-12-25',
  });
  if (day === null) return null;
  const at = Date.parse(`${day}T00:00:00Z`);
  if (!Number.isNaN(at) && new Date(at).toISOString().startsWith(day)) return day;
  faults.add(value, `${day} is no day of the calendar`);
  return null;
}

/** Values for the flow's parameters, by name. Those of an event may be templates over it. */
function readParamValues(
  value: Value | null,
  { at, templates, ...context }: Context & { at: Span; templates: boolean },
): Record<string, Json> {
  const { params, faults } = context;
  const given: Record<string, Json> = {};
  if (isGiven(value) && value.kind !== 'map') {
    faults.add(value, `params must be a map of values, not ${describe(value)}`);
    return given;
  }
  for (const { name, at: nameAt, value: inner } of isGiven(value) && value.kind === 'map' ? value.entries : []) {
    const param = Object.hasOwn(params, name) ? params[name] : undefined;
    if (param === undefined) {
      const known = Object.keys(params);
      faults.add(nameAt, known.length === 0 ? 'this flow has no params' : notOneOf('param', name, known), known);
      continue;
    }
    if (templates) checkTemplates(inner, `params.${name}`, { faults });
    const json = jsonOf(inner);
    if (!templates || typeof json !== 'string' || !json.includes('${')) isOfType(inner, param.type, faults);
    given[name] = json;
  }
  checkRequired(at, given, context);
  return given;
}

/** Nobody can be asked when a time table or an event starts a run. */
function checkRequired(at: Span, given: Readonly<Record<string, Json>>, { params, faults }: Context): void {
  for (const [name, param] of Object.entries(params)) {
    if (param.default !== undefined || Object.hasOwn(given, name)) continue;
    faults.add(at, `the param "${name}" has no default, and this trigger does not give it`, ['params']);
  }
}

/* ── Events ─────────────────────────────────────────────────────────────────────────────────────────────────── */

function readEvent(value: Value, context: Context): EventTrigger | null {
  const { faults } = context;
  if (value.kind !== 'map') {
    checkRequired(value, {}, context);
    const type = readType(value, faults);
    return type === null ? null : { type, filter: null, params: {} };
  }
  const fields = fieldsOf(value, 'an event trigger', ['type', 'filter', 'params'], faults);
  if (fields === null) return null;
  const named = fields.value('type');
  if (!isGiven(named)) faults.add(fields.at, 'an event trigger needs a type', ['type']);
  const type = isGiven(named) ? readType(named, faults) : null;
  const written = fields.value('filter');
  const filter = isGiven(written) ? readFilter(written, faults) : null;
  const params = readParamValues(fields.value('params'), { at: fields.at, templates: true, ...context });
  return type === null ? null : { type, filter, params };
}

function readType(value: Value, faults: Faults): string | null {
  const type = textOf(value, 'an event type', faults);
  if (type === null) return null;
  if (!type.includes('*') || (isPattern(type) && /^[^\s*]+\.\*$/.test(type))) return type;
  faults.add(value, `"${type}" is no pattern: a "*" stands once, at the end, after a dot`);
  return null;
}

function readFilter(value: Value, faults: Faults): string | null {
  const text = textOf(value, 'filter', faults, { max: 4_096 });
  if (text === null || value.kind !== 'scalar') return null;
  const filter = compileFilter(text);
  if (filter.ok) return filter.text;
  faults.add(
    placeIn(value, { at: filter.position, length: filter.token.length }, faults.text),
    `filter: ${filter.message.replace(/\.$/, '')}`,
  );
  return null;
}

/** `job: { name, status }`: the end of another job, which is an event of the catalog like any other. */
function readJobEnd(value: Value, context: Context): EventTrigger[] {
  const { faults } = context;
  const given = value.kind === 'map' ? fieldsOf(value, 'job', ['name', 'status', 'params'], faults) : null;
  if (value.kind === 'map' && given === null) return [];
  const named = given === null ? value : given.value('name');
  if (!isGiven(named)) {
    faults.add(value, 'job needs the name of the job whose end starts this one', ['name']);
    return [];
  }
  const name = textOf(named, 'the name of the job', faults);
  const statuses = itemsOf(given?.value('status') ?? null).flatMap(
    (status) => choiceOf(status, 'status', { words: JOB_STATUSES, faults }) ?? [],
  );
  const at = given?.at ?? { start: value.start, end: value.end };
  const params = readParamValues(given?.value('params') ?? null, { at, templates: true, ...context });
  if (name === null) return [];
  const filter = `name eq '${name.replaceAll("'", "''")}'`;
  const wanted = statuses.length === 0 ? ['completed'] : [...new Set(statuses)];
  return wanted.map((status) => ({ type: `bellwire.job.${status}`, filter, params }));
}
