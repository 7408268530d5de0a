// What a store says of itself when it is opened at the instant it was frozen at, its outside as it was.
import type { EngineFacts } from './frozen.ts';
import { startInstallation, type Place } from './installation.ts';
import { startOutside } from './outside.ts';
import { survey } from './survey.ts';

/** A moment later than the freezing, and before anything that waits is due. */
const SOON_MS = 1_000;

/** Opens it at that instant, looks at everything through the API, and closes it. */
export async function settled(place: Place, frozenAt: number): Promise<Pick<EngineFacts, 'survey' | 'pending'>> {
  const outside = await startOutside();
  const installation = await startInstallation(place, outside, frozenAt + SOON_MS - Date.now());
  const { client } = installation;
  try {
    const pending: Record<string, string[]> = {};
    for (const { id, name, mode, state } of await client.webhooks.list().all()) {
      if (mode === 'pull' || (state !== 'active' && state !== 'warning')) continue;
      const open = await client.webhooks.deliveries(id, { state: 'scheduled' }).all();
      if (open.length > 0) pending[name] = [...new Set(open.map((one) => one.batch ?? one.id))].sort();
    }
    return { survey: await survey(client), pending };
  } finally {
    await installation.platform.stop();
    await outside.stop();
  }
}
