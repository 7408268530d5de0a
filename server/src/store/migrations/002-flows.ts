// Migration 2: groups and post-processings; jobs, policy sets and their runs.
import type { Dialect } from '../sql.ts';

/** The statements of this migration in the engine's dialect. */
export function flows(dialect: Dialect): string {
  return [postProcessings(dialect), definitions(dialect), runs(dialect), findings(dialect)].join('\n');
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

// What a flow was at each version lives beside it: a run is worked at by the version it was started with.
function definitions({ updated }: Dialect): string {
  return `
CREATE TABLE flows (
  workspace BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  bucket BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  group_number BIGINT,
  enabled BIGINT NOT NULL,
  version BIGINT NOT NULL,
  most_runs BIGINT NOT NULL,
  beyond TEXT NOT NULL,
  trigger_path TEXT,
  trigger_hash TEXT,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, flow),
  UNIQUE (workspace, kind, name)
);
CREATE INDEX flows_trigger ON flows (trigger_path) WHERE trigger_path IS NOT NULL;

CREATE TABLE flow_versions (
  workspace BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  version BIGINT NOT NULL,
  definition TEXT NOT NULL,
  source TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, flow, version)
);

CREATE TABLE flow_drafts (
  workspace BIGINT NOT NULL,
  name TEXT NOT NULL,
  base BIGINT NOT NULL,
  definition TEXT NOT NULL,
  source TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
);

CREATE TABLE flow_secrets (
  workspace BIGINT NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, name)
);

CREATE TABLE former_secrets (
  workspace BIGINT NOT NULL,
  name TEXT NOT NULL,
  ended_at BIGINT NOT NULL,
  value TEXT NOT NULL
);
CREATE INDEX former_secrets_by_name ON former_secrets (workspace, name, ended_at);

CREATE TABLE schedules (
  workspace BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  schedule BIGINT NOT NULL,
  bucket BIGINT NOT NULL,
  next_at BIGINT,
  PRIMARY KEY (workspace, flow, schedule)
)${updated};
CREATE INDEX schedules_due ON schedules (next_at) WHERE next_at IS NOT NULL;
`;
}

// A run that has a slot may begin, or has begun: it is one of as many as its flow allows at once. The run that a request to
// a hook starts has the request's number; only that of a run that works at a request once more is another one.
function runs({ clustered, updated }: Dialect): string {
  return `
CREATE TABLE runs (
  workspace BIGINT NOT NULL,
  run BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  bucket BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  version BIGINT NOT NULL,
  state TEXT NOT NULL,
  slot BIGINT NOT NULL,
  reason TEXT,
  cause TEXT NOT NULL,
  cause_event BIGINT,
  params TEXT NOT NULL,
  event TEXT,
  dedupe TEXT,
  depth BIGINT NOT NULL,
  request BIGINT,
  continues BIGINT,
  begin_at BIGINT,
  trace TEXT,
  reply TEXT,
  abort_asked TEXT,
  lines BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  started_at BIGINT,
  finished_at BIGINT,
  end_events TEXT NOT NULL,
  PRIMARY KEY (workspace, run)
)${updated};
CREATE INDEX runs_of_flow ON runs (workspace, flow, run);
CREATE UNIQUE INDEX runs_dedupe ON runs (workspace, flow, dedupe) WHERE dedupe IS NOT NULL;
CREATE INDEX runs_open ON runs (workspace, flow, run) WHERE finished_at IS NULL;
CREATE INDEX runs_slots ON runs (workspace, flow) WHERE slot = 1;
CREATE INDEX runs_ready ON runs (created_at, workspace, run) WHERE state = 'queued' AND slot = 1;
CREATE INDEX runs_running ON runs (workspace, run) WHERE state = 'running';
CREATE INDEX runs_waiting ON runs (workspace, flow, run, begin_at) WHERE state = 'queued' AND slot = 0;
CREATE INDEX runs_begin ON runs (begin_at) WHERE begin_at IS NOT NULL AND state = 'queued' AND slot = 0;
CREATE INDEX runs_again ON runs (workspace, request) WHERE request <> run;
CREATE UNIQUE INDEX runs_continues ON runs (workspace, continues) WHERE continues IS NOT NULL;
CREATE INDEX runs_event ON runs (workspace, cause_event) WHERE cause_event IS NOT NULL;

CREATE TABLE run_steps (
  workspace BIGINT NOT NULL,
  run BIGINT NOT NULL,
  place TEXT NOT NULL,
  name TEXT,
  action TEXT NOT NULL,
  state TEXT NOT NULL,
  tries BIGINT NOT NULL,
  input TEXT,
  output TEXT,
  error TEXT,
  process TEXT,
  started_at BIGINT NOT NULL,
  finished_at BIGINT,
  PRIMARY KEY (workspace, run, place)
)${updated};

CREATE TABLE run_log (
  workspace BIGINT NOT NULL,
  run BIGINT NOT NULL,
  line BIGINT NOT NULL,
  at BIGINT NOT NULL,
  place TEXT NOT NULL,
  stream TEXT NOT NULL,
  text TEXT NOT NULL,
  PRIMARY KEY (workspace, run, line)
)${clustered};
`;
}

// What an evaluation found is kept a thousand resources to a row, packed: 200,000 rows of their own would stop everybody
// else for a second. What is known of a rule is what its last evaluation found.
function findings({ bytes, clustered, updated }: Dialect): string {
  return `
CREATE TABLE policy_rules (
  workspace BIGINT NOT NULL,
  run BIGINT NOT NULL,
  rule TEXT NOT NULL,
  position BIGINT NOT NULL,
  status TEXT NOT NULL,
  reason TEXT,
  counts TEXT NOT NULL,
  changes BIGINT NOT NULL,
  PRIMARY KEY (workspace, run, rule)
);

CREATE TABLE policy_results (
  workspace BIGINT NOT NULL,
  run BIGINT NOT NULL,
  chunk BIGINT NOT NULL,
  rule TEXT NOT NULL,
  compliance TEXT NOT NULL,
  at BIGINT NOT NULL,
  resources ${bytes} NOT NULL,
  PRIMARY KEY (workspace, run, chunk)
);

CREATE TABLE policy_known (
  workspace BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  rule TEXT NOT NULL,
  run BIGINT NOT NULL,
  first_run BIGINT NOT NULL,
  first_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, flow, rule)
)${updated};
CREATE INDEX policy_known_run ON policy_known (workspace, run);

CREATE TABLE policy_history (
  workspace BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  rule TEXT NOT NULL,
  resource TEXT NOT NULL,
  run BIGINT NOT NULL,
  at BIGINT NOT NULL,
  name TEXT NOT NULL,
  compliance TEXT NOT NULL,
  detail TEXT,
  was TEXT,
  PRIMARY KEY (workspace, flow, rule, resource, run)
)${clustered};
CREATE INDEX policy_history_age ON policy_history (workspace, at);
`;
}
