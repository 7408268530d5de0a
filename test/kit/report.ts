// What `npm test` prints: a line per file, every failure in full, and the counts of the run.
import { relative } from 'node:path';
import type { run } from 'node:test';
import { inspect, styleText } from 'node:util';

export interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

type Stream = ReturnType<typeof run>;

/** What is known of one file while it runs. */
interface FileState {
  names: Map<number, { name: string; parent: number }>;
  failures: string[];
  output: string;
}

/** Prints while `stream` runs, unless quiet; resolves with the counts of tests (suites are not tests). */
export async function report(stream: Stream, { quiet, root }: { quiet: boolean; root: string }): Promise<Counts> {
  const files = new Map<string, FileState>();
  const counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  let emptyFiles = 0;
  const say = (text: string): void => (quiet ? undefined : console.log(text));
  const stateOf = (event: { file?: string; entryFile?: string }): FileState => {
    const file = event.entryFile ?? event.file ?? '';
    const known = files.get(file) ?? { names: new Map(), failures: [], output: '' };
    files.set(file, known);
    return known;
  };
  for await (const { type, data } of stream as AsyncIterable<TestEvent>) {
    const isFileItself = data.file !== undefined && data.name === data.file;
    const fileLineNow = (): void => say(fileLine(data, relative(root, data.file ?? ''), stateOf(data)));
    if (type === 'test:enqueue' && !isFileItself) {
      stateOf(data).names.set(data.testId, { name: data.name, parent: data.parentId });
    } else if (type === 'test:stdout' || type === 'test:stderr') {
      const state = stateOf(data);
      state.output = (state.output + data.message).slice(-20_000);
    } else if (type === 'test:diagnostic' && data.level !== 'info' && data.file !== undefined) {
      stateOf(data).output += `${data.message}\n`;
    } else if (type === 'test:fail') {
      const text = failure(data, stateOf(data), root);
      if (text) stateOf(data).failures.push(text);
      if (isFileItself) fileLineNow();
    } else if (
      type === 'test:complete' &&
      isFileItself &&
      (data.details.error?.failureType ?? 'subtestsFailed') === 'subtestsFailed'
    ) {
      if (stateOf(data).names.size === 0) {
        stateOf(data).failures.push('    no test in this file');
        emptyFiles++;
      }
      fileLineNow();
    } else if (type === 'test:summary' && data.file === undefined) {
      // A file without tests counts as a passed test for Node.
      counts.passed = data.counts.passed - emptyFiles;
      counts.failed = data.counts.failed + data.counts.cancelled + emptyFiles;
      counts.skipped = data.counts.skipped + data.counts.todo;
    }
  }
  return counts;
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
    details: {
      duration_ms: number;
      passed?: boolean;
      error?: Error & { failureType?: string; exitCode?: number; signal?: string };
    };
    counts: { passed: number; failed: number; cancelled: number; skipped: number; todo: number };
  };
}

function fileLine(data: TestEvent['data'], file: string, state: FileState): string {
  const failed = state.failures.length > 0 || data.details.error !== undefined;
  const time = styleText('dim', `${Math.round(data.details.duration_ms)} ms`);
  const mark = failed ? styleText('red', '✖') : styleText('green', '✔');
  const lines = [`${mark} ${file} ${time}`, ...state.failures];
  if (failed && state.output) lines.push(styleText('dim', indent(`output of ${file}:\n${state.output.trimEnd()}`)));
  return lines.join('\n');
}

/** The failure of a test, or nothing for what only repeats that something inside failed. */
function failure(data: TestEvent['data'], state: FileState, root: string): string | undefined {
  const { error } = data.details;
  if (!error || error.failureType === 'subtestsFailed') return undefined;
  const names = [];
  for (let id = data.testId, at = state.names.get(id); at; id = at.parent, at = state.names.get(id))
    names.unshift(at.name);
  if (data.name === data.file)
    names.splice(0, names.length, `the file ended with ${error.signal ?? `code ${error.exitCode}`}`);
  const where = data.file ? ` (${relative(root, data.file)}:${data.line ?? 1})` : '';
  const cause = error.cause ?? error;
  const text = typeof cause === 'string' ? cause : inspect(cause, { colors: process.stdout.hasColors?.() ?? false });
  const ownFrames = text.replaceAll(/\n\s+at [^\n]*\(?node:[^\n]*?(?=\n| \{\n|$)/g, '');
  return indent(`${styleText('red', names.join(' › '))}${where}\n${ownFrames}`);
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ');
}
