// What `npm test` prints: a line per file, every failure in full, and the counts of the run.
import { relative } from 'node:path';
import type { run } from 'node:test';
import { inspect, styleText } from 'node:util';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** What a run came to. */
export interface Outcome extends Counts {
  /** The files in which something failed, as absolute paths. */
  failedFiles: string[];
}

type Stream = ReturnType<typeof run>;

/** What is known of one file while it runs. */
interface FileState {
  names: Map<number, { name: string; parent: number }>;
  failures: string[];
  output: string;
  /** The file's own end. Node tells it at once, but the outcomes of its tests only when it is the file's turn. */
  ended?: TestEvent['data'];
  summarised: boolean;
  printed: boolean;
}

/** Prints while `stream` runs, unless quiet; resolves with the counts of tests (suites are not tests). */
export async function report(stream: Stream, { quiet, root }: { quiet: boolean; root: string }): Promise<Outcome> {
  const files = new Map<string, FileState>();
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  for await (const { type, data } of stream as AsyncIterable<TestEvent>) {
    const file = data.entryFile ?? data.file;
    if (file === undefined) {
      if (type === 'test:summary') count(data.counts, counts);
      continue;
    }
    const state = files.get(file) ?? { names: new Map(), failures: [], output: '', summarised: false, printed: false };
    files.set(file, state);
    note(state, type, { data, root });
    if (!quiet && isOver(state)) print(state, relative(root, file));
  }
  for (const [file, state] of files) {
    // Node counts a file without tests as a test that passed.
    if (state.names.size === 0 && state.failures.length === 0) {
      state.failures.push('    no test in this file');
      state.printed = false;
      counts.passed--;
      counts.failed++;
    }
    if (!quiet) print(state, relative(root, file));
  }
  return { ...counts, failedFiles: [...files].filter(([, state]) => hasFailed(state)).map(([file]) => file) };
}

/** The fields of the events used here; Node's own types lack some of them. */
interface TestEvent {
  type: string;
  data: {
    name: string;
    file?: string;
    /** The test file whose process sent this; `file` may be a helper that declared the test. */
    entryFile?: string;
    line?: number;
    testId: number;
    parentId: number;
    message: string;
    level?: string;
    details: { duration_ms: number; error?: Error & { failureType?: string; exitCode?: number; signal?: string } };
    counts: { passed: number; failed: number; cancelled: number; skipped: number; todo: number };
  };
}

function note(state: FileState, type: string, { data, root }: { data: TestEvent['data']; root: string }): void {
  const isFileItself = data.name !== undefined && data.name === data.file;
  if (type === 'test:enqueue' && !isFileItself) {
    state.names.set(data.testId, { name: data.name, parent: data.parentId });
  } else if (type === 'test:complete' && isFileItself) {
    state.ended = data;
  } else if (type === 'test:summary') {
    state.summarised = true;
  } else if (type === 'test:stdout' || type === 'test:stderr') {
    state.output = (state.output + data.message).slice(-20_000);
  } else if (type === 'test:diagnostic' && (data.level !== 'info' || data.message.startsWith('Error'))) {
    state.output += `${data.message}\n`;
  } else if (type === 'test:fail') {
    const text = failure(data, state, root);
    if (text) state.failures.push(text);
  }
}

/** Nothing more will be said of the file, unless it failed as a whole, which comes last and is flushed at the end. */
function isOver({ ended, summarised, failures }: FileState): boolean {
  if (!ended) return false;
  const { error } = ended.details;
  if (error && error.failureType !== 'subtestsFailed') return failures.some((text) => text.includes(ENDED));
  return summarised;
}

function print(state: FileState, file: string): void {
  if (state.printed) return;
  state.printed = true;
  const failed = hasFailed(state);
  const time = styleText('dim', `${Math.round(state.ended?.details.duration_ms ?? 0)} ms`);
  console.log(`${failed ? styleText('red', '✖') : styleText('green', '✔')} ${file} ${time}`);
  for (const text of state.failures) console.log(text);
  if (failed && state.output) console.log(styleText('dim', indent(`output of ${file}:\n${state.output.trimEnd()}`)));
}

function hasFailed(state: FileState): boolean {
  return state.failures.length > 0 || state.ended?.details.error !== undefined;
}

const ENDED = 'the file ended with ';

/** The failure of a test, or nothing for what only repeats that something inside failed. */
function failure(data: TestEvent['data'], state: FileState, root: string): string | undefined {
  const { error } = data.details;
  if (!error || error.failureType === 'subtestsFailed') return undefined;
  const names: string[] = [];
  for (let id = data.testId, at = state.names.get(id); at; id = at.parent, at = state.names.get(id)) {
    names.unshift(at.name);
  }
  if (data.name === data.file)
    names.splice(0, names.length, ENDED + (error.signal ?? `code ${error.exitCode ?? 'unknown'}`));
  const where = data.file ? ` (${relative(root, data.file)}:${data.line ?? 1})` : '';
  const cause = error.cause ?? error;
  const text = typeof cause === 'string' ? cause : inspect(cause, { colors: process.stdout.hasColors?.() ?? false });
  const ownFrames = text.replaceAll(/\n\s+at [^\n]*\(?node:[^\n]*?(?=\n| \{\n|$)/g, '');
  return indent(`${styleText('red', names.join(' › '))}${where}\n${ownFrames}`);
}

function count(from: TestEvent['data']['counts'], counts: Counts): void {
  counts.passed = from.passed;
  counts.failed = from.failed + from.cancelled;
  counts.skipped = from.skipped + from.todo;
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
