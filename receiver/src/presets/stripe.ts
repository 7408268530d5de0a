// Stripe: a list `t=…,v1=…` in one header, where any v1 may be right while an endpoint's secret is rolled.
import { bytesOfHex, utf8 } from '../encoding.ts';
import { refuse, singleHeader, timestampFault } from './claim.ts';
import type { Key, Rule } from './claim.ts';

const header = 'Stripe-Signature';

/** The rule: hex HMAC-SHA256 of `t.body`. The secret is taken as text, its `whsec_` included; other versions are skipped. */
export const stripeRule: Rule = {
  keyOf: (secret) => ({ algorithm: 'sha256', bytes: utf8(secret) }),
  read({ headers, body }, clock) {
    const sent = singleHeader(headers, header, 'unsigned');
    if (!sent.ok) return sent;
    const times: string[] = [];
    const signatures: Key[] = [];
    for (const entry of sent.value.split(',')) {
      const [, name, value = ''] = /^([^=]*)=(.*)$/.exec(entry) ?? [];
      if (name === 't') times.push(value);
      const bytes = name === 'v1' && value.length === 64 ? bytesOfHex(value) : undefined;
      if (bytes) signatures.push({ algorithm: 'sha256', bytes });
    }
    const [time] = times;
    if (time === undefined) return refuse('missing-header', `${header} has no t=`);
    if (times.length > 1) return refuse('repeated-header', `${header} has t= more than once`);
    const fault = timestampFault(`t= of ${header}`, time, clock);
    if (fault) return fault;
    if (signatures.length === 0) return refuse('no-match', `${header} has no v1= of 64 hex digits`);
    return { header, head: `${time}.`, body, signatures };
  },
};
