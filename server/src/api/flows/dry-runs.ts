// What a scenario would do with a request, by any of its versions: walked through without reaching out, and nothing is kept.
import { Type, type Static } from 'typebox';
import type { Json, Scenario } from '../../model/flow/definition.ts';
import { standIns } from '../../model/flow/document/dry-run.ts';
import { receiveDry, type DryReceipt, type DryRequest } from '../../model/flow/document/scenario-run.ts';
import type { Masker } from '../../model/flow/mask.ts';
import { secretNamesOf } from '../../model/flow/secret-names.ts';
import type { HookReply } from '../../model/hook/exchange.ts';
import type { Workspace } from '../../store/contract.ts';
import type { Tools } from '../kernel.ts';
import { orNull } from '../wire.ts';
import { maskerOf, shownHeaders } from './shown-secrets.ts';

/** What a hook answers. */
export const ReplyOut = Type.Object({
  status: Type.Integer(),
  headers: Type.Array(Type.Object({ name: Type.String(), value: Type.String() })),
  body: Type.String({ description: 'As text; bytes that are none are in base64.' }),
});
export type ReplyOut = Static<typeof ReplyOut>;

/** A step on the way. */
const DryStepOut = Type.Object({
  place: Type.String(),
  name: orNull(Type.String()),
  action: Type.String(),
  state: Type.Enum(['completed', 'failed', 'skipped']),
  input: Type.Unknown(),
  output: Type.Unknown({ description: 'Of a route: its branches, each with why it was taken or not.' }),
  error: orNull(Type.String()),
});

/** What would have happened. */
export const DryRunOut = Type.Object(
  {
    status: Type.Enum(['completed', 'failed', 'refused'], { description: '`refused`: the hook would start no run.' }),
    reason: orNull(Type.String()),
    shape: orNull(Type.String({ description: 'The structure that the body fits.' })),
    route: Type.Array(Type.String(), { description: 'The branches that were taken.' }),
    steps: Type.Array(DryStepOut),
    rows: Type.Record(Type.String(), Type.Array(Type.Unknown()), { description: 'What sheets would be given.' }),
    reply: ReplyOut,
  },
  {
    examples: [
      {
        status: 'completed',
        reason: null,
        shape: 'audit-log',
        route: ['event'],
        steps: [],
        rows: { AuditLog: [{ A: '2026-11-22T09:30:00Z' }] },
        reply: { status: 200, headers: [], body: '' },
      },
    ],
  },
);
export type DryRunOut = Static<typeof DryRunOut>;

/** Walks a request through a scenario. Secrets that are not set have a stand-in; nobody's signature is looked at. */
export async function runDry(
  scenario: Scenario,
  request: Omit<DryRequest, 'secrets' | 'fails'>,
  { workspace, tools }: { workspace: Workspace; tools: Pick<Tools, 'store'> },
): Promise<DryRunOut> {
  const secrets = await tools.store.flows.secrets(workspace.workspace, secretNamesOf(scenario));
  const found = receiveDry(scenario, { ...request, secrets: { ...standIns(scenario), ...secrets }, fails: {} });
  return showDry(found, await maskerOf(workspace.workspace, tools));
}

function showDry({ shape, reason, walk, reply }: DryReceipt, masker: Masker): DryRunOut {
  const { status = 'refused' } = walk ?? {};
  const why = walk?.reason ?? reason;
  return {
    status,
    reason: why === null ? null : masker.text(why),
    shape,
    route: walk?.route ?? [],
    steps: masker.json((walk?.steps ?? []) as unknown as Json) as unknown as DryRunOut['steps'],
    rows: masker.json(Object.fromEntries(walk?.rows ?? [])) as DryRunOut['rows'],
    reply: showReply(reply, masker),
  };
}

/** Shows a reply. */
export function showReply({ status, headers, body }: HookReply, masker: Masker): ReplyOut {
  const text = typeof body === 'string' ? body : readable(body);
  return { status, headers: shownHeaders(headers, masker), body: masker.text(text) };
}

function readable(body: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body);
  } catch {
    return Buffer.from(body).toString('base64');
  }
}
