// Migration 1: the log, its deliveries, lanes, catalog, webhooks, keys.
import type { Dialect } from '../sql.ts';

/** The statements of this migration in the engine's dialect. */
export function begin(dialect: Dialect): string {
  const { bytes, clustered, updated, unsampled } = dialect;
  return `
CREATE TABLE installation (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
);
INSERT INTO installation (name, value) VALUES ('catalog', '1'), ('workspaces', '0');

CREATE TABLE workspaces (
  workspace BIGINT PRIMARY KEY,
  token TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL UNIQUE,
  head BIGINT NOT NULL,
  catalog BIGINT NOT NULL,
  events_per_day BIGINT,
  bytes_per_day BIGINT,
  max_webhooks BIGINT,
  max_subscriptions BIGINT,
  max_event_types BIGINT,
  keep_events_ms BIGINT,
  keep_deliveries_ms BIGINT,
  keep_idempotency_ms BIGINT,
  keep_changes_ms BIGINT,
  keep_runs_ms BIGINT,
  day BIGINT NOT NULL,
  day_events BIGINT NOT NULL,
  day_bytes BIGINT NOT NULL,
  deleted_at BIGINT,
  created_at BIGINT NOT NULL
)${updated};

CREATE TABLE services (
  service TEXT PRIMARY KEY,
  description TEXT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE event_types (
  workspace BIGINT NOT NULL,
  type TEXT NOT NULL,
  service TEXT,
  description TEXT NOT NULL,
  schema TEXT,
  schema_hash TEXT,
  schema_check TEXT NOT NULL,
  example TEXT,
  deprecation TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, type)
);

CREATE TABLE webhooks (
  workspace BIGINT NOT NULL,
  webhook BIGINT NOT NULL,
  bucket BIGINT NOT NULL,
  name TEXT NOT NULL,
  description TEXT NOT NULL,
  mode TEXT NOT NULL,
  url TEXT NOT NULL,
  verification TEXT NOT NULL,
  signing TEXT NOT NULL,
  format TEXT NOT NULL,
  headers TEXT NOT NULL,
  retry_delays_ms TEXT,
  timeout_ms BIGINT,
  rate BIGINT,
  ordering TEXT NOT NULL,
  recovery TEXT NOT NULL,
  batch TEXT,
  allowed_rate BIGINT,
  quiet_until BIGINT,
  intent TEXT NOT NULL,
  health TEXT NOT NULL,
  streak BIGINT NOT NULL,
  last_success_at BIGINT,
  reason TEXT NOT NULL,
  public_key TEXT,
  oauth TEXT,
  tls TEXT,
  secrets TEXT NOT NULL,
  secondary_until BIGINT,
  challenge TEXT,
  proved_at BIGINT,
  backlog_since BIGINT,
  batches BIGINT NOT NULL DEFAULT 0,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  revision BIGINT NOT NULL,
  PRIMARY KEY (workspace, webhook),
  UNIQUE (workspace, name)
)${updated};

CREATE TABLE burials (
  workspace BIGINT NOT NULL,
  target BIGINT NOT NULL,
  deleted_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, target)
);

CREATE TABLE webhook_changes (
  workspace BIGINT NOT NULL,
  webhook BIGINT NOT NULL,
  change BIGINT NOT NULL,
  at BIGINT NOT NULL,
  intent TEXT NOT NULL,
  health TEXT NOT NULL,
  reason TEXT NOT NULL,
  PRIMARY KEY (workspace, webhook, change)
);

CREATE TABLE subscriptions (
  workspace BIGINT NOT NULL,
  subscription BIGINT NOT NULL,
  webhook BIGINT NOT NULL,
  type TEXT NOT NULL,
  filter TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, subscription),
  UNIQUE (workspace, webhook, type, filter)
);
CREATE INDEX subscriptions_operational ON subscriptions (workspace) WHERE substr(type, 1, 9) = 'bellwire.';

CREATE TABLE api_keys (
  key TEXT PRIMARY KEY,
  hash TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  workspaces TEXT,
  service TEXT,
  created_at BIGINT NOT NULL
);

CREATE TABLE idempotency_keys (
  workspace BIGINT NOT NULL,
  owner TEXT NOT NULL,
  key TEXT NOT NULL,
  body_hash TEXT NOT NULL,
  status BIGINT,
  answer TEXT,
  claimed_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, owner, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (workspace, claimed_at);

CREATE TABLE lanes (
  lane BIGINT PRIMARY KEY,
  node TEXT,
  epoch BIGINT NOT NULL,
  leased_until BIGINT NOT NULL
);

CREATE TABLE events (
  workspace BIGINT NOT NULL,
  event BIGINT NOT NULL,
  accepted_at BIGINT NOT NULL,
  source TEXT NOT NULL,
  id TEXT NOT NULL,
  type TEXT NOT NULL,
  note TEXT,
  trace TEXT,
  envelope ${bytes} NOT NULL,
  erased_at BIGINT,
  PRIMARY KEY (workspace, event),
  UNIQUE (workspace, source, id)
);
${unsampled('events', ['note', 'envelope'])}
CREATE INDEX events_erased ON events (workspace, event) WHERE erased_at IS NOT NULL;

CREATE TABLE erasures (
  workspace BIGINT NOT NULL,
  erasure BIGINT NOT NULL,
  subject TEXT,
  stage TEXT NOT NULL,
  up_to BIGINT NOT NULL,
  cursor BIGINT NOT NULL,
  erased BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  ended_at BIGINT,
  PRIMARY KEY (workspace, erasure)
)${updated};
${unsampled('erasures', ['subject'])}

CREATE TABLE deliveries (
  workspace BIGINT NOT NULL,
  event BIGINT NOT NULL,
  target BIGINT NOT NULL,
  copy BIGINT NOT NULL,
  state BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  attempts BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  first_try_at BIGINT,
  ended_at BIGINT,
  reason TEXT,
  batch BIGINT,
  PRIMARY KEY (workspace, event, target, copy)
)${clustered}${updated};
${unsampled('deliveries', ['reason'])}
CREATE INDEX deliveries_open ON deliveries (workspace, target, due_at, event, copy) WHERE state = 0;
CREATE INDEX deliveries_dead ON deliveries (workspace, event) WHERE state = 2;
CREATE INDEX deliveries_batch ON deliveries (workspace, target, batch) WHERE batch IS NOT NULL;

CREATE TABLE attempts (
  workspace BIGINT NOT NULL,
  event BIGINT NOT NULL,
  target BIGINT NOT NULL,
  copy BIGINT NOT NULL,
  attempt BIGINT NOT NULL,
  manual BIGINT NOT NULL,
  started_at BIGINT NOT NULL,
  duration_ms BIGINT NOT NULL,
  status BIGINT,
  error TEXT,
  request_headers TEXT NOT NULL,
  response_headers TEXT,
  response ${bytes},
  PRIMARY KEY (workspace, event, target, copy, attempt)
)${clustered};
${unsampled('attempts', ['error', 'request_headers', 'response_headers', 'response'])}

CREATE TABLE fanouts (
  workspace BIGINT NOT NULL,
  event BIGINT NOT NULL,
  targets TEXT NOT NULL,
  PRIMARY KEY (workspace, event)
);

CREATE TABLE leases (
  workspace BIGINT NOT NULL,
  event BIGINT NOT NULL,
  target BIGINT NOT NULL,
  copy BIGINT NOT NULL,
  lease TEXT NOT NULL,
  attempt BIGINT NOT NULL,
  leased_at BIGINT NOT NULL,
  leased_until BIGINT NOT NULL,
  PRIMARY KEY (workspace, event, target, copy)
)${clustered}${updated};

CREATE TABLE operations (
  workspace BIGINT NOT NULL,
  operation BIGINT NOT NULL,
  kind TEXT NOT NULL,
  webhook BIGINT,
  since BIGINT,
  until BIGINT,
  type TEXT,
  filter TEXT,
  pace BIGINT NOT NULL,
  note TEXT,
  state TEXT NOT NULL,
  reason TEXT,
  from_event BIGINT NOT NULL,
  up_to BIGINT NOT NULL,
  cursor_event BIGINT NOT NULL,
  cursor_target BIGINT NOT NULL,
  cursor_copy BIGINT NOT NULL,
  chunks BIGINT NOT NULL,
  looked BIGINT NOT NULL,
  released BIGINT NOT NULL,
  next_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  ended_at BIGINT,
  PRIMARY KEY (workspace, operation)
)${updated};
`;
}
