// Migration 5: who listens for a webhook, and the requests on their way to them and back.
import type { Dialect } from '../sql.ts';

/**
 * The statements of this migration in the engine's dialect. A webhook has one listener at a time; a relay lives for as long
 * as one request. Method and headers of a request are sealed (`head`).
 */
export function listening({ bytes, clustered, updated }: Dialect): string {
  return `
CREATE TABLE listeners (
  workspace BIGINT NOT NULL,
  webhook BIGINT NOT NULL,
  listener TEXT NOT NULL,
  until BIGINT NOT NULL,
  polls BIGINT NOT NULL,
  takes_over BIGINT NOT NULL,
  PRIMARY KEY (workspace, webhook)
)${clustered}${updated};

CREATE TABLE relays (
  workspace BIGINT NOT NULL,
  webhook BIGINT NOT NULL,
  relay TEXT NOT NULL,
  asked_at BIGINT NOT NULL,
  until BIGINT NOT NULL,
  head TEXT NOT NULL,
  body ${bytes},
  listener TEXT,
  answer TEXT,
  PRIMARY KEY (workspace, webhook, relay)
);
`;
}
