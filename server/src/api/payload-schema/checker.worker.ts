// The worker in which schemas are compiled for the first time and costly ones applied: it may be ended at any instant.
import { parentPort } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import { compileSchema, type Validate } from './compile.ts';
import { COMPILED_IN_WORKER, type Job, type JobResult } from './checker.ts';
import { judgeSchema } from './rules.ts';

/** A value of each kind: what any event brings with it. */
const TRIALS: readonly unknown[] = [null, true, 0, '', [], {}, [null], { a: [{}] }];

const compiled = new LRUCache<string, Validate>({ max: COMPILED_IN_WORKER });

parentPort?.on('message', (job: Job) => parentPort?.postMessage({ id: job.id, result: work(job) }));
parentPort?.postMessage('ready');

function work(job: Job): JobResult {
  try {
    const validate = compiled.get(job.hash) ?? compile(job);
    if (job.kind === 'check') return { kind: 'checked', fault: validate(job.data) };
    for (const trial of TRIALS) validate(trial);
    return { kind: 'vetted' };
  } catch (error) {
    return { kind: 'failed', words: (error as Error).message };
  }
}

function compile(job: Job): Validate {
  const judged = judgeSchema(JSON.parse(job.text));
  if (!judged.ok) throw new Error(judged.reason);
  const validate = compileSchema(judged.core);
  compiled.set(job.hash, validate);
  return validate;
}
