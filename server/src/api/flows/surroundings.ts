// What documents name outside of themselves: groups, post-processings, event types, secrets.
import { isPattern } from '../../model/catalog.ts';
import type { FlowDocument } from '../../model/flow/document/index.ts';
import { secretNamesOf } from '../../model/flow/secret-names.ts';
import { didYouMean } from '../../model/near-names.ts';
import { problem, Refused, type ProblemFault } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import { catalogOf } from '../event-types.ts';
import type { Tools } from '../kernel.ts';

/** Refuses `invalid-document` where a group, a post-processing or an exact event type is not there. */
export async function checkSurroundings(
  documents: readonly FlowDocument[],
  workspace: Workspace,
  tools: Pick<Tools, 'store'>,
): Promise<void> {
  const { postProcessings } = tools.store;
  const groups = (await postProcessings.groups(workspace.workspace)).map(({ name }) => name);
  const targets = (await postProcessings.list(workspace.workspace)).map(({ name }) => name);
  const types = [...(await catalogOf(workspace, tools)).types.keys()];
  const faults: ProblemFault[] = [];
  for (const { flow, file, line } of documents) {
    const need = (what: string, name: string, known: readonly string[]): void => {
      if (known.includes(name)) return;
      const near = didYouMean(name, known) || (known.length === 0 ? ': there is none yet.' : '.');
      const detail = `${flow.name} names the ${what} "${name}", and there is none of this name here${near}`;
      faults.push({ pointer: `${file}:${line}:1`, code: 'invalid-document', detail });
    };
    if (flow.group !== null) need('group', flow.group, groups);
    for (const name of new Set([...flow.after.completed, ...flow.after.failed])) need('post-processing', name, targets);
    for (const { type } of flow.on.events) if (!isPattern(type)) need('event type', type, types);
  }
  if (faults.length > 0) throw badDocuments(faults);
}

/** The refusal of documents: it speaks with the first fault and its place, and says how many more there are. */
export function badDocuments(faults: ProblemFault[]): Refused {
  const { pointer, detail } = faults[0] as ProblemFault;
  const others = faults.length - 1;
  const more = others === 0 ? '' : ` (and ${others} more ${others === 1 ? 'fault' : 'faults'})`;
  return new Refused(problem('invalid-document', `${pointer}: ${detail}${more}`, faults));
}

/** A sentence for each secret that documents name and that is not there. */
export async function missingSecrets(
  documents: readonly FlowDocument[],
  workspace: Workspace,
  { store }: Pick<Tools, 'store'>,
): Promise<string[]> {
  const there = new Set((await store.flows.secretNames(workspace.workspace)).map(({ name }) => name));
  return documents.flatMap(({ flow }) => {
    const missing = secretNamesOf(flow).filter((name) => !there.has(name));
    return missing.map((name) => `${flow.name} uses the secret ${name}, which is not set yet.`);
  });
}
