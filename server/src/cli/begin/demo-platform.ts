// The platform of the demos: in dev mode, its steps printed as they are done, and what may be in the way said in words.
import type { Config } from '../../config/index.ts';
import type { RunningPlatform } from '../../platform.ts';
import { Failure } from '../failure.ts';
import type { Step } from './journey.ts';
import { loadSettings, logTo, near, type PlatformOptions } from './serve.ts';
import type { Session } from '../session.ts';
import { clip, pad, plain } from '../terminal.ts';

/** A platform that a demo is played on. */
export interface DemoPlatform {
  platform: RunningPlatform;
  config: Config;
  /** As people would name it. */
  dataFolder: string;
  step: Step;
}

/** Starts it, and says so under a title. Throws {@link Failure} that says what is in the way. */
export async function startDemoPlatform(
  session: Session,
  { options, title }: { options: PlatformOptions; title: string },
): Promise<DemoPlatform> {
  const { version, terminal } = session;
  const { config, settings } = loadSettings({ ...options, dev: true }, session);
  const isCalm = settings.some(({ path, origin }) => path === 'log.level' && origin === 'default');
  const log = logTo(session, isCalm ? { ...config, log: { ...config.log, level: 'warn' } } : config);
  session.say(`  ${session.paint('bold', `Bellwire ${version}`)}  ${title}`);
  session.say('');
  const step = stepsOf(session);
  const dataFolder = near(config.dataFolder, terminal.folder);
  const { startPlatform } = await import('../../platform.ts');
  const platform = await step('platform', async () => {
    const result = await startPlatform({ config, log, version }).catch((error: Error) =>
      explain(error, config, session),
    );
    return { text: `dev mode on ${result.url}, data in ${dataFolder}`, result };
  });
  return { platform, config, dataFolder, step };
}

/** Room for the name of a step, and for its text before its time, on 80 columns. */
export const NAME = 10;
/** See {@link NAME}. */
export const TEXT = 54;

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

/** Says where the platform is and what may be tried on it, each a command of the CLI; it runs until somebody ends it. */
export function sayWhatNext(
  session: Session,
  { url, dataFolder, commands }: { url: string; dataFolder: string; commands: readonly string[] },
): void {
  const { paint } = session;
  const lines = [
    '',
    `  API      ${url}/v1  ${paint('dim', `(key: ${dataFolder}/admin-key)`)}`,
    '  Try in another terminal, in this folder:',
    ...commands.map((words) => `    ${paint('cyan', `npx bellwire ${words}`)}`),
    '',
    `  ${paint('bold', 'It runs until Ctrl-C.')}`,
  ];
  for (const line of lines) session.say(line);
  session.show({ step: 'running', url, dataFolder }, () => []);
}
