// Keeps secrets out of what is shown of requests and runs: their values, and the headers by which callers prove who they are.
import { createMasker, type Masker } from '../../model/flow/mask.ts';
import { MASK } from '../../model/headers.ts';
import type { Tools } from '../kernel.ts';

/** What takes secrets out of texts and values: those of all flows, for an old request may say what its flow has forgotten. */
export async function maskerOf(workspace: number, { store }: Pick<Tools, 'store'>): Promise<Masker> {
  return createMasker(await store.flows.everySecret(workspace));
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
