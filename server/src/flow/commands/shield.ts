// The shield: what keeps a command from the data folder and from the platform's own memory.
//
//   root ─ the command runs as another user, who may not enter the data folder
//   anybody else on Linux ─ it runs in namespaces of its own: the data folder is covered there, other processes unseen
//   neither ─ no command is run, unless the operator says that it need not be kept apart
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** How commands are kept apart. */
export interface Shield {
  kind: 'other-user' | 'namespaces' | 'none';
  /** The user and group that a command runs as, or null for the platform's own. */
  user: { uid: number; gid: number } | null;
  /** Words before the command's own. */
  wrap(command: readonly string[]): readonly string[];
}

/** What a shield is made of. */
export interface ShieldSettings {
  /** Absolute. */
  dataFolder: string;
  /** Whom commands run as where the platform runs as root. */
  user: { uid: number; gid: number };
  /** May a command run as the platform itself, with all that it may read? */
  allowNone: boolean;
}

/** Nobody, as most systems number him. */
export const NOBODY = { uid: 65_534, gid: 65_534 };

// Inside the new namespaces one is root: the data folder is covered, then everything that root may is given away, so the
// cover cannot be taken off again.
const COVER =
  'mount -t tmpfs -o size=4k,mode=000 none "$1" && shift && ' +
  'exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --ambient-caps=-all -- "$@"';
const UNSHARE = ['unshare', '--user', '--map-root-user', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];

/** Finds the shield that works on this machine. Rejects, in words, when there is none and none is not allowed. */
export async function raiseShield({ dataFolder, user, allowNone }: ShieldSettings): Promise<Shield> {
  if (process.getuid?.() === 0) return { kind: 'other-user', user, wrap: (command) => command };
  const wrap = (command: readonly string[]): string[] => [
    ...UNSHARE,
    '--',
    'sh',
    '-c',
    COVER,
    'sh',
    dataFolder,
    ...command,
  ];
  const fault = await tried(wrap(['true']));
  if (fault === null) return { kind: 'namespaces', user: null, wrap };
  if (allowNone) return { kind: 'none', user: null, wrap: (command) => command };
  throw new Error(
    `commands cannot be kept from the data folder on this machine (${fault}): run as root, allow user namespaces, or say flows.commands.unshielded`,
  );
}

async function tried([file, ...words]: readonly string[]): Promise<string | null> {
  try {
    await run(file!, words, { timeout: 10_000 });
    return null;
  } catch (error) {
    const { stderr, message } = error as Error & { stderr?: string };
    return (stderr?.trim() || message).split('\n')[0]!;
  }
}
