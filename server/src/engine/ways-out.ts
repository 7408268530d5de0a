// The ways out of the engine: a request goes by HTTP, or to whoever listens for its webhook; a mail by SMTP; what is for a
// flow stays in the house. Each comes back as an Outcome.
import type { PendingDelivery } from '../model/delivery.ts';
import type { Outcome } from '../model/outcome.ts';
import type { Mailer, OutgoingMail } from './mail/index.ts';
import type { AuthorizedRequest, Sender } from './oauth/index.ts';
import type { Relay, Relayed } from './relay.ts';

/** What one try sends; and its headers as they are kept: a JSON object, secrets masked. */
export type Composed = { shownHeaders: string } & (
  | { request: AuthorizedRequest }
  | { relayed: Relayed }
  | { mail: OutgoingMail }
  | { delivery: PendingDelivery }
);

/** Starts a flow by a delivery. Never rejects. */
export type StartFlow = (delivery: PendingDelivery) => Promise<Outcome>;

/** Sends whatever was composed. */
export interface WaysOut {
  /** Never throws, never rejects. `eager`: a person wants to know how things are now. */
  send(composed: Composed, how?: { eager?: boolean }): Promise<Outcome>;
}

/** Puts the ways together. */
export function joinWays(
  sender: Sender,
  relay: Pick<Relay, 'send'>,
  { mailer, startFlow }: { mailer: Pick<Mailer, 'send'>; startFlow: StartFlow },
): WaysOut {
  return {
    send: (composed, { eager = false } = {}) => {
      if ('relayed' in composed) return relay.send(composed.relayed);
      if ('mail' in composed) return mailer.send(composed.mail);
      if ('delivery' in composed) return startFlow(composed.delivery);
      return sender.send(eager ? { ...composed.request, eager } : composed.request);
    },
  };
}
