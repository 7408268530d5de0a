// `bellwire trigger`: fires the example of an event type at a hook or a URL, signed as its sender would sign it.
import { randomUUID } from 'node:crypto';
import { SecretError, sign, type Scheme } from '@bellwire/receiver';
import type { Json } from '../../model/flow/definition.ts';
import { OPERATIONAL_TYPES } from '../../model/operational-types.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { collect, type Declare, type Session } from '../session.ts';
import { plain } from '../terminal.ts';

interface TriggerOptions {
  to?: string;
  hook?: string;
  set?: readonly string[];
  secret?: string;
  signing?: string;
}

export const trigger: Declare = (command, run) => {
  command
    .argument('<type>', 'An event type of the catalog; those that begin with bellwire. need no platform')
    .option('--to <url>', 'Where to; any http or https address')
    .option('--hook <scenario>', 'Where to: the hook of a scenario of the platform')
    .option('--set <path=value>', 'Changes the event, as data.id=1; JSON, or else text; repeatable', collect)
    .option('--secret <secret>', 'Sign with it; left out, the event is not signed')
    .option('--signing <scheme>', 'greenlake or standard-webhooks; left out, what the hook verifies by, else greenlake')
    .addHelpText('after', '\nExit code 0: it was answered with 2xx.')
    .action(run(fire));
};

const SCHEMES: Readonly<Record<string, Scheme>> = { greenlake: 'hpe', 'standard-webhooks': 'v1' };
const TIMEOUT_MS = 30_000;

async function fire(session: Session, options: TriggerOptions, [type]: [string]): Promise<number> {
  const { url, verify } = await targetOf(session, options);
  const { signing = verify !== null && Object.hasOwn(SCHEMES, verify) ? verify : 'greenlake', secret } = options;
  const scheme = Object.hasOwn(SCHEMES, signing) ? (SCHEMES[signing] as Scheme) : null;
  if (scheme === null) throw usage(`--signing takes ${Object.keys(SCHEMES).join(' or ')}, not "${signing}"`);
  const event = await eventOf(session, type);
  for (const text of options.set ?? []) change(event, text);
  const id = typeof event['id'] === 'string' && event['id'] !== '' ? event['id'] : randomUUID();
  const body = Buffer.from(JSON.stringify(event));
  const signature = secret === undefined ? {} : await signed({ scheme, secret }, { id, body });
  const hint = signingHint(verify, { signing, secret });
  if (hint !== null) session.note(hint);
  const answer = await post(session, url, { body, headers: signature });
  session.show({ url, event, ...answer }, () => [
    ...session.facts({ sent: `${type} ${id}`, to: url, signed: secret === undefined ? 'no' : signing }),
    `${session.paint(answer.ok ? 'green' : 'red', String(answer.status))}  ${plain(answer.body.slice(0, 2_000))}`,
  ]);
  return answer.ok ? EXIT.ok : EXIT.failed;
}

/** What a hook will make of it; null where there is nothing to say. */
function signingHint(verify: string | null, { signing, secret }: { signing: string; secret?: string }): string | null {
  if (verify === null) return null;
  const schemes = Object.keys(SCHEMES);
  if (!schemes.includes(verify))
    return `the hook verifies by ${verify}, and trigger signs as ${schemes.join(' or ')} only`;
  if (secret === undefined) return `the hook verifies by ${verify}: sign with --secret`;
  return signing === verify ? null : `the hook verifies by ${verify}, and this is signed as ${signing}`;
}

/** Where to, and what verifies there, where that is known. */
async function targetOf(
  session: Session,
  { to, hook }: TriggerOptions,
): Promise<{ url: string; verify: string | null }> {
  if ((to === undefined) === (hook === undefined)) throw usage('trigger needs either --to <url> or --hook <scenario>');
  if (to !== undefined) {
    if (!/^https?:\/\//i.test(to) || !URL.canParse(to)) throw usage(`${to} is no http or https address`);
    return { url: to, verify: null };
  }
  const scenario = await (await session.client()).scenarios.get(hook as string, { signal: session.signal });
  return { url: await session.href(scenario.hook?.path ?? ''), verify: scenario.hook?.verify ?? null };
}

async function eventOf(session: Session, type: string): Promise<Record<string, Json>> {
  const own = OPERATIONAL_TYPES.find((one) => one.type === type);
  const head = {
    specversion: '1.0',
    id: randomUUID(),
    source: 'urn:bellwire:cli',
    type,
    time: new Date().toISOString(),
  };
  const client = own === undefined ? await session.client() : null;
  const entry = client === null ? own : await client.eventTypes.get(type, { signal: session.signal });
  const example = (entry?.example ?? null) as Json;
  return { ...head, datacontenttype: 'application/json', data: structuredClone(example) ?? {} };
}

/** `data.id=1`: sets what is at the end of the way, making the way. */
function change(event: Record<string, Json>, text: string): void {
  const at = text.indexOf('=');
  const path = text.slice(0, at).split('.');
  if (at < 1 || path.includes('')) throw usage(`--set takes path=value such as data.id=1, not "${text}"`);
  if (path.includes('__proto__')) throw usage('--set cannot set __proto__');
  const last = path.pop() as string;
  let inner: Record<string, Json> = event;
  for (const name of path) {
    const next = Object.hasOwn(inner, name) ? inner[name] : undefined;
    if (typeof next !== 'object' || next === null) inner[name] = {};
    inner = inner[name] as Record<string, Json>;
  }
  inner[last] = valueOf(text.slice(at + 1));
}

function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

async function signed(key: { scheme: Scheme; secret: string }, { id, body }: { id: string; body: Uint8Array }) {
  try {
    return await sign({ id, sentAt: Date.now(), body }, [key]);
  } catch (error) {
    if (error instanceof SecretError) throw usage(`the secret does not fit the signing: ${error.message}`);
    throw error;
  }
}

async function post(
  { signal, version }: Session,
  url: string,
  { body, headers }: { body: Buffer; headers: Record<string, string> },
): Promise<{ ok: boolean; status: number; body: string }> {
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/cloudevents+json', 'user-agent': `Bellwire/${version}`, ...headers },
      body: new Uint8Array(body),
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    return { ok: answer.ok, status: answer.status, body: await answer.text() };
  } catch (error) {
    signal.throwIfAborted();
    const cause = (error as Error).cause as Error | undefined;
    throw new Failure(`${url} did not answer: ${(cause ?? (error as Error)).message}`, EXIT.unreachable, 'unreachable');
  }
}
