// `bellwire doctor`: looks at everything an installation rests on, changes nothing, and says what to do in a line each.
import {
  CONTENT_CHECKS,
  ENGINE_CHECKS,
  findingsOf,
  type Check,
  type Finding,
  type Severity,
  type StoreGround,
} from '../../checks.ts';
import { FILE_CHECKS, MACHINE_CHECKS, PLATFORM_CHECKS, SETTINGS_CHECKS } from './doctor/checks.ts';
import { gather, type Ground } from './doctor/ground.ts';
import { EXIT } from '../failure.ts';
import { addStoreOptions } from './moving.ts';
import type { Declare, Session } from '../session.ts';
import { near, type PlatformOptions } from '../begin/serve.ts';
import { columnsOf, plain, type Style } from '../terminal.ts';

/** Everything that is checked, part by part: the tables of docs/doctor.md. */
export const PARTS: Readonly<Record<string, readonly Check<Ground>[]>> = {
  settings: SETTINGS_CHECKS,
  files: FILE_CHECKS,
  machine: MACHINE_CHECKS,
  platform: PLATFORM_CHECKS,
  store: onStore('store', ENGINE_CHECKS),
  contents: onStore('contents', CONTENT_CHECKS),
};

function onStore(part: 'store' | 'contents', checks: readonly Check<StoreGround>[]): Check<Ground>[] {
  return checks.map((check) => ({
    ...check,
    look: ({ [part]: store }) => (store === null ? [] : check.look(store)),
  }));
}

/** What a check came to. */
interface Checked {
  part: string;
  check: string;
  /** `skipped`: there was nothing to look at. */
  state: 'ok' | 'skipped' | Severity;
  findings: Finding[];
}

interface DoctorOptions extends PlatformOptions {
  strict?: boolean;
}

export const doctor: Declare = (command, run) => {
  addStoreOptions(command)
    .option('--strict', 'Let notes count, too')
    .addHelpText('after', '\nIt changes nothing, beside a running platform as well. Each check: docs/doctor.md.')
    .action(run(examine));
};

async function examine(session: Session, options: DoctorOptions): Promise<number> {
  const { ground, close } = await gather(options, session);
  try {
    const all: Checked[] = [];
    if (!session.json) session.say(headOf(ground, session));
    for (const [part, checks] of Object.entries(PARTS)) {
      const of: Checked[] = [];
      for (const check of checks) of.push(await examineOne(part, check, ground));
      all.push(...of);
      tellPart(session, part, of);
    }
    const worst = worstOf(all);
    if (!session.json) session.say(endOf(all));
    const isBad = worst === 'fault' || worst === 'warning' || (worst === 'note' && options.strict === true);
    return isBad ? EXIT.failed : EXIT.ok;
  } finally {
    await close();
  }
}

async function examineOne(part: string, check: Check<Ground>, ground: Ground): Promise<Checked> {
  if (isSkipped(part, ground)) return { part, check: check.name, state: 'skipped', findings: [] };
  const findings = await findingsOf(check, ground);
  return { part, check: check.name, state: worstSeverity(findings) ?? 'ok', findings };
}

function isSkipped(part: string, ground: Ground): boolean {
  if (part === 'store' || part === 'contents') return ground[part] === null;
  return part !== 'settings' && ground.config === null;
}

function headOf({ config, platform, store, release }: Ground, { terminal }: Session): string {
  if (config === null) return `Bellwire ${release}`;
  const where = config.store.kind === 'sqlite' ? near(config.store.file, terminal.folder) : 'PostgreSQL';
  // One file has one node: its lease outlives a kill by some seconds.
  const leased = config.store.kind === 'sqlite' ? 'it ran a moment ago' : 'running on another node';
  const elsewhere = store?.isRunning === true ? leased : 'not running';
  return `Bellwire ${release}  ${where}, ${platform?.answer ? `running at ${platform.url}` : elsewhere}`;
}

const MARKS: Readonly<Record<Checked['state'], string>> = {
  ok: '✔',
  skipped: '·',
  note: '·',
  warning: '!',
  fault: '✖',
};
const STYLES: Readonly<Record<Checked['state'], Style>> = {
  ok: 'green',
  skipped: 'dim',
  note: 'cyan',
  warning: 'yellow',
  fault: 'red',
};

function tellPart(session: Session, part: string, of: readonly Checked[]): void {
  if (session.json) {
    for (const one of of) session.show(one, () => []);
    return;
  }
  const state = of.every((one) => one.state === 'skipped') ? 'skipped' : (worstOf(of) ?? 'ok');
  session.say(`${session.paint(STYLES[state], MARKS[state])} ${part.padEnd(9)} ${tallyOf(of)}`);
  for (const { findings } of of)
    for (const finding of findings) for (const line of linesOf(session, finding)) session.say(line);
}

function tallyOf(of: readonly Checked[]): string {
  const counts = Map.groupBy(of, ({ state }) => state);
  const words: [Checked['state'], string, string][] = [
    ['ok', 'well', 'well'],
    ['fault', 'fault', 'faults'],
    ['warning', 'warning', 'warnings'],
    ['note', 'note', 'notes'],
    ['skipped', 'not looked at', 'not looked at'],
  ];
  return words
    .flatMap(([state, one, many]) => {
      const count = counts.get(state)?.length ?? 0;
      return count === 0 ? [] : [`${count} ${count === 1 ? one : many}`];
    })
    .join(', ');
}

function linesOf(session: Session, { severity, text, remedy }: Finding): string[] {
  const width = Math.min(columnsOf(session.terminal), 100);
  const said = wrap(plain(text), width - 4);
  const todo = wrap(plain(remedy), width - 6);
  return [
    ...said.map((line, at) => `  ${at === 0 ? session.paint(STYLES[severity], MARKS[severity]) : ' '} ${line}`),
    ...todo.map((line, at) => `    ${session.paint('dim', at === 0 ? '→' : ' ')} ${line}`),
  ];
}

/** Lines of at most so many letters, broken at spaces; a word that is longer has a line of its own. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

function endOf(all: readonly Checked[]): string {
  const findings = all.flatMap((one) => one.findings);
  if (findings.length === 0) return `${all.length} checks, nothing found`;
  const count = (severity: Severity): number => findings.filter((one) => one.severity === severity).length;
  const words = (['fault', 'warning', 'note'] as const).flatMap((one) => {
    const many = count(one);
    return many === 0 ? [] : [`${many} ${one}${many === 1 ? '' : 's'}`];
  });
  return `${all.length} checks: ${words.join(', ')}`;
}

const ORDER: readonly Severity[] = ['note', 'warning', 'fault'];

function worstOf(all: readonly Checked[]): Severity | null {
  return worstSeverity(all.flatMap(({ findings }) => findings));
}

function worstSeverity(findings: readonly Finding[]): Severity | null {
  const worst = Math.max(-1, ...findings.map(({ severity }) => ORDER.indexOf(severity)));
  return ORDER[worst] ?? null;
}
