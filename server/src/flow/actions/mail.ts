// `mail`: an e-mail by the installation's mail server.
import { describeOutcome } from '../../model/outcome.ts';
import { ActionFailed, type Action } from '../action.ts';
import type { SendMail } from '../outside.ts';

/** One send may take so long unless its step says otherwise. */
const DEADLINE_MS = 60_000;

interface MailInput {
  to: string | readonly string[];
  subject: string;
  text: string;
}

/** Makes it. */
export function createMail(sendMail: SendMail): Action {
  return {
    name: 'mail',
    brief: true,
    run: async ({ input, idempotencyKey, timeoutMs, trace }) => {
      const { to, subject, text } = input as unknown as MailInput;
      const readers = typeof to === 'string' ? [to] : [...to];
      const mail = { to: readers, subject: subject.replace(/\s+/g, ' '), text, id: idempotencyKey };
      const outcome = await sendMail({ ...mail, deadlineMs: timeoutMs ?? DEADLINE_MS, trace });
      if (outcome.kind !== 'failure') return { to: readers };
      // What is refused for good stays refused; what was taken for some of the readers they would get again.
      throw new ActionFailed(`the mail ${describeOutcome(outcome)}`, { retryable: outcome.code !== 'mail-refused' });
    },
  };
}
