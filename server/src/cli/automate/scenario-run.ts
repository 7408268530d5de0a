// `bellwire scenario run`: what a scenario would do with a sample, step by step. Needs no platform, does nothing.
import { createMasker } from '../../model/flow/mask.ts';
import type { HookReply } from '../../model/hook/exchange.ts';
import type { Json, Scenario } from '../../model/flow/definition.ts';
import { standIns } from '../../model/flow/document/dry-run.ts';
import { typeOfSample } from '../../model/flow/document/samples.ts';
import { usualMethod } from '../../model/flow/document/scenario-tests.ts';
import { receiveDry, type DryReceipt } from '../../model/flow/document/scenario-run.ts';
import { didYouMean } from '../../model/near-names.ts';
import { readable, readDocuments, readSamples } from './documents.ts';
import { EXIT, usage } from '../failure.ts';
import { readBytes } from '../input.ts';
import type { Session } from '../session.ts';
import { stepLines } from './step-lines.ts';
import { plain } from '../terminal.ts';

/** Options of the command. */
export interface ScenarioRunOptions {
  sample?: string;
  method?: string;
  query?: string;
  header?: readonly string[];
  secret?: readonly string[];
}

/** Where documents are looked for when nobody says. */
const FOLDER = 'flows';

/** Plays a sample through a scenario. The exit code is 1 where it would fail or be refused. */
export async function runScenario(
  session: Session,
  options: ScenarioRunOptions,
  [name, ...paths]: [string, ...string[]],
): Promise<number> {
  const { terminal, signal } = session;
  const files = await readDocuments(paths.flat().length > 0 ? paths.flat() : [FOLDER], terminal, signal);
  const scenario = named(
    name,
    readable(files, await readSamples(files, terminal)).map(({ flow }) => flow),
  );
  const given = Object.fromEntries((options.secret ?? []).map((text) => pairOf(text, '--secret')));
  const { sample } = options;
  const body = sample === undefined ? new Uint8Array() : await readBytes(sample, terminal, signal);
  const headers = (options.header ?? []).map((text) => pairOf(text, '--header'));
  if (sample !== undefined && !headers.some(([one]) => one.toLowerCase() === 'content-type')) {
    headers.push(['content-type', typeOfSample(sample)]);
  }
  const found = receiveDry(scenario, {
    request: {
      method: options.method?.toUpperCase() ?? usualMethod(scenario.hook),
      query: options.query ?? '',
      headers: headers.flat(),
      body,
      from: null,
    },
    secrets: { ...standIns(scenario), ...given },
    outputs: {},
    fails: {},
    now: Date.now(),
  });
  const masker = createMasker(Object.values(given));
  const shown = masker.json(shownOf(found));
  session.show(shown, () => linesOf(scenario, found, session).map((line) => masker.text(line)));
  return found.walk?.status === 'completed' ? EXIT.ok : EXIT.failed;
}

function named(name: string, flows: readonly { kind: string; name: string }[]): Scenario {
  const all = flows.filter((flow): flow is Scenario => flow.kind === 'scenario');
  const found = all.find((one) => one.name === name);
  if (found !== undefined) return found;
  const names = all.map((one) => one.name);
  const hint = names.length === 0 ? '; there is none' : `; there is: ${names.join(', ')}`;
  throw usage(`there is no scenario "${name}" in these files${didYouMean(name, names) || hint}`);
}

/** `name=value`, of headers also `name: value`. */
function pairOf(text: string, option: string): [string, string] {
  const [, name, value] = (option === '--header' ? /^([^:=\s]+)\s*[:=]\s*(.*)$/s : /^([^=]+)=(.*)$/s).exec(text) ?? [];
  if (name === undefined || value === undefined) throw usage(`${option} takes name=value, not "${text}"`);
  return [name, value];
}

function textOf({ body }: HookReply): string {
  return typeof body === 'string' ? body : Buffer.from(body).toString();
}

function shownOf({ shape, reason, walk, reply }: DryReceipt): Json {
  const { status, headers } = reply;
  return {
    status: walk?.status ?? 'refused',
    reason: walk?.reason ?? reason,
    shape,
    route: walk?.route ?? [],
    steps: (walk?.steps ?? []) as unknown as Json,
    rows: Object.fromEntries(walk?.rows ?? []),
    reply: { status, headers: [...headers], body: textOf(reply) },
  };
}

function linesOf({ name }: Scenario, { shape, reason, walk, reply }: DryReceipt, session: Session): string[] {
  const { paint } = session;
  const lines = [`scenario ${plain(name)}${shape === null ? '' : `, shape ${plain(shape)}`}`];
  if (reason !== null) lines.push(`  ${paint('yellow', plain(reason))}`);
  for (const step of walk?.steps ?? []) lines.push(...stepLines(step, session));
  const headers = reply.headers.flatMap((one, at) => {
    return at % 2 === 0 ? [`  ${plain(one)}: ${plain(reply.headers[at + 1] as string)}`] : [];
  });
  lines.push(`reply ${reply.status}`, ...headers);
  if (reply.body.length > 0) lines.push(`  ${plain(textOf(reply))}`);
  const why = walk?.reason === null || walk === null ? '' : `: ${plain(walk.reason)}`;
  if (walk !== null) lines.push(paint(walk.status === 'completed' ? 'green' : 'red', `${walk.status}${why}`));
  return lines;
}
