// What a post-processing may be: the rules between its fields (R6, R7, R9–R17).
import type { ReportKind } from '../model/post-processing.ts';
import { problemOf, Refused, type ProblemFault } from '../model/problem.ts';
import type { Workspace } from '../store/contract.ts';
import type { PostProcessing, PostProcessingSetting } from '../store/post-processings/contract.ts';
import { groupNamed } from './groups.ts';
import type { Tools } from './kernel.ts';
import { checkHeaders, judgeReportUrl } from './webhook-rules.ts';

/** What a wish stands against. */
export interface Before {
  /** Null for a new one. */
  before: PostProcessing | null;
  workspace: Workspace;
  tools: Tools;
}

/** What somebody wants of a post-processing; absent fields stay, or have their defaults. */
export interface Wish extends Partial<Omit<PostProcessingSetting, 'group' | 'recipients'>> {
  /** Id or name. */
  group?: string;
  universal?: boolean;
  recipients?: string[];
}

/** What a wish leads to: everything, but for an Authorization value that nobody spoke of: that one stays. */
type SettingAfter = Omit<PostProcessingSetting, 'authorization'> & { authorization?: string | null };

/**
 * What is kept after a wish. Refuses `invalid-post-processing` with all that does not go together, `unknown-group`,
 * `refused-url`, `refused-header`.
 */
export async function settingAfter(wish: Wish, { before, workspace, tools }: Before): Promise<SettingAfter> {
  const kind = wish.kind ?? before?.kind ?? 'webhook';
  refuseFaults([...groupFaults(wish, kind, before), ...kindFaults(wish, kind, before)]);
  const { name = before?.name ?? '' } = wish;
  const rest = {
    name,
    kind,
    success: wish.success ?? before?.success ?? 'exactly-200',
    intervalMs: wish.intervalMs === undefined ? (before?.intervalMs ?? null) : wish.intervalMs,
    timeoutMs: wish.timeoutMs === undefined ? (before?.timeoutMs ?? null) : wish.timeoutMs,
    dialect: wish.dialect ?? before?.dialect ?? 'cloud-automator',
    group: wish.group === undefined ? groupLeft(wish, before) : await groupNamed(wish.group, workspace, tools),
  } as const;
  if (kind === 'email') {
    return { ...rest, url: '', authorization: null, recipients: wish.recipients ?? before?.recipients ?? [] };
  }
  const url = wish.url === undefined ? (before?.url ?? '') : await judgeReportUrl(wish.url, tools);
  const webhook = { ...rest, url, recipients: [] };
  if (wish.authorization === undefined) return webhook;
  // An empty value is none entered (R15).
  const authorization = wish.authorization === '' ? null : wish.authorization;
  checkHeaders({}, authorization);
  return { ...webhook, authorization };
}

function groupLeft({ universal }: Wish, before: PostProcessing | null): number | null {
  return universal === true ? null : (before?.group ?? null);
}

function groupFaults(wish: Wish, kind: ReportKind, before: PostProcessing | null): ProblemFault[] {
  const { group, universal } = wish;
  if (group !== undefined && universal === true) {
    return [fault('/universal', 'It belongs to one group, or to all of them: name a group, or say universal.')];
  }
  const isUniversal = group === undefined && (universal ?? (before !== null && before.group === null));
  if (isUniversal && kind !== 'email') {
    return [fault(universal === true ? '/universal' : '/kind', 'Only an e-mail may be for all groups: name a group.')];
  }
  const isNowhere = group === undefined && !isUniversal && (before === null || before.group === null);
  return isNowhere ? [fault('/group', 'Name the group it belongs to; an e-mail may be universal instead.')] : [];
}

// What belongs to the other kind is refused rather than kept unseen.
function kindFaults(wish: Wish, kind: ReportKind, before: PostProcessing | null): ProblemFault[] {
  const faults: ProblemFault[] = [];
  const isNew = before === null || before.kind !== kind;
  if (kind === 'email') {
    for (const field of ['url', 'authorization'] as const) {
      if (wish[field] !== undefined && wish[field] !== null) {
        faults.push(fault(`/${field}`, `An e-mail has no ${field}: it has recipients.`));
      }
    }
    if (isNew && wish.recipients === undefined) faults.push(fault('/recipients', 'An e-mail needs recipients.'));
    return faults;
  }
  if (wish.recipients !== undefined) faults.push(fault('/recipients', 'A webhook has no recipients: it has a url.'));
  if (isNew && wish.url === undefined) faults.push(fault('/url', 'A webhook needs a url.'));
  return faults;
}

function fault(pointer: string, detail: string): ProblemFault {
  return { pointer, code: 'invalid-post-processing', detail };
}

function refuseFaults(faults: ProblemFault[]): void {
  if (faults.length > 0) throw new Refused(problemOf(faults));
}
