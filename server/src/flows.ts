// The flow engine with this platform's means: by what its actions reach the outside, and whose lanes it works by.
import type { PayloadSchemas } from './api/payload-schema/index.ts';
import type { Config } from './config/index.ts';
import type { Delivering } from './engine/index.ts';
import { publishForFlows } from './flow-publisher.ts';
import { createSql } from './flow/actions/sql.ts';
import { createRunAction } from './flow/actions/run.ts';
import { createCommands } from './flow/commands/index.ts';
import { createDatabases } from './flow/databases/index.ts';
import { createFlows, type FlowEngine, type FlowWatch } from './flow/index.ts';
import { createEvaluate } from './flow/policy/evaluate.ts';
import { fetchOver, mailOver } from './flow-port.ts';
import { createPlacesElsewhere } from './flow/sheets/elsewhere.ts';
import type { Log } from './log/index.ts';
import type { Clock } from './model/clock.ts';
import type { Store } from './store/index.ts';
import type { Tracer } from './tracing/index.ts';

/** What it is put together of. */
export interface FlowParts {
  config: Config;
  log: Log;
  clock: Clock;
  store: Store;
  schemas: PayloadSchemas;
  tracer: Tracer | null;
  delivering: Pick<Delivering, 'lanes' | 'send' | 'sendMail' | 'addresses'>;
  /** Is told of what ends. */
  watch: FlowWatch;
  onError(error: unknown): void;
}

/** Steps of one run: a loop that goes through ten thousand things may do ten for each. */
const MOST_STEPS = 100_000;

/** Puts it together; nothing runs before its `start`. */
export function assembleFlows(parts: FlowParts): FlowEngine {
  const { config, log, clock, store, schemas, tracer, delivering, watch, onError } = parts;
  const { concurrency, maxDepth, stepBytes, logBytes, folders, machineIdentity } = config.flows;
  const fetch = fetchOver((request) => delivering.send(request), tracer);
  const commands = createCommands({ dataFolder: config.dataFolder, ...config.flows.commands }, clock);
  const files = { folders: config.sheets.folders, except: [config.dataFolder], setting: 'sheets.folders' };
  const databases = createDatabases({ addresses: delivering.addresses, files });
  const elsewhere = createPlacesElsewhere({
    files,
    xlsxEveryMs: config.sheets.xlsxEveryMs,
    databases,
    maxBytes: stepBytes,
    fetch,
    clock,
  });
  const engine = createFlows({
    store,
    clock,
    lanes: { owned: () => delivering.lanes() },
    concurrency,
    limits: { stepBytes, logBytes, steps: MOST_STEPS },
    maxDepth,
    fetch,
    publish: publishForFlows({ store, schemas, log, clock, tracer, limits: config.limits }),
    sendMail: mailOver((mail) => delivering.sendMail(mail), tracer),
    tracer,
    sheetPlaces: elsewhere.places,
    actions: [
      createRunAction({ commands, mayRun: (workspace) => mayRun(workspace, config, store) }),
      createSql({ databases, maxBytes: stepBytes }),
    ],
    evaluate: createEvaluate({ fetch, folders, machineIdentity }),
    onError,
    watch,
  });
  const stop = async (graceMs: number): Promise<void> => {
    await engine.stop(graceMs);
    await Promise.all([commands.close(), elsewhere.close()]);
    await databases.close();
  };
  return { ...engine, stop };
}

async function mayRun(workspace: number, { flows: { commands } }: Config, { settings }: Store): Promise<boolean> {
  if (commands.workspaces === 'all') return true;
  const found = await settings.workspace({ workspace });
  return found !== null && commands.workspaces.includes(found.name);
}
