// `bellwire demo`, and so `npm start`: the platform in dev mode, one event's journey played against it, then it stays.
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { generateSecret } from '@bellwire/receiver';
import { createClient } from '../client/index.ts';
import type { Config } from '../config/index.ts';
import type { RunningPlatform } from '../platform.ts';
import { startHandler, type Seen } from './demo-handler.ts';
import { Failure } from './failure.ts';
import { AUDIT_LOG, playJourney, schemesOf, type Step } from './journey.ts';
import { aborted, addPlatformOptions, loadSettings, logTo, near, type PlatformOptions } from './serve.ts';
import type { Declare, Session } from './session.ts';
import { clip, pad, plain } from './terminal.ts';

export const demo: Declare = (command, run) => {
  addPlatformOptions(command).action(run(playDemo));
};

async function playDemo(session: Session, options: PlatformOptions): Promise<void> {
  const { signal, version, terminal } = session;
  const { config, settings } = loadSettings({ ...options, dev: true }, session);
  const isCalm = settings.some(({ path, origin }) => path === 'log.level' && origin === 'default');
  const log = logTo(session, isCalm ? { ...config, log: { ...config.log, level: 'warn' } } : config);
  session.say(`  ${session.paint('bold', `Bellwire ${version}`)}  one event’s journey, played for real over HTTP`);
  session.say('');
  const step = stepsOf(session);
  const dataFolder = near(config.dataFolder, terminal.folder);
  const { startPlatform } = await import('../platform.ts');
  const platform = await step('platform', async () => {
    const result = await startPlatform({ config, log, version }).catch((error: Error) =>
      explain(error, config, session),
    );
    return { text: `dev mode on ${result.url}, data in ${dataFolder}`, result };
  });
  const secret = generateSecret(randomBytes(32));
  const handler = await startHandler(secret, signal);
  try {
    await step('handler', async () => ({ text: `@bellwire/receiver on ${handler.url}`, result: null }));
    const client = createClient({ url: platform.url, key: platform.adminKey });
    await playJourney({ client, handler, secret, step, signal });
    sayWhatNext(session, { platform, dataFolder, isElsewhere: isElsewhere(config, session) });
    handler.watch((seen) => session.say(arrivalOf(seen, session)));
    await aborted(signal);
    // A terminal has just shown ^C.
    session.say(`${terminal.stdout.isTTY === true ? '\n' : ''}  stopping: what is under way is finished first`);
  } finally {
    await platform.stop();
    await handler.stop();
  }
}

/** Room for a step's text between its name and its time, on 80 columns. */
const NAME = 10;
const TEXT = 54;

/** Prints each step when it is done, aligned, with the ms it took. */
function stepsOf(session: Session): Step {
  return async (name, work) => {
    const startedAt = performance.now();
    const line = (mark: string, text: string) =>
      `  ${mark} ${pad(name, NAME)}  ${pad(clip(plain(text), TEXT), TEXT)} ${`${elapsed(startedAt)} ms`.padStart(8)}`;
    try {
      const { text, result } = await work();
      session.show({ step: name, text, ms: elapsed(startedAt) }, () => [line(session.paint('green', '✔'), text)]);
      return result;
    } catch (error) {
      if (!session.signal.aborted) session.say(line(session.paint('red', '✖'), 'failed'));
      throw error;
    }
  };
}

function elapsed(startedAt: number): number {
  return Math.round(performance.now() - startedAt);
}

function sayWhatNext(
  session: Session,
  { platform, dataFolder, isElsewhere }: { platform: RunningPlatform; dataFolder: string; isElsewhere: boolean },
): void {
  const { url } = platform;
  const { paint } = session;
  // The commands find the platform through its data folder; one that is not `data` here has to be named.
  const bellwire = 'npx bellwire';
  const where = isElsewhere ? [`    ${paint('cyan', `export BELLWIRE_DATA_FOLDER=${dataFolder}`)}`] : [];
  const lines = [
    '',
    `  API      ${url}/v1  ${paint('dim', `(key: ${dataFolder}/admin-key)`)}`,
    `  OpenAPI  ${url}/openapi.json`,
    `  Running  ${url}/metrics, ${url}/healthz`,
    '',
    '  Try in another terminal, in this folder:',
    ...where,
    `    ${paint('cyan', `${bellwire} publish --example ${AUDIT_LOG}`)}`,
    `    ${paint('cyan', `${bellwire} deliveries list`)}`,
    `    ${paint('cyan', `${bellwire} events tail --deliveries`)}`,
    '',
    `  ${paint('bold', 'It runs until Ctrl-C.')} What arrives at the handler is shown here:`,
  ];
  for (const line of lines) session.say(line);
  session.show({ step: 'running', url, dataFolder }, () => []);
}

function isElsewhere({ dataFolder }: Config, { terminal: { env, folder } }: Session): boolean {
  return dataFolder !== resolve(folder, 'data') && !env['BELLWIRE_DATA_FOLDER'];
}

/** One line for what comes to the handler after the journey. */
function arrivalOf(seen: Seen, session: Session): string {
  const mark = session.paint('green', '→');
  if (seen.kind === 'challenge') {
    return `  ${mark} ${pad('challenge', NAME)}  ${clip(plain(`answered ${seen.status} ${seen.answer}`), TEXT)}`;
  }
  const text = `${seen.event.type} ${seen.event.id}`;
  return `  ${mark} ${pad('delivered', NAME)}  ${clip(plain(text), TEXT)}  ${session.paint('dim', schemesOf(seen) === '' ? '' : 'verified')}`;
}

/** What is in the way of the start, and what to do about it. */
async function explain(error: Error, config: Config, { terminal: { env, folder } }: Session): Promise<never> {
  const again = env['npm_lifecycle_event'] === 'start' ? 'npm start -- ' : 'npx bellwire demo ';
  const { host, port } = config.listen;
  const data = near(config.dataFolder, folder);
  if (error.message.startsWith('another process already runs on')) {
    throw new Failure(
      `a platform runs already on ${data}: try it with npx bellwire webhooks list, stop it, or start another: ${again}--port ${port + 1} --data ${data}-2`,
    );
  }
  if (/ is taken: /.test(error.message)) {
    const who = (await isBellwire(`http://${host}:${port}`)) ? 'another Bellwire, perhaps a demo' : 'another program';
    throw new Failure(`${host}:${port} is taken by ${who}: stop it, or use another port: ${again}--port 9000`);
  }
  if (/\b(?:EACCES|EPERM|EROFS)\b/.test(error.message)) {
    throw new Failure(`no permission to write ${data}: make it yours, or use another folder: ${again}--data <folder>`);
  }
  throw new Failure(error.message);
}

async function isBellwire(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(1_000) });
    return ((await response.json()) as { info?: { title?: unknown } }).info?.title === 'Bellwire';
  } catch {
    return false;
  }
}
