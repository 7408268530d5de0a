// The reply of one run: given once, at once, while the run goes on.
import type { HookReply } from '../model/hook/exchange.ts';
import { ActionFailed } from './action.ts';

/** Takes the reply of a run. */
export class Replies {
  readonly #pass: ((reply: HookReply) => void) | null;
  #isGiven = false;

  /** `pass` is handed the reply; null where there is nobody to be answered: a job has no hook. */
  constructor(pass: ((reply: HookReply) => void) | null) {
    this.#pass = pass;
  }

  /** Was something replied? */
  get isGiven(): boolean {
    return this.#isGiven;
  }

  /** Answers. Throws {@link ActionFailed} the second time. */
  give(reply: HookReply): void {
    if (this.#pass === null) throw new ActionFailed('a job has nobody to reply to', { retryable: false });
    if (this.#isGiven) throw new ActionFailed('the caller was answered before', { retryable: false });
    this.#isGiven = true;
    this.#pass(reply);
  }

  /** A former owner of the run has replied. */
  wasGiven(): void {
    this.#isGiven = true;
  }
}
