// `bellwire demo`, and so `npm start`: the platform in dev mode, one event's journey played against it, then it stays.
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import { generateSecret } from '@bellwire/receiver';
import { createClient } from '../../client/index.ts';
import type { Config } from '../../config/index.ts';
import type { RunningPlatform } from '../../platform.ts';
import { startHandler, type Seen } from './demo-handler.ts';
import { playAutomation } from './demo-automation.ts';
import { playScenario } from './demo-scenario.ts';
import { NAME, startDemoPlatform, TEXT } from './demo-platform.ts';
import { AUDIT_LOG, playJourney, schemesOf } from './journey.ts';
import { aborted, addPlatformOptions, type PlatformOptions } from './serve.ts';
import type { Declare, Session } from '../session.ts';
import { clip, pad, plain } from '../terminal.ts';

export const demo: Declare = (command, run) => {
  addPlatformOptions(command).action(run(playDemo));
  addPlatformOptions(command.command('automation'))
    .description('Run a job and a policy set, and show what their post-processing was sent')
    .action(run(playAutomation));
  addPlatformOptions(command.command('scenario'))
    .description('Register a webhook at the hook of a scenario, publish an event, and show the row that came of it')
    .action(run(playScenario));
};

async function playDemo(session: Session, options: PlatformOptions): Promise<void> {
  const { signal, terminal } = session;
  const { platform, config, dataFolder, step } = await startDemoPlatform(session, {
    options,
    title: 'one event’s journey, played for real over HTTP',
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
    `  Docs     ${url}/docs  ${paint('dim', '(for tools: /openapi.json)')}`,
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
