// The measured platform, a process of its own: what `bellwire serve --dev` starts, told by IPC what to run on.
import { loadConfig } from '../server/src/config/index.ts';
import { createLog } from '../server/src/log/index.ts';
import { startPlatform } from '../server/src/platform.ts';

process.on('message', async ({ folder, store }: { folder: string; store: string | null }) => {
  const overrides = {
    dev: true,
    listen: { port: 0 },
    dataFolder: folder,
    log: { level: 'warn' },
    ...(store ? { store } : {}),
  };
  const { config } = loadConfig({ folder, overrides });
  const log = createLog({ ...config.log, destination: process.stderr });
  const platform = await startPlatform({ config, log, version: 'bench' });
  process.send!({ kind: 'running', url: platform.url, key: platform.adminKey });
  process.once('disconnect', () => void platform.stop().finally(() => process.exit(0)));
});
process.send!({ kind: 'ready' });
