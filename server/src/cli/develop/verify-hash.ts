// `bellwire verify-hash`: the answer to a challenge (R70), for whoever writes a handler and wants to compare.
import { verificationOf } from '@bellwire/receiver';
import { usage } from '../failure.ts';
import { hiddenSecret } from '../secret.ts';
import type { Declare, Session } from '../session.ts';

export const verifyHash: Declare = (command, run) => {
  command
    .argument('<secret-or-challenge>', 'The secret; or the challenge, when the secret comes from stdin')
    .argument('[challenge]', 'The challengeRequest, exactly as it was sent')
    .addHelpText(
      'after',
      [
        '',
        'It prints the lower-case hex HMAC-SHA256 of the challenge under the secret: what',
        'a handler answers as {"verification":"…"}. With --json it prints that very body.',
        'Out of the shell’s history: bellwire verify-hash CHALLENGE < secret.txt (one line',
        'break at its end does not count), or without redirection, then it asks.',
      ].join('\n'),
    )
    .action(run(compute));
};

async function compute(session: Session, _options: object, [first, second]: [string, string?]): Promise<void> {
  const challenge = second ?? first;
  const secret = second === undefined ? await hiddenSecret(session) : first;
  if (secret === '') throw usage('the secret is empty');
  const verification = await verificationOf(secret, challenge);
  session.show({ verification }, () => [verification]);
}
