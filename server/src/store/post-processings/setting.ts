// What the engine has to know of a post-processing, read with the target it is.
import type { Dialect, ReportKind, ReportSetting } from '../../model/post-processing.ts';
import type { Success } from '../../model/retry.ts';
import type { Sql } from '../sql.ts';
import type { PostProcessingKey } from './contract.ts';

interface SettingRow {
  name: string;
  kind: ReportKind;
  recipients: string;
  success: Success;
  intervalMs: number | null;
  dialect: Dialect;
}

/** The setting of a post-processing; null when it is gone. */
export async function reportSettingOf(
  sql: Sql,
  { workspace, target }: PostProcessingKey,
): Promise<ReportSetting | null> {
  const [row] = await sql.read<SettingRow>(
    `SELECT name, kind, recipients, success, interval_ms AS "intervalMs", dialect FROM post_processings
     WHERE workspace = $1 AND target = $2`,
    [workspace, target],
  );
  return row ? { ...row, recipients: JSON.parse(row.recipients) as string[] } : null;
}
