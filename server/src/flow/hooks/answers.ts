// What the caller of a hook is answered where no step of a scenario says it (R58, R86, R89).
import type { HookReply } from '../../model/hook/exchange.ts';
import { problem, PROBLEM_TYPE, type ProblemCode } from '../../model/problem.ts';

/** The scenario replies nothing: its work is done, or will be (R86). */
export const ACCEPTED: HookReply = {
  status: 200,
  headers: ['content-type', 'text/plain; charset=utf-8'],
  body: 'Accepted',
};

/** The run goes on after its caller has been answered. */
export function goesOn(run: number): HookReply {
  return { status: 202, headers: ['content-type', 'application/json'], body: JSON.stringify({ run }) };
}

/** A refusal, as a problem document. `headers` are names and values in turns. */
export function refusal(code: ProblemCode, detail: string, headers: readonly string[] = []): HookReply {
  const document = problem(code, detail);
  return {
    status: document.status,
    headers: ['content-type', PROBLEM_TYPE, ...headers],
    body: JSON.stringify(document),
  };
}

/** The run ended badly before it had replied. Why is for those who may read its history. */
export function failedBefore(run: number): HookReply {
  return refusal('run-failed', `Run ${run} failed before it had replied.`);
}
