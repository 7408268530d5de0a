// The platform as the program of a process that tests kill: settings from the environment, an optional point to die at.
//
// `node platform-entry.ts [point]`. A number on standard input turns the wall clock by so many ms. The points lie on either side of the two commits that the promise rests on:
//   accept:before ─ events have arrived │ accept:after ─ they are committed, the publisher has not heard of it
//   settle:before ─ deliveries are sent and answered, nothing of it is written │ settle:after ─ it is written
import { createInterface } from 'node:readline';
import { systemClock } from '../../server/src/clock.ts';
import { loadConfig } from '../../server/src/config/index.ts';
import { createLog } from '../../server/src/log/index.ts';
import { startPlatform } from '../../server/src/platform.ts';
import { openStore, type Store } from '../../server/src/store/index.ts';

/** Where the process may end itself, by SIGKILL, the first time it gets there. */
export const failPoints = ['accept:before', 'accept:after', 'settle:before', 'settle:after'] as const;
export type FailPoint = (typeof failPoints)[number];

/** No point counts before the platform listens: whoever waits for it has to hear of it first. */
let isArmed = false;
let turnedMs = 0;

async function main(point: FailPoint | undefined): Promise<void> {
  const { config } = loadConfig({ folder: process.cwd(), env: process.env });
  const log = createLog({ level: config.log.level, pretty: false, destination: process.stdout });
  await startPlatform({
    config,
    log,
    version: '0.0.0-crash',
    clock: { ...systemClock, now: () => systemClock.now() + turnedMs },
    openStore: async (options) => mined(await openStore(options), point),
  });
  isArmed = true;
  // The pipe breaks when the test that started us ends, however it ends: nothing is left behind.
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (ms) => (turnedMs += Number(ms)));
  lines.once('close', () => process.exit());
}

/** The store, and the end of the process at one point of it. */
function mined(store: Store, point: FailPoint | undefined): Store {
  const { accept, settle } = store.log;
  const die = (at: FailPoint): void => {
    if (isArmed && at === point) process.kill(process.pid, 'SIGKILL');
  };
  store.log.accept = async (publish) => {
    die('accept:before');
    const result = await accept(publish);
    die('accept:after');
    return result;
  };
  store.log.settle = async (batch) => {
    die('settle:before');
    const result = await settle(batch);
    die('settle:after');
    return result;
  };
  return store;
}

if (import.meta.main) await main(process.argv[2] as FailPoint | undefined);
