// Gives schemas and data to the worker one at a time, under a deadline, and replaces a worker that misses it.
//
//   waiting ──its turn, worker ready──▶ under way ──answer──▶ resolved
//                                           └──deadline, or the worker died──▶ worker ended ──▶ resolved as its fault
//
// Only the job under way is to blame for a missed deadline; those waiting have not begun and go to the next worker.
// Turns are taken schema by schema, so a hostile one delays each of the others by at most one deadline per turn.
import { Worker } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import type { DataFault } from './compile.ts';

/** Schemas the worker keeps compiled. */
export const COMPILED_IN_WORKER = 300;
/** Jobs that may wait, in all and for one schema. */
const MAX_WAITING = 4_000;
const MAX_WAITING_PER_SCHEMA = 1_000;
/** How long a worker may take to start; it loads Ajv and RE2. */
const START_MS = 30_000;

/** One piece of work for the worker. */
export interface Job {
  id: number;
  kind: 'vet' | 'check';
  /** Names the schema: what is compiled once. */
  hash: string;
  text: string;
  data?: unknown;
}

/** What became of a job. */
export type JobResult =
  | { kind: 'vetted' }
  | { kind: 'checked'; fault: DataFault | null }
  /** The worker could not do it, and says why. */
  | { kind: 'failed'; words: string }
  | { kind: 'deadline'; afterMs: number }
  /** It was not begun, for a reason that has nothing to do with it. */
  | { kind: 'busy'; words: string };

/** The worker's owner. */
export interface Checker {
  /** Does a job; the deadline counts from its turn. Never rejects. */
  run(job: Omit<Job, 'id'>): Promise<JobResult>;
  /** Ends the worker; what waits is answered `busy`. Twice is harmless. */
  close(): Promise<void>;
}

/** How long compiling a schema and applying it may take, in ms. */
export interface CheckerDeadlines {
  vetMs: number;
  checkMs: number;
}

const STOPPING: JobResult = { kind: 'busy', words: 'the platform is stopping' };
const FULL: JobResult = { kind: 'busy', words: 'too many are waiting' };

interface Waiting {
  job: Job;
  resolve(result: JobResult): void;
}

/** Makes the owner of one worker, which is started with the first job and never keeps the process alive on its own. */
export function createChecker(deadlines: CheckerDeadlines): Checker {
  const waiting = new Map<string, Waiting[]>();
  let count = 0;
  let nextId = 1;
  let runner: Runner | null = null;
  let closed = false;

  function run(job: Omit<Job, 'id'>): Promise<JobResult> {
    if (closed) return Promise.resolve(STOPPING);
    const same = waiting.get(job.hash) ?? [];
    if (count >= MAX_WAITING || same.length >= MAX_WAITING_PER_SCHEMA) return Promise.resolve(FULL);
    return new Promise((resolve) => {
      same.push({ job: { ...job, id: nextId++ }, resolve });
      waiting.set(job.hash, same);
      count++;
      proceed();
    });
  }

  function proceed(): void {
    if (count === 0 || closed) return;
    runner ??= openRunner(deadlines, {
      free: proceed,
      lost: (cause) => {
        runner = null;
        // A worker that cannot even start would be replaced for ever: whoever waits is told instead.
        if (cause !== null) abandon({ kind: 'busy', words: cause });
        proceed();
      },
    });
    if (!runner.isFree()) return;
    const next = take();
    if (next) runner.take(next.job, next.resolve);
  }

  function take(): Waiting | undefined {
    for (const [hash, jobs] of waiting) {
      const next = jobs.shift();
      // To the end of the line: the other schemas come first now.
      waiting.delete(hash);
      if (jobs.length > 0) waiting.set(hash, jobs);
      if (next) count--;
      return next;
    }
    return undefined;
  }

  function abandon(result: JobResult): void {
    const left = [...waiting.values()].flat();
    waiting.clear();
    count = 0;
    for (const { resolve } of left) resolve(result);
  }

  return {
    run,
    async close() {
      closed = true;
      abandon(STOPPING);
      await runner?.end();
    },
  };
}

/** One worker and the job it is doing. */
interface Runner {
  isFree(): boolean;
  take(job: Job, resolve: (result: JobResult) => void): void;
  end(): Promise<void>;
}

function openRunner(
  deadlines: CheckerDeadlines,
  told: { free(): void; lost(startFailed: string | null): void },
): Runner {
  const worker = new Worker(workerFile(), {
    // Nothing of the process is handed in, and memory is bounded: a schema may be hostile.
    env: {},
    argv: [],
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 32, stackSizeMb: 4 },
  });
  const compiled = new LRUCache<string, true>({ max: COMPILED_IN_WORKER });
  let ready = false;
  let ended = false;
  let underWay: { id: number; resolve(result: JobResult): void } | null = null;
  let timer = setTimeout(() => lose({ kind: 'failed', words: `not within ${START_MS} ms` }), START_MS);

  function finish(result: JobResult): void {
    const done = underWay;
    underWay = null;
    clearTimeout(timer);
    worker.unref();
    done?.resolve(result);
  }

  function lose(result: JobResult): void {
    if (ended) return;
    ended = true;
    finish(result);
    void worker.terminate();
    told.lost(ready || result.kind !== 'failed' ? null : `the worker did not start: ${result.words}`);
  }

  worker.on('message', (message: 'ready' | { id: number; result: JobResult }) => {
    if (ended) return;
    if (message === 'ready') {
      ready = true;
      clearTimeout(timer);
    } else if (message.id === underWay?.id) finish(message.result);
    told.free();
  });
  worker.on('error', (error) => lose({ kind: 'failed', words: (error as Error).message }));
  worker.on('exit', () => lose({ kind: 'failed', words: 'the worker ended' }));

  return {
    isFree: () => ready && !ended && underWay === null,
    take(job, resolve) {
      const known = compiled.get(job.hash) === true;
      compiled.set(job.hash, true);
      const afterMs = job.kind === 'vet' ? deadlines.vetMs : deadlines.checkMs + (known ? 0 : deadlines.vetMs);
      underWay = { id: job.id, resolve };
      // One more turn of the loop before the verdict: if this thread was the slow one, the answer is here already.
      timer = setTimeout(
        () => setImmediate(() => underWay?.id === job.id && lose({ kind: 'deadline', afterMs })),
        afterMs,
      );
      worker.ref();
      post(job);
    },
    async end() {
      ended = true;
      finish(STOPPING);
      await worker.terminate();
    },
  };

  function post(job: Job): void {
    try {
      worker.postMessage(job);
    } catch (error) {
      // Data nested too deeply to be copied.
      finish({ kind: 'failed', words: (error as Error).message });
      setImmediate(told.free);
    }
  }
}

// The worker's file has the ending of this one: .ts where types are stripped, .js where they were compiled away.
function workerFile(): URL {
  return new URL(`./checker.worker.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
}
