// `bellwire demo scenario`: a webhook whose handler is a scenario; its challenge, an event, and the row that came of it.
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { createClient, type Client } from '../../client/index.ts';
import { pause } from '../../client/request.ts';
import { startDemoPlatform, sayWhatNext } from './demo-platform.ts';
import { readDocuments, readSamples } from '../automate/documents.ts';
import { Failure } from '../failure.ts';
import { AUDIT_LOG, auditLogEvent, untilActive, type Step } from './journey.ts';
import { aborted, type PlatformOptions } from './serve.ts';
import type { Session } from '../session.ts';
import { plain } from '../terminal.ts';

/** Beside the sources in the repository, beside the built files in the package. */
const EXAMPLES = import.meta.url.endsWith('.ts') ? '../../../../examples/' : '../../../examples/';
const DOCUMENT = fileURLToPath(new URL(`${EXAMPLES}flows/greenlake-audit.yaml`, import.meta.url));
const SCENARIO = 'greenlake-audit';
const SECRET = 'GREENLAKE';
const SHEET = 'AuditLog';
const WEBHOOK = 'demo-scenario';

/** How long all of it may take. */
const PATIENCE_MS = 30_000;
const POLL_MS = 20;

/** Plays it, then stays until it is ended. Throws {@link Failure} that says what is in the way. */
export async function playScenario(session: Session, options: PlatformOptions): Promise<void> {
  const { platform, dataFolder, step } = await startDemoPlatform(session, {
    options,
    title: 'a webhook, and a scenario that is its handler',
  });
  try {
    const client = createClient({ url: platform.url, key: platform.adminKey });
    const patience = AbortSignal.timeout(PATIENCE_MS);
    const signal = AbortSignal.any([session.signal, patience]);
    await play({ client, url: platform.url, step, signal, session }).catch((error: unknown) => {
      if (session.signal.aborted || !patience.aborted) throw error;
      throw new Failure(`the demo came to a halt; see: npx bellwire webhooks list, npx bellwire scenario runs`);
    });
    const commands = [`sheet rows ${SHEET}`, `scenario show ${SCENARIO}`, `publish --example ${AUDIT_LOG}`];
    sayWhatNext(session, { url: platform.url, dataFolder, commands });
    await aborted(session.signal);
    // A terminal has just shown ^C.
    session.say(`${session.terminal.stdout.isTTY === true ? '\n' : ''}  stopping: what is under way is finished first`);
  } finally {
    await platform.stop();
  }
}

interface Play {
  client: Client;
  /** Of the platform. */
  url: string;
  step: Step;
  signal: AbortSignal;
  session: Session;
}

async function play({ client, url, step, signal, session }: Play): Promise<void> {
  // What the webhook and the scenario share, and nothing else: they meet by HTTP alone.
  const secret = randomBytes(24).toString('base64url');
  const path = await step('push', () => pushScenario({ client, secret, signal, session }));
  const webhook = await step('webhook', () => register({ client, url: new URL(path, url).href, secret, signal }));
  await step('challenge', async () => {
    await untilActive(client, webhook, signal);
    return { text: 'answered by the scenario: the webhook is active', result: null };
  });
  await step('subscribed', async () => {
    await client.subscriptions.create({ webhook, type: AUDIT_LOG }, { signal });
    return { text: AUDIT_LOG, result: null };
  });
  const event = auditLogEvent(new Date());
  await step('published', async () => {
    await client.events.publish(event, { signal });
    return { text: `“${(event.data as { description: string }).description}”, signed and sent`, result: null };
  });
  await step('run', () => eventRun(client, signal));
  showRow(await step('row', () => rowOf(client, String(event.time), signal)), session);
}

interface Pushing {
  client: Client;
  secret: string;
  signal: AbortSignal;
  session: Session;
}

/** The example with its samples, as `bellwire push` sends it. Resolves the path of its hook. */
async function pushScenario({ client, secret, signal, session: { terminal } }: Pushing) {
  await client.secrets.set(SECRET, secret, { signal });
  const files = await readDocuments([DOCUMENT], terminal, signal);
  const samples = Array.from(await readSamples(files, terminal), ([name, text]) => ({ name, text }));
  await client.flows.push({ files, samples }, { signal });
  const { hook } = await client.scenarios.get(SCENARIO, { signal });
  if (hook === null)
    throw new Failure(`the scenario ${SCENARIO} has no hook; see: npx bellwire scenario show ${SCENARIO}`);
  return { text: `scenario ${SCENARIO}, its hook verifies`, result: hook.path };
}

interface Registering {
  client: Client;
  /** Of the hook. */
  url: string;
  secret: string;
  signal: AbortSignal;
}

/** The webhook: a new one, or that of an earlier start at its new address. Both are challenged at once. */
async function register({ client, url, secret, signal }: Registering) {
  const settings = { url, secret, verification: 'challenge' as const, signing: ['hpe' as const] };
  const known = (await client.webhooks.list({ signal }).all()).find(({ name }) => name === WEBHOOK);
  if (known === undefined) {
    const made = await client.webhooks.create({ name: WEBHOOK, ...settings }, { signal });
    return { text: `${WEBHOOK} registered at that hook; ${made.state}`, result: made.id };
  }
  const moved = await client.webhooks.change(known.id, { ...settings, authorization: null }, { signal });
  if (moved.intent === 'disabled') await client.webhooks.enable(known.id);
  if (moved.intent === 'paused') await client.webhooks.resume(known.id);
  return { text: `${WEBHOOK} given a new secret; pending again`, result: known.id };
}

/** The run that the event began: the newest one that did not go by the route of challenges. */
async function eventRun(client: Client, signal: AbortSignal) {
  for (;;) {
    const [newest] = (await client.scenarios.runs(SCENARIO, { limit: 1, signal }).page()).items;
    const run = newest === undefined ? null : await client.runs.get(newest.id, { signal });
    if (run?.state === 'failed') throw new Failure(`the run failed; see: npx bellwire job log ${run.id}`);
    if (run?.state === 'completed' && run.route.includes('events')) {
      return {
        text: `number ${run.id}: ${run.state}, route ${run.route.join(', ')}, reply ${run.reply?.status}`,
        result: null,
      };
    }
    await pause(POLL_MS, signal);
  }
}

/** The row of the event, which is the one with its time. */
async function rowOf(client: Client, time: string, signal: AbortSignal) {
  for await (const { cells } of client.sheets.rows(SHEET, { signal })) {
    if (cells['A'] !== time) continue;
    return { text: `in the sheet ${SHEET}`, result: cells };
  }
  throw new Failure(`the sheet ${SHEET} has no row of the event; see: npx bellwire sheet rows ${SHEET}`);
}

function showRow(cells: Readonly<Record<string, unknown>>, session: Session): void {
  session.show({ row: cells }, () =>
    Object.entries(cells).map(([name, value]) => `      ${session.paint('dim', name)}  ${plain(String(value))}`),
  );
}
