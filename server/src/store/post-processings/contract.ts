// The contract of groups and post-processings: where jobs and policy sets report to.
//
// The promises of ../contract.ts hold here, too. A post-processing is a target of the delivery engine: the other half of it
// is a row of `webhooks` with mode `report`, which no verb about webhooks sees.
import type { ReportKind, ReportSetting, Reported } from '../../model/post-processing.ts';

/** Names a post-processing: the number it has as a target. */
export interface PostProcessingKey {
  workspace: number;
  target: number;
}

/** What jobs, policy sets and post-processings belong to. */
export interface Group {
  workspace: number;
  group: number;
  name: string;
  createdAt: number;
}

/** Names a group. */
export interface GroupKey {
  workspace: number;
  group: number;
}

/** A post-processing with everything about it but its Authorization value. Instants epoch ms, spans ms. */
export interface PostProcessing extends PostProcessingKey, ReportSetting {
  token: string;
  /** The number of its group; null is for all groups, which only an e-mail may be (R7). */
  group: number | null;
  /** Empty for `email`. */
  url: string;
  hasAuthorization: boolean;
  /** One deadline over connect, headers and body, or null for the installation's. */
  timeoutMs: number | null;
  createdAt: number;
  updatedAt: number;
  /** Grows with every change. */
  revision: number;
}

/** What may be said of a post-processing. */
export interface PostProcessingSetting extends ReportSetting {
  group: number | null;
  url: string;
  /** Verbatim (R14), or null for none (R15). */
  authorization: string | null;
  timeoutMs: number | null;
}

/** What a report of a run's end came to; see {@link Reported}. */
export interface StoredReport extends Reported {
  event: number;
  target: number;
  kind: ReportKind | null;
}

/** Groups and post-processings. */
export interface PostProcessings {
  /** By name. */
  groups(workspace: number): Promise<Group[]>;
  /** Refuses `name-taken`. */
  createGroup(workspace: number, name: string, now: number): Promise<Group>;
  /** Refuses `name-taken`, and `in-use` while flows name it: their documents would be wrong. */
  renameGroup(key: GroupKey, name: string): Promise<Group>;
  /** Refuses `in-use` while something belongs to it, and names that. */
  deleteGroup(key: GroupKey): Promise<void>;

  /** Refuses `name-taken`, and `not-found` when there is no such group. */
  create(workspace: number, setting: PostProcessingSetting, now: number): Promise<PostProcessing>;
  /** By name. */
  list(workspace: number): Promise<PostProcessing[]>;
  one(key: PostProcessingKey): Promise<PostProcessing | null>;
  /** Changes what is named; refuses `changed-meanwhile` when it has another revision by now. */
  change(change: PostProcessingChange): Promise<PostProcessing>;
  /** Refuses `in-use` while jobs or policy sets report to it, and names them. What is open for it becomes dead. */
  delete(key: PostProcessingKey, now: number): Promise<void>;

  /** What became of the reports these events made, by event and then by post-processing (R24, R28). */
  reportsOf(workspace: number, events: readonly number[]): Promise<StoredReport[]>;
}

/** A change of a post-processing. */
export interface PostProcessingChange extends PostProcessingKey {
  revision: number;
  patch: Partial<PostProcessingSetting>;
  now: number;
}
