// A command's processes: its process group, and what has left it. Found again after a crash, ended without exception.
//
// Every process of a command carries a mark in its environment, so one that made a session of its own is found, too
// (on Linux; elsewhere the group is all there is).
import { readdirSync, readFileSync } from 'node:fs';
import type { Clock } from '../../model/clock.ts';

/** The variable that carries the mark. */
export const MARK = 'BELLWIRE_STEP';

/** What is kept of a command's processes, as text: enough to find them after a crash. */
export interface ProcessNote {
  /** Of the first one; it is the number of the group, too. */
  pid: number;
  /** When it began, as the system counts; null where it does not say. Another one may get the same number. */
  begun: string | null;
  mark: string;
}

/** Reads a note; null for a text that is none. */
export function readNote(text: string): ProcessNote | null {
  try {
    const { pid, begun, mark } = JSON.parse(text) as ProcessNote;
    return Number.isInteger(pid) && pid > 1 && typeof mark === 'string' ? { pid, begun: begun ?? null, mark } : null;
  } catch {
    return null;
  }
}

/** The note of a process that has just been started. */
export function noteOf(pid: number, mark: string): ProcessNote {
  return { pid, begun: beginningOf(pid), mark };
}

/** Does any process of it live? */
export function isAlive(note: ProcessNote): boolean {
  return groupLives(note) || marked(note.mark).length > 0;
}

/** Asks all of them to end (SIGTERM), then ends them (SIGKILL). Resolves when none is left. */
export async function endProcesses(
  note: ProcessNote,
  { clock, graceMs }: { clock: Clock; graceMs: number },
): Promise<void> {
  signalAll(note, 'SIGTERM');
  const deadline = clock.monotonic() + graceMs;
  while (isAlive(note)) {
    if (clock.monotonic() >= deadline) signalAll(note, 'SIGKILL');
    await new Promise<void>((resolve) => clock.after(LOOK_EVERY_MS, resolve));
  }
}

const LOOK_EVERY_MS = 25;

function signalAll(note: ProcessNote, signal: NodeJS.Signals): void {
  if (groupLives(note)) send(-note.pid, signal);
  for (const pid of marked(note.mark)) send(pid, signal);
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    // Gone in the same moment.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

// While a group has a member its number is given to no other process. So where the first one is gone and the group is
// not, the group is ours; where somebody has the number, the instant of its beginning tells.
function groupLives({ pid, begun }: ProcessNote): boolean {
  const now = beginningOf(pid);
  if (now !== null && begun !== null && now !== begun) return false;
  try {
    process.kill(-pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  return !onlyDead(pid);
}

// A first process that has ended and was not waited for is still a member of its group, as a name only.
function onlyDead(group: number): boolean {
  const members = processes().flatMap((pid) => {
    const stat = statOf(pid);
    return stat?.group === group ? [stat.state] : [];
  });
  return members.length > 0 && members.every((state) => state === 'Z' || state === 'X');
}

function marked(mark: string): number[] {
  const sought = `${MARK}=${mark}`;
  return processes().filter((pid) => {
    if (pid === process.pid) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0').includes(sought) && statOf(pid)?.state !== 'Z';
    } catch {
      return false;
    }
  });
}

function processes(): number[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
  } catch {
    return [];
  }
}

function beginningOf(pid: number): string | null {
  return statOf(pid)?.begun ?? null;
}

// proc(5): the name in brackets may hold anything, so the fields are counted from behind it.
function statOf(pid: number): { state: string; group: number; begun: string } | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, group: Number(fields[2]), begun: fields[19]! };
  } catch {
    return null;
  }
}
