// The actions of jobs, as those see them who write and save flows: their names, and what their input must look like.
//
// How they are done stands in flow/actions/. Texts of an input may be templates; they are judged again when a step
// begins, by what they became.
import { parseDateTime } from '../cloud-events/index.ts';
import { customHeaderFault, headerFault } from '../headers.ts';
import { didYouMean } from '../near-names.ts';
import { parseSpan } from '../quantities.ts';
import { CommandLineFault, splitCommandLine } from './command-line.ts';
import { DEPTH_HEADER } from './depth.ts';
import type { FlowKind, Json } from './definition.ts';
import {
  anything,
  either,
  fields,
  isTemplate,
  list,
  named,
  plain,
  text,
  word,
  type InputRule,
  type Stage,
} from './input-rules.ts';

/** Names that expressions of jobs know already: nothing else in a job may be called so. */
export const SCOPE_NAMES = ['params', 'event', 'steps', 'run', 'secret', 'error'] as const;

/** What a variable, a step or the item of a loop may be called. */
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What is wrong with the name of a variable or of a loop's item, as a clause that follows it; null when nothing is. */
export function variableFault(name: string): string | null {
  if (!NAME.test(name) || name.length > 64) return 'is no name: letters, digits and _, no digit first, at most 64';
  return (SCOPE_NAMES as readonly string[]).includes(name) ? 'is a name of Bellwire’s own' : null;
}

/** Methods of the `http` action. */
export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const;
/** Longest URL of the `http` action, in characters. */
const MAX_URL = 8_192;
/** Longest single wait. */
const MAX_WAIT_MS = 365 * 86_400_000;
/** Most recipients of one mail. */
const MAX_RECIPIENTS = 50;

const span = plain((value) => {
  const ms = typeof value === 'string' || typeof value === 'number' ? parseSpan(value) : null;
  if (ms === null) return 'must be a span such as 30s, 10m or 1h30m';
  return ms > MAX_WAIT_MS ? 'is longer than a year' : null;
});

const instant = plain((value) => {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? null : 'must be whole milliseconds';
  if (typeof value === 'string' && parseDateTime(value) !== undefined) return null;
  return 'must be an instant such as 2026-11-22T09:30:00Z, or milliseconds since 1970';
});

const url = plain((value) => {
  if (typeof value !== 'string') return 'must be a URL';
  if (value.length > MAX_URL) return `is longer than ${MAX_URL} characters`;
  const parsed = URL.parse(value);
  if (parsed === null || !/^https?:$/.test(parsed.protocol))
    return 'must be a URL that begins with http:// or https://';
  return parsed.username === '' && parsed.password === '' ? null : 'must not hold a user name or password: use headers';
});

/** Headers an action may set although deliveries may not: nothing else sets them here. */
const OWN_HEADERS = new Set(['content-type', 'date', 'traceparent', 'tracestate']);

const headers: InputRule = (value, stage) => {
  const judgeName = (name: string): string | null => {
    if (name.toLowerCase() === DEPTH_HEADER) return 'cannot be set';
    const fault = OWN_HEADERS.has(name.toLowerCase()) ? null : customHeaderFault(name, 'x');
    return fault === null ? null : 'cannot be set';
  };
  const judgeValue = plain((one) => {
    if (typeof one !== 'string') return 'must be text';
    return customHeaderFault('x', one) === null ? null : 'holds what an HTTP header cannot carry';
  });
  return named(judgeName, judgeValue)(value, stage);
};

const status = plain((value) => {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599) return null;
  return typeof value === 'string' && /^[2-5]xx$/.test(value) ? null : 'must be a status such as 201, or 2xx';
});

// As much of RFC 5321 as tells an address from something else; the mail server judges it for good.
const address = plain((value) => {
  if (typeof value !== 'string') return 'must be an e-mail address';
  return value.length <= 254 && /^[^\s@<>,;:"()[\]\\\p{Cc}]+@[^\s@<>,;:"()[\]\\\p{Cc}]+$/u.test(value)
    ? null
    : 'must be an e-mail address such as ops@example.com';
});

/** Text, a number, true or false. */
const scalar = plain((value) => {
  const isScalar = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean';
  return isScalar ? null : 'must be text, a number, true or false';
});

/** Most words of a command. */
const MAX_WORDS = 1_000;

// What its templates become are words, whatever is in them: it is split as it is written.
const commandLine: InputRule = (value) => {
  try {
    return splitCommandLine(value as string).length > 0 ? null : { path: '', words: 'must not be empty' };
  } catch (error) {
    if (error instanceof CommandLineFault) return { path: '', words: `cannot be split into words: ${error.message}` };
    throw error;
  }
};

const anyWord = plain((value) => (value === null || typeof value === 'object' ? 'must be text or a number' : null));

// A value put into the text of a shell is a program of whoever sends the value.
const shell: InputRule = (value, stage) => {
  const fault = text({ max: 65_536 })(value, 'evaluated');
  if (fault || stage === 'evaluated' || !/(?<!\$)\$\{/.test(value as string)) return fault;
  return {
    path: '',
    words: 'must not hold ${ … }: hand values over by env, as "$NAME" (a ${ } of the shell itself is written $${ })',
  };
};

// A value put into the text of a statement is a statement of whoever sends the value.
const statement: InputRule = (value, stage) => {
  const fault = text({ max: 65_536 })(value, 'evaluated');
  if (fault || stage === 'evaluated' || !/(?<!\$)\$\{/.test(value as string)) return fault;
  return { path: '', words: 'must not hold ${ … }: hand values over by params, as $1 (PostgreSQL) or ? (SQLite)' };
};

const connection: InputRule = (value, stage) => {
  const fault = text({ max: 4_096 })(value, stage);
  if (fault || stage === 'evaluated' || !/^\w+:\/\/[^/@]*:[^/@$]+@/.test(value as string)) return fault;
  return { path: '', words: 'must not hold a password that can be read: write ${ secret.NAME }, which holds the URL' };
};

/** Most parameters of a statement. */
const MOST_STATEMENT_PARAMS = 1_000;

function variableNameFault(name: string): string | null {
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) return 'is no name of a variable';
  return /^(?:LD_|BELLWIRE_)/.test(name) ? 'is a variable of Bellwire or the loader' : null;
}

const flag = plain((value) => (typeof value === 'boolean' ? null : 'must be true or false'));

const replyStatus = plain((value) => {
  const isStatus = typeof value === 'number' && Number.isInteger(value) && value >= 200 && value <= 599;
  return isStatus ? null : 'must be a status from 200 to 599';
});

/** Framing and the connection are the server's: nobody may say something else of them. */
const NOT_OF_REPLIES =
  /^(?:connection|content-encoding|content-length|date|expect|keep-alive|te|trailer|transfer-encoding|upgrade|via|proxy-.*)$/i;

// A value that would split the response is refused here: it never gets as far as the socket.
const replyHeaders: InputRule = (value, stage) => {
  const judgeName = (name: string): string | null => {
    if (headerFault(name, 'x') !== null) return 'is not the name of an HTTP header';
    return NOT_OF_REPLIES.test(name) ? 'is set by the server' : null;
  };
  const one = plain((line) => {
    // What is missing leaves the header out.
    if (line === null) return null;
    if (typeof line === 'object') return 'must be text';
    return headerFault('it', String(line))?.replace('the value of it ', '') ?? null;
  });
  return named(judgeName, (line, at) => (Array.isArray(line) ? list(one, { max: 100 })(line, at) : one(line, at)))(
    value,
    stage,
  );
};

/** Statuses that have no body (RFC 9110 15.3.5, 15.3.6, 15.4.5). */
const BODILESS = new Set<Json>([204, 205, 304]);

function replyFields(value: Json, stage: Stage): ReturnType<InputRule> {
  const fault = fields({ status: replyStatus, headers: replyHeaders, body: anything })(value, stage);
  if (fault) return fault;
  const { status = 200, body = null } = value as { status?: Json; body?: Json };
  const isEmpty = body === null || body === '' || isTemplate(body, stage);
  return isEmpty || !BODILESS.has(status)
    ? null
    : { path: '.body', words: `must be empty: a ${status as number} has none` };
}

function stopFields(value: Json, stage: Stage): ReturnType<InputRule> {
  if (nothing(value, stage) === null) return null;
  return fields({ as: word(['completed', 'failed']), reason: text({ max: 1_000 }) })(value, stage);
}

/** What is known of an action before it runs. */
export interface ActionRule {
  /**
   * Does it reach out of the run? Then all that went before is written down before it begins. What does not reach out
   * is simply done again after a crash.
   */
  outward: boolean;
  /** It goes on where it was after a crash, whatever the step's `resume` says. */
  goesOn: boolean;
  input: InputRule;
  /** The kinds of flows that have it; absent: all that have steps. */
  kinds?: readonly FlowKind[];
  /** The form in which an input that is right is kept, where it may be written in several. */
  normal?: (input: Json) => Json;
}

const nothing = plain((value) => {
  if (value === null || value === '' || (typeof value === 'object' && Object.keys(value).length === 0)) return null;
  return 'takes nothing';
});

/** Most rows that one step appends or finds. */
export const MAX_ROWS = 1_000;

const sheetName = text({ max: 255 });
const rowKey = either({ text: text({ max: 1_024 }), number: anything });
const row = named((name) => (name === '' ? 'is no name of a column' : null), anything);
const match = named(
  (name) => (name === '' ? 'is no name of a column' : null),
  plain((value) => (value !== null && typeof value === 'object' ? 'must be what is in a cell' : null)),
);
const rowCount = plain((value) => {
  const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= MAX_ROWS;
  return isCount ? null : `must be a whole number from 1 to ${MAX_ROWS}`;
});

const RULES = {
  /** Does nothing. */
  noop: { outward: false, goesOn: true, input: nothing },
  /** `set: { name: value, … }`: variables that later expressions see by name. */
  set: { outward: false, goesOn: true, input: named(variableFault, anything) },
  /** `collect: value`, in the steps of a loop: gathered in its output, in the order of the items. */
  collect: { outward: false, goesOn: true, input: anything },
  /** `stop:`, or `stop: { as: failed, reason }`: the run ends here, with all that it has done. */
  stop: { outward: false, goesOn: true, input: stopFields },
  /** `reply: 200`, or `reply: { status, headers, body }`: what the caller of the hook is answered (R86–R88, R100). */
  reply: {
    outward: false,
    goesOn: true,
    kinds: ['scenario'],
    input: either({ number: replyStatus, text: replyStatus, object: replyFields }),
  },
  /** `job: name`, or `job: { name, params, wait }`. */
  job: {
    outward: true,
    goesOn: true,
    input: either({
      text: text({ max: 255 }),
      object: fields({ name: text({ max: 255 }), params: named(() => null, anything), wait: flag }, ['name']),
    }),
  },
  /** `fail: the reason`. */
  fail: { outward: false, goesOn: true, input: text({ max: 1_000 }) },
  /** `wait: 30s`, `wait: { until: 2026-11-22T09:30:00Z }`. */
  wait: {
    outward: true,
    goesOn: true,
    input: either({ text: span, number: span, object: (value, stage) => waitFields(value, stage) }),
  },
  /** `http: https://…`, or with `method`, `headers`, `body` or `form`, `expect`. */
  http: {
    outward: true,
    goesOn: false,
    input: either({
      text: url,
      object: fields(
        {
          method: word(HTTP_METHODS),
          url,
          headers,
          body: anything,
          form: named(() => null, scalar),
          expect: either({ number: status, text: status, list: list(status, { max: 20 }) }),
        },
        ['url'],
      ),
    }),
  },
  /** `publish: { type, data, … }`: an event of the catalog. */
  publish: {
    outward: true,
    goesOn: false,
    input: fields(
      {
        type: text({ max: 255 }),
        source: text({ max: 1_024 }),
        id: text({ max: 255 }),
        subject: text({ max: 4_096 }),
        time: text({ max: 64 }),
        dataschema: text({ max: 2_048 }),
        attributes: named((name) => (/^[a-z0-9]{1,64}$/.test(name) ? null : 'must consist of a-z and 0-9'), scalar),
        data: anything,
      },
      ['type'],
    ),
  },
  /**
   * `sheet.append: { to, row }`, where `row` is a map by columns or a list of such. Of the three actions about sheets none
   * needs what went before to be written down first, wherever the sheet is: of one key there is one row however often it
   * is appended (R106), and cells set twice are set once.
   */
  'sheet.append': {
    outward: false,
    goesOn: true,
    input: fields({ to: sheetName, row: either({ object: row, list: list(row, { max: MAX_ROWS }) }), key: rowKey }, [
      'to',
      'row',
    ]),
  },
  /** `sheet.update: { in, where, set, upsert }`: cells of the rows in which all of `where` is so. */
  'sheet.update': {
    outward: false,
    goesOn: true,
    input: fields({ in: sheetName, where: match, set: row, upsert: flag, key: rowKey }, ['in', 'where', 'set']),
  },
  /** `sheet.lookup: { in, where, limit }`. */
  'sheet.lookup': {
    outward: false,
    goesOn: true,
    input: fields({ in: sheetName, where: match, limit: rowCount }, ['in']),
  },
  /** `mail: { to, subject, text }`. */
  mail: {
    outward: true,
    goesOn: false,
    input: fields(
      {
        to: either({ text: address, list: list(address, { max: MAX_RECIPIENTS }) }),
        subject: text({ max: 998 }),
        text: text({ min: 0, max: 262_144 }),
      },
      ['to', 'subject', 'text'],
    ),
  },
  /** `sql: { connection: ${ secret.DB }, query: select … where id = $1, params: [ … ] }` (R98). */
  sql: {
    outward: true,
    goesOn: false,
    input: fields({ connection, query: statement, params: list(anything, { min: 0, max: MOST_STATEMENT_PARAMS }) }, [
      'connection',
      'query',
    ]),
  },
  /** `run: ./reindex.sh ${ params.table }`, a list of words, or with `command` or `shell`, `env`, `stdin`. */
  run: {
    outward: true,
    goesOn: false,
    input: either({
      text: commandLine,
      list: list(anyWord, { max: MAX_WORDS }),
      object: (value, stage) => runFields(value, stage),
    }),
    normal: normalRun,
  },
} as const satisfies Record<string, ActionRule>;

/** The word of an action in a flow. */
export type ActionName = keyof typeof RULES;

/** All actions, by their words. */
export const ACTION_NAMES = Object.keys(RULES) as readonly ActionName[];

/** What is known of the action of this word; null when there is none. */
export function actionRule(name: string): ActionRule | null {
  return Object.hasOwn(RULES, name) ? RULES[name as ActionName] : null;
}

/** What is wrong with an action of a flow, in one clause that names it: `http.url must be a URL …`; null when it is right. */
export function actionFault(name: string, input: Json, stage: Stage): string | null {
  const rule = actionRule(name);
  if (!rule) return `there is no action ${JSON.stringify(name)}${didYouMean(name, ACTION_NAMES)}`;
  const fault = rule.input(input, stage);
  return fault === null ? null : `${name}${fault.path} ${fault.words}`;
}

/** An action's input as it is kept: right inputs of one meaning have one form. */
export function normalInput(name: string, input: Json): Json {
  const normal = actionRule(name)?.normal;
  return normal === undefined ? input : normal(input);
}

function runFields(value: Json, stage: Stage): ReturnType<InputRule> {
  const command = either({ text: commandLine, list: list(anyWord, { max: MAX_WORDS }) });
  const fault = fields({ command, shell, env: named(variableNameFault, scalar), stdin: anything })(value, stage);
  if (fault) return fault;
  const { command: words, shell: script } = value as { command?: Json; shell?: Json };
  return (words === undefined) === (script === undefined) ? { path: '', words: 'needs either command or shell' } : null;
}

function normalRun(input: Json): Json {
  if (typeof input === 'string') return { command: splitCommandLine(input) };
  if (Array.isArray(input)) return { command: input };
  const { command } = input as { command?: Json };
  return typeof command === 'string' ? { ...(input as object), command: splitCommandLine(command) } : input;
}

function waitFields(value: Json, stage: Stage): ReturnType<InputRule> {
  const fault = fields({ for: span, until: instant })(value, stage);
  if (fault) return fault;
  const given = Object.keys(value as object).length;
  return given === 1 ? null : { path: '', words: 'needs either for or until' };
}
