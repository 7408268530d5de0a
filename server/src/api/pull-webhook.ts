// A pull webhook: no URL, nothing to prove, nothing to sign; what the subscriber fetches is all there is.
import { ANY_ORDER } from '../model/order.ts';
import { problemOf, Refused, type ProblemFault } from '../model/problem.ts';
import type { NewWebhook } from '../store/contract.ts';

/** What may be said about a webhook of either mode. */
interface Wish {
  name: string;
  description?: string;
  policy?: { retryDelaysMs?: number[] | null };
}

/** Fields that mean something where nothing is sent. */
const MEANT = new Set(['mode', 'name', 'description', 'policy']);

/** Refuses what says how to reach an endpoint: there is none. */
export function checkPull(body: object): void {
  const policy = Object.keys((body as Wish).policy ?? {}).filter((name) => name !== 'retryDelaysMs');
  const names = [...Object.keys(body).filter((name) => !MEANT.has(name)), ...policy.map((name) => `policy/${name}`)];
  const faults = names.map((name): ProblemFault => {
    const detail = `Nothing is sent to a webhook of mode "pull": ${name} means nothing to it.`;
    return { pointer: `/${name}`, code: 'invalid-value', detail };
  });
  if (faults.length > 0) throw new Refused(problemOf(faults, 'invalid-request'));
}

/** What a pull webhook is made of. It is active at once. */
export function newPullWebhook({ name, description, policy }: Wish, workspace: number, now: number): NewWebhook {
  return {
    workspace,
    name,
    description: description ?? '',
    mode: 'pull',
    url: '',
    verification: 'none',
    signing: [],
    format: 'structured',
    headers: {},
    retryDelaysMs: policy?.retryDelaysMs ?? null,
    timeoutMs: null,
    rate: null,
    order: ANY_ORDER,
    recovery: 'in-order',
    publicKey: null,
    oauth: null,
    tls: null,
    secrets: {
      secret: '',
      secondarySecret: null,
      proved: 'secret',
      standardKeys: [],
      signingKey: null,
      authorization: null,
      clientSecret: null,
      privateKey: null,
    },
    health: 'active',
    reason: 'registered; its deliveries are fetched',
    now,
  };
}
