// `bellwire test`: documents are checked, and the tests they carry are played. Needs no platform, does nothing.
import { playTest } from '../../model/flow/document/dry-run.ts';
import type { FlowDocument } from '../../model/flow/document/index.ts';
import { readableAll, readDocuments, readSamples } from './documents.ts';
import { EXIT } from '../failure.ts';
import { KIND_WORDS } from './push.ts';
import type { Declare, Session } from '../session.ts';
import { plain } from '../terminal.ts';

export const flowTests: Declare = (command, run) => {
  command.argument('<path...>', 'Files, folders of .yaml files, or - for stdin').action(run(testFiles));
};

async function testFiles(session: Session, _options: object, paths: string[]): Promise<number> {
  const { signal, terminal } = session;
  const files = await readDocuments(paths.flat(), terminal, signal);
  const { documents, sheets } = readableAll(files, await readSamples(files, terminal));
  let played = 0;
  let failed = 0;
  for (const document of documents) {
    const outcomes = document.tests.map((test) => ({ test, wrong: playTest(document.flow, test, Date.now()) }));
    const wrong = outcomes.filter((outcome) => outcome.wrong.length > 0);
    played += outcomes.length;
    failed += wrong.length;
    session.show(shown(document, outcomes), () => [
      `${mark(wrong.length === 0, session)} ${headOf(document, outcomes.length)}`,
      ...wrong.flatMap(({ test, wrong: words }) => [
        `    ${session.paint('red', '✖')} ${plain(test.name)} (${document.file}:${test.line})`,
        ...words.map((word) => `        ${plain(word)}`),
      ]),
    ]);
  }
  for (const { sheet, file, line } of sheets) {
    session.show({ kind: 'sheet', name: sheet.name, file, line, tests: [] }, () => [
      `${mark(true, session)} sheet ${plain(sheet.name)}`,
    ]);
  }
  session.say(sumOf(documents.length + sheets.length, played, failed));
  return failed === 0 ? EXIT.ok : EXIT.failed;
}

type Outcome = { test: FlowDocument['tests'][number]; wrong: readonly string[] };

function shown({ flow, file, line }: FlowDocument, outcomes: readonly Outcome[]) {
  const tests = outcomes.map(({ test, wrong }) => ({ name: test.name, line: test.line, wrong }));
  return { kind: flow.kind, name: flow.name, file, line, tests };
}

function mark(isWell: boolean, { paint }: Session): string {
  return isWell ? paint('green', '✔') : paint('red', '✖');
}

function headOf({ flow }: FlowDocument, tests: number): string {
  return `${KIND_WORDS[flow.kind]} ${plain(flow.name)}  ${countOf(tests, 'test')}`;
}

function sumOf(documents: number, played: number, failed: number): string {
  const well = `${countOf(documents, 'document')}, ${countOf(played, 'test')}`;
  return failed === 0 ? well : `${well}, ${failed} failed`;
}

function countOf(count: number, what: string): string {
  return count === 0 ? `no ${what}` : `${count} ${what}${count === 1 ? '' : 's'}`;
}
