// Migration 2: groups and post-processings; jobs, policy sets and their runs.
import type { Dialect } from '../sql.ts';

/** The statements of this migration in the engine's dialect. */
export function flows(dialect: Dialect): string {
  return [postProcessings(dialect)].join('\n');
}

// A post-processing is a target: the other half of it is a row of `webhooks` with mode `report` and the same number.
function postProcessings(_dialect: Dialect): string {
  return `
CREATE TABLE groups (
  workspace BIGINT NOT NULL,
  number BIGINT NOT NULL,
  name TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, number),
  UNIQUE (workspace, name)
);

CREATE TABLE post_processings (
  workspace BIGINT NOT NULL,
  target BIGINT NOT NULL,
  name TEXT NOT NULL,
  group_number BIGINT,
  kind TEXT NOT NULL,
  recipients TEXT NOT NULL,
  success TEXT NOT NULL,
  interval_ms BIGINT,
  dialect TEXT NOT NULL,
  has_authorization BIGINT NOT NULL,
  PRIMARY KEY (workspace, target),
  UNIQUE (workspace, name)
);

CREATE TABLE flow_reports (
  workspace BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  target BIGINT NOT NULL,
  on_status TEXT NOT NULL,
  PRIMARY KEY (workspace, flow, target, on_status)
);
CREATE INDEX flow_reports_target ON flow_reports (workspace, target);
`;
}
