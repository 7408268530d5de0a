// How actions reach the rest of the platform and the world: functions handed in, beside fetch.ts.
import type { Outcome } from '../model/outcome.ts';

/** An event that was accepted, now or before. */
export interface Published {
  /** Its public id: `evt_…`. */
  event: string;
  /** It was accepted before, under the same source and id. */
  duplicate: boolean;
}

/**
 * Publishes one event of a workspace: structured-mode JSON, checked against the catalog as what comes over HTTP is.
 * Throws {@link PublishRefused}. The trace context is that of the step, or null.
 */
export type Publish = (workspace: number, envelope: Uint8Array, trace?: string | null) => Promise<Published>;

/** The event was not accepted; the message says why, in words. */
export class PublishRefused extends Error {
  override name = 'PublishRefused';
  /** It may be accepted later. */
  readonly isPassing: boolean;
  constructor(reason: string, isPassing: boolean) {
    super(reason);
    this.isPassing = isPassing;
  }
}

/** A mail to be sent. */
export interface Mail {
  to: readonly string[];
  subject: string;
  text: string;
  /** The same over all sends of one mail. */
  id: string;
  /** ms. */
  deadlineMs: number;
  /** The trace context it is sent for, or null. */
  trace: string | null;
}

/** Sends a mail by the installation's mail server. Never rejects. */
export type SendMail = (mail: Mail) => Promise<Outcome>;
