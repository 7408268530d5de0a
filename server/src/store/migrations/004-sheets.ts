// Migration 4: sheets and the rows of the built-in ones.
import type { Dialect } from '../sql.ts';

/**
 * The statements of this migration in the engine's dialect. A sheet without a name is deleted: its rows are being taken
 * away. `last_number` is that of the last row it ever got; `row_count` is how many there are. The run of a row is the one
 * that appended it; runs that changed it later stand in `sheet_changes`, so that an erasure finds it by each.
 */
export function sheets({ clustered, updated }: Dialect): string {
  return `
CREATE TABLE sheets (
  workspace BIGINT NOT NULL,
  sheet BIGINT NOT NULL,
  name TEXT,
  description TEXT NOT NULL,
  titles TEXT NOT NULL,
  key_column TEXT,
  place TEXT NOT NULL,
  last_number BIGINT NOT NULL,
  row_count BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (workspace, sheet),
  UNIQUE (workspace, name)
)${updated};

CREATE TABLE sheet_rows (
  workspace BIGINT NOT NULL,
  sheet BIGINT NOT NULL,
  number BIGINT NOT NULL,
  key TEXT NOT NULL,
  cells TEXT NOT NULL,
  run BIGINT,
  at BIGINT NOT NULL,
  PRIMARY KEY (workspace, sheet, number)
)${clustered};
CREATE UNIQUE INDEX sheet_rows_key ON sheet_rows (workspace, sheet, key);
CREATE INDEX sheet_rows_run ON sheet_rows (workspace, run) WHERE run IS NOT NULL;

CREATE TABLE sheet_changes (
  workspace BIGINT NOT NULL,
  run BIGINT NOT NULL,
  sheet BIGINT NOT NULL,
  number BIGINT NOT NULL,
  PRIMARY KEY (workspace, run, sheet, number)
)${clustered};
`;
}
