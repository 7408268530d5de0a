// What a scenario would do with a request: its hook's own judgements, then its steps, without doing anything. Who sends is
// not looked at: a test carries no signature.
import { readRequest } from '../../hook/body.ts';
import type { HookReply, HookRequest } from '../../hook/exchange.ts';
import { namesOfRequest } from '../../hook/names.ts';
import { fitOneOf } from '../../hook/shapes/misfit.ts';
import type { Json, Scenario } from '../definition.ts';
import { differences, isSame, shown } from './differences.ts';
import { walkDry, type DryWalk, type DryWorld } from './dry-walk.ts';
import type { ScenarioTest } from './scenario-tests.ts';

/** A request, and what the steps that it leads to come to. */
export interface DryRequest extends DryWorld {
  request: HookRequest;
  secrets: Readonly<Record<string, string>>;
  /** Of a request that was kept: its id, and when it came (epoch ms). */
  arrival?: { id?: string; receivedAt?: number };
}

/** What became of it. */
export interface DryReceipt {
  /** The name of the shape that the body fits; null without. */
  shape: string | null;
  /** Why the body fits none of the shapes, or why no run began; null otherwise. */
  reason: string | null;
  /** Null: no run began. */
  walk: DryWalk | null;
  reply: HookReply;
}

/** Receives a request, as the hook would. Never throws. */
export function receiveDry(scenario: Scenario, { request, secrets, arrival = {}, ...world }: DryRequest): DryReceipt {
  const { hook, steps, name } = scenario;
  const refused = (status: number, reason: string): DryReceipt => {
    return { shape: null, reason, walk: null, reply: { status, headers: [], body: '' } };
  };
  if (!hook.methods.includes(request.method)) return refused(405, `it takes ${hook.methods.join(', ')} only`);
  if (request.body.length > hook.bodyBytes) return refused(413, `the body has more than ${hook.bodyBytes} bytes`);
  const read = readRequest(request);
  if (!read.ok) return refused(400, read.reason);
  const { bundle } = read;
  const fit = hook.shapes.length === 0 ? { shape: null } : fitOneOf(hook.shapes, bundle.body);
  const misfit = 'reason' in fit ? fit.reason : null;
  if (misfit !== null && hook.onMisfit === 'refuse') return refused(400, misfit);
  const { id = 'req_1', receivedAt = world.now } = arrival;
  const names = {
    ...namesOfRequest(bundle, { id, from: request.from, receivedAt }),
    secret: { ...secrets },
    run: { id: 1, scenario: 1, name, startedAt: new Date(world.now).toISOString(), cause: { by: 'hook' } },
  };
  const walk = walkDry(steps, names, world);
  const reply = walk.reply ?? unsaid(walk);
  return { shape: 'shape' in fit ? fit.shape : null, reason: misfit, walk, reply };
}

/** What the hook answers where no step does (R86). */
function unsaid({ status }: DryWalk): HookReply {
  if (status === 'failed') return { status: 500, headers: [], body: '' };
  return { status: 200, headers: ['content-type', 'text/plain; charset=utf-8'], body: 'Accepted' };
}

/** What is otherwise than a test expects of the reply and of the rows. */
export function judgeScenario({ expect }: ScenarioTest, { walk, reply, reason }: DryReceipt): string[] {
  const wrong: string[] = [];
  const looksOnly = expect.reply !== null && expect.status === null;
  if (walk === null && !looksOnly) wrong.push(`the hook would refuse it with ${reply.status}: ${reason}`);
  if (expect.reply !== null) wrong.push(...judgeReply(expect.reply, reply, walk?.reason ?? reason));
  for (const [sheet, wanted] of Object.entries(expect.rows)) {
    wrong.push(...judgeRows(walk?.rows.get(sheet) ?? [], wanted, sheet));
  }
  return wrong;
}

function judgeReply(
  wanted: NonNullable<ScenarioTest['expect']['reply']>,
  reply: HookReply,
  reason: string | null,
): string[] {
  const wrong: string[] = [];
  if (wanted.status !== undefined && wanted.status !== reply.status) {
    const why = reason === null ? '' : ` (${reason})`;
    wrong.push(`the reply has the status ${reply.status}${why}; expected: ${wanted.status}`);
  }
  for (const [name, value] of Object.entries(wanted.headers ?? {})) {
    const found = headerOf(reply, name);
    if (found !== value) wrong.push(`the header ${name} of the reply is ${shown(found)}; expected: ${shown(value)}`);
  }
  if (wanted.body !== undefined) wrong.push(...judgeBody(wanted.body, reply));
  return wrong;
}

function headerOf({ headers }: HookReply, name: string): string | null {
  const at = headers.findIndex((one, index) => index % 2 === 0 && one.toLowerCase() === name);
  return at === -1 ? null : (headers[at + 1] as string);
}

/** A text is the body itself; of anything else the body is the JSON. Nothing is an empty body. */
function judgeBody(wanted: Json, { body }: HookReply): string[] {
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body);
  if (wanted === null || typeof wanted === 'string') {
    return text === (wanted ?? '') ? [] : [`the body of the reply is ${shown(text)}; expected: ${shown(wanted)}`];
  }
  try {
    return differences(JSON.parse(text) as Json, wanted, 'the body of the reply');
  } catch {
    return [`the body of the reply is ${shown(text)}, no JSON; expected: ${shown(wanted)}`];
  }
}

function judgeRows(found: readonly Json[], wanted: number | readonly Json[], sheet: string): string[] {
  const count = typeof wanted === 'number' ? wanted : wanted.length;
  if (found.length !== count) return [`${found.length} rows for ${sheet}; expected: ${count}`];
  if (typeof wanted === 'number') return [];
  return wanted.flatMap((cells, at) =>
    isSame(found[at] as Json, cells) ? [] : differences(found[at] as Json, cells, `row ${at + 1} of ${sheet}`),
  );
}
