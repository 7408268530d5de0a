// Keeps secrets out of what is shown of requests and runs: the values of those that their flow names, and the headers by
// which callers prove who they are.
import type { Flow } from '../../model/flow/definition.ts';
import { createMasker, type Masker } from '../../model/flow/mask.ts';
import { secretNamesOf } from '../../model/flow/secret-names.ts';
import { MASK } from '../../model/headers.ts';
import type { Tools } from '../kernel.ts';

/** The secrets of some versions of a flow, with what takes them out of texts and values. */
export async function secretsOf(
  flows: readonly Flow[],
  workspace: number,
  { store }: Pick<Tools, 'store'>,
): Promise<{ secrets: Record<string, string>; masker: Masker }> {
  const names = [...new Set(flows.flatMap(secretNamesOf))];
  const secrets = names.length === 0 ? {} : await store.flows.secrets(workspace, names);
  // What was a secret when a request came is still none to be told: elsewhere it may be in use.
  const former = names.length === 0 ? [] : await store.flows.formerSecrets(workspace, names);
  return { secrets, masker: createMasker([...Object.values(secrets), ...former]) };
}

/** Header lines (name, value, name, value …) as they are shown. */
export function shownHeaders(lines: readonly string[], masker: Masker): { name: string; value: string }[] {
  return lines.flatMap((name, at) => {
    if (at % 2 === 1) return [];
    const value = lines[at + 1] as string;
    return [{ name, value: AUTHORIZING.test(name) ? MASK : masker.text(value) }];
  });
}

const AUTHORIZING = /^(?:(?:proxy-)?authorization|(?:set-)?cookie|(?:.*-)?(?:token|key|secret|password))$/i;
