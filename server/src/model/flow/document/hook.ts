// The hook of a scenario, as a document says it: `on: { hook: true }`, or what becomes of the requests to it.
import { parseSize } from '../../quantities.ts';
import { cronFault } from '../cron.ts';
import type { Hook, NamedShape } from '../definition.ts';
import { checkTemplates, type Use } from './expressions.ts';
import type { Faults } from './fault.ts';
import {
  booleanOf,
  choiceOf,
  describe,
  fieldsOf,
  integerOf,
  isGiven,
  itemsOf,
  spanOf,
  textOf,
  type Fields,
} from './fields.ts';
import type { Value } from './source.ts';
import { readTimezone } from './triggers.ts';
import { readChallenges, readVerify } from './verify.ts';

const HOOK_FIELDS = [
  'verify',
  'secret',
  'observe',
  'challenge',
  'challenges',
  'origins',
  'methods',
  'shapes',
  'onMisfit',
  'dedupe',
  'schedule',
  'queue',
  'replyWithin',
  'maxBody',
];

/** Methods that a hook can be called by. */
export const HOOK_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
const MAX_QUEUE = 1_000_000;
const MAX_BODY = 16 * 2 ** 20;

/** A hook that takes what comes: what `hook: true` means, and what is meant where a document says nothing. */
export const PLAIN_HOOK: Hook = {
  verify: null,
  challenge: 'answer',
  challenges: [],
  origins: null,
  methods: ['POST'],
  shapes: [],
  onMisfit: 'note',
  dedupe: null,
  schedule: null,
  queue: 10_000,
  replyWithinMs: 10_000,
  bodyBytes: 4 * 2 ** 20,
};

/** What the hook of a document is read with. */
export interface HookReading {
  faults: Faults;
  /** What the templates of the hook name. */
  uses: Use[];
  /** Reads `shapes` of the hook; null (none said) gives all that the document has. */
  shapes(value: Value | null): readonly NamedShape[];
}

/** Reads `on` of a scenario; absent, its hook takes what comes (R77). */
export function readHook(on: Value | null, reading: HookReading): Hook {
  const { faults, shapes } = reading;
  const plain = (): Hook => ({ ...PLAIN_HOOK, shapes: shapes(null) });
  if (!isGiven(on)) return plain();
  const value = fieldsOf(on, 'on', ['hook'], faults)?.value('hook') ?? null;
  if (!isGiven(value)) return plain();
  if (value.kind !== 'map') {
    if (booleanOf(value, 'hook', faults) === false)
      faults.add(value, 'hook can only be true, or a map: a scenario has one');
    return plain();
  }
  return readFields(fieldsOf(value, 'hook', HOOK_FIELDS, faults) as Fields, reading);
}

function readFields(fields: Fields, reading: HookReading): Hook {
  const { faults } = reading;
  const given = <T>(name: string, read: (value: Value) => T | null, otherwise: T): T => {
    const value = fields.value(name);
    return isGiven(value) ? (read(value) ?? otherwise) : otherwise;
  };
  const verify = readVerify(fields, faults);
  const words = ['answer', 'pass'] as const;
  const misfit = ['note', 'refuse'] as const;
  const hook: Hook = {
    verify,
    challenge: given('challenge', (value) => choiceOf(value, 'challenge', { words, faults }), PLAIN_HOOK.challenge),
    challenges: readChallenges(fields.value('challenges'), { verify, faults }),
    origins: given<Hook['origins']>('origins', (value) => readOrigins(value, faults), PLAIN_HOOK.origins),
    methods: given('methods', (value) => readMethods(value, faults), PLAIN_HOOK.methods),
    shapes: reading.shapes(fields.value('shapes')),
    onMisfit: given('onMisfit', (value) => choiceOf(value, 'onMisfit', { words: misfit, faults }), PLAIN_HOOK.onMisfit),
    dedupe: given<string | null>('dedupe', (value) => readDedupe(value, reading), null),
    schedule: given<Hook['schedule']>('schedule', (value) => readSchedule(value, faults), null),
    queue: given('queue', (value) => integerOf(value, 'queue', { min: 1, max: MAX_QUEUE, faults }), PLAIN_HOOK.queue),
    replyWithinMs: given(
      'replyWithin',
      (value) => spanOf(value, 'replyWithin', { min: 100, max: 300_000, faults }),
      PLAIN_HOOK.replyWithinMs,
    ),
    bodyBytes: given('maxBody', (value) => readBytes(value, faults), PLAIN_HOOK.bodyBytes),
  };
  if (hook.onMisfit === 'refuse' && hook.shapes.length === 0) {
    faults.add(fields.nameAt('onMisfit'), 'onMisfit: refuse needs shapes: what would fit?', ['shapes']);
  }
  return hook;
}

function readMethods(value: Value, faults: Faults): readonly string[] | null {
  const methods = itemsOf(value).flatMap((item) => choiceOf(item, 'method', { words: HOOK_METHODS, faults }) ?? []);
  if (value.kind === 'list' && value.items.length === 0) faults.add(value, 'methods names none; it needs one');
  // One order only: whatever the author's, it means the same.
  return methods.length === 0 ? null : HOOK_METHODS.filter((method) => methods.includes(method));
}

/** What a sender calls itself: the name of a host, by RFC; some send their URL. */
const ORIGIN = { pattern: /^[\x21-\x7e]+$/, looks: 'must be a name such as events.example.com' };

function readOrigins(value: Value, faults: Faults): readonly string[] | null {
  const origins = itemsOf(value).flatMap((item) => textOf(item, 'origins', faults, ORIGIN) ?? []);
  if (value.kind === 'list' && value.items.length === 0) faults.add(value, 'origins names none; it needs one');
  return origins.length === 0 ? null : origins.map((origin) => origin.toLowerCase());
}

function readDedupe(value: Value, { faults, uses }: HookReading): string | null {
  const text = textOf(value, 'dedupe', faults, { max: 1_000 });
  if (text === null) return null;
  const before = faults.list.length;
  checkTemplates(value, 'dedupe', { faults, uses });
  if (faults.list.length === before && !/(?<!\$)\$\{/.test(text)) {
    faults.add(value, 'dedupe must hold a template such as ${ body.id }: without one all requests would be the same');
  }
  return text;
}

/** `schedule: "0 * * * *"`, or a map of at and timezone. */
function readSchedule(value: Value, faults: Faults): Hook['schedule'] {
  const fields = value.kind === 'map' ? fieldsOf(value, 'schedule', ['at', 'timezone'], faults) : null;
  const zone = fields?.value('timezone') ?? null;
  const timezone = (isGiven(zone) ? readTimezone(zone, faults) : null) ?? 'UTC';
  const table = value.kind === 'map' ? (fields?.value('at') ?? null) : value;
  if (!isGiven(table)) {
    faults.add(value, 'schedule needs at, such as "0 * * * *"', ['at']);
    return null;
  }
  const at = textOf(table, 'schedule', faults);
  const fault = at === null ? null : (cronFault(at, timezone) ?? onceFault(at));
  if (fault !== null) faults.add(table, fault);
  return at === null || fault !== null ? null : { at, timezone };
}

function onceFault(at: string): string | null {
  return /^\d{4}-/.test(at) ? 'schedule must come again and again: a time table such as "0 * * * *"' : null;
}

function readBytes(value: Value, faults: Faults): number | null {
  const json = value.kind === 'scalar' ? value.value : null;
  const bytes = typeof json === 'string' || typeof json === 'number' ? parseSize(json) : null;
  if (bytes !== null && bytes >= 1 && bytes <= MAX_BODY) return bytes;
  const message = `maxBody must be a size such as 256KiB, at most 16MiB, not ${describe(value)}`;
  faults.add(value, message);
  return null;
}
