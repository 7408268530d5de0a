// Commands on this machine: the ground they are run on, made when the first one is asked for.
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../../model/clock.ts';
import type { CommandGround } from './command.ts';
import { raiseShield } from './shield.ts';

/** What the operator says of commands. */
export interface CommandSettings {
  /** Absolute; commands cannot read it. */
  dataFolder: string;
  /** The folder in which `./x` is looked for, absolute; null for none. */
  scripts: string | null;
  /** User and group of commands where the platform is root. */
  user: number;
  /** May they run as the platform itself where nothing else is possible? */
  unshielded: boolean;
  graceMs: number;
}

/** Where commands are run. */
export interface Commands {
  /** Rejects, in words, where commands cannot be kept apart from the platform. */
  ground(): Promise<CommandGround>;
  /** Removes the working folders. */
  close(): Promise<void>;
}

/** Nothing is made or tried before the first command. */
export function createCommands(
  { dataFolder, scripts, user, unshielded, graceMs }: CommandSettings,
  clock: Clock,
): Commands {
  let made: Promise<CommandGround> | null = null;
  const make = async (): Promise<CommandGround> => {
    const shield = await raiseShield({ dataFolder, user: { uid: user, gid: user }, allowNone: unshielded });
    const workFolder = await mkdtemp(join(tmpdir(), 'bellwire-work-'));
    // Others may go through, not look around.
    await chmod(workFolder, 0o711);
    return { shield, workFolder, scripts, clock, graceMs };
  };
  return {
    ground: () => (made ??= make()),
    close: async () => {
      const ground = await made?.catch(() => null);
      if (ground) await rm(ground.workFolder, { recursive: true, force: true });
    },
  };
}
