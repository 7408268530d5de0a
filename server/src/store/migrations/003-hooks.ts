// Migration 3: requests to the hooks of scenarios, and the tokens that hooks had once.
import type { Dialect } from '../sql.ts';

/**
 * The statements of this migration in the engine's dialect. A request that started a run (`taken`) lives as long as the run
 * does, which has its number; of all others a flow keeps the latest.
 */
export function hooks({ bytes, unsampled }: Dialect): string {
  return `
CREATE TABLE hook_requests (
  workspace BIGINT NOT NULL,
  request BIGINT NOT NULL,
  flow BIGINT NOT NULL,
  run BIGINT,
  state TEXT NOT NULL,
  reason TEXT,
  status BIGINT,
  dedupe TEXT,
  received_at BIGINT NOT NULL,
  sender TEXT,
  method TEXT NOT NULL,
  query TEXT NOT NULL,
  headers TEXT NOT NULL,
  body ${bytes} NOT NULL,
  PRIMARY KEY (workspace, request)
);
CREATE INDEX hook_requests_flow ON hook_requests (workspace, flow, request);
CREATE INDEX hook_requests_kept ON hook_requests (workspace, flow, request) WHERE state <> 'taken';
${unsampled('hook_requests', ['reason', 'dedupe', 'sender', 'query', 'headers', 'body'])}

CREATE TABLE hook_tombstones (
  workspace BIGINT NOT NULL,
  token TEXT NOT NULL,
  flow BIGINT NOT NULL,
  PRIMARY KEY (workspace, token)
);
CREATE INDEX hook_tombstones_token ON hook_tombstones (token);
`;
}
