// Sheets on their way in with a push: those that documents describe, and those that steps append to without any description.
import { Type, type Static } from 'typebox';
import type { Step } from '../../model/flow/definition.ts';
import { secretsOfSheet, type FlowDocument, type SheetDocument } from '../../model/flow/document/index.ts';
import { everyStep } from '../../model/flow/step-tree.ts';
import type { Sheet } from '../../model/sheet.ts';
import type { StoredSheet } from '../../store/sheets/contract.ts';
import type { Call, Tools } from '../kernel.ts';

/** What became of one sheet. */
export const PushedSheetOut = Type.Object({
  name: Type.String(),
  place: Type.String({ description: 'Where it is kept: built-in, csv, xlsx, sql or google.' }),
  change: Type.Enum(['created', 'changed', 'same']),
});
export type PushedSheetOut = Static<typeof PushedSheetOut>;

/** What is to be kept, how it is shown, and what is worth saying about it. */
export interface SheetPlan {
  plans: readonly Sheet[];
  pushed: PushedSheetOut[];
  notes: string[];
}

type Context = Pick<Call, 'workspace' | 'now'> & { tools: Pick<Tools, 'store'> };

/** Decides which sheets a push makes or changes. A sheet that only a step names becomes a built-in one. */
export async function planSheets(
  { sheets, documents }: { sheets: readonly SheetDocument[]; documents: readonly FlowDocument[] },
  { workspace, tools }: Context,
): Promise<SheetPlan> {
  const named = documents.flatMap(({ flow }) => (flow.kind === 'policy-set' ? [] : appendedTo(flow.steps)));
  if (sheets.length === 0 && named.length === 0) return { plans: [], pushed: [], notes: [] };
  const formers = new Map((await tools.store.sheets.list(workspace.workspace)).map((sheet) => [sheet.name, sheet]));
  const described = sheets.map(({ sheet }) => sheet);
  const known = new Set([...formers.keys(), ...described.map(({ name }) => name)]);
  const made = [...new Set(named)].filter((name) => !known.has(name)).map(plainSheet);
  const plans = [...described, ...made];
  const secrets = new Set((await tools.store.flows.secretNames(workspace.workspace)).map(({ name }) => name));
  const missing = described.flatMap((sheet) => {
    const names = secretsOfSheet(sheet).filter((name) => !secrets.has(name));
    return names.map((name) => `The sheet ${sheet.name} uses the secret ${name}, which is not set yet.`);
  });
  return {
    plans,
    pushed: plans.map((sheet) => shownSheet(sheet, changeOf(sheet, formers.get(sheet.name)))),
    notes: [...missing, ...made.map(({ name }) => `There was no sheet ${name} yet: it is made as a built-in one.`)],
  };
}

/** Keeps them, in their order. */
export async function keepSheets(
  plans: readonly Sheet[],
  { workspace, now, tools }: Context,
): Promise<PushedSheetOut[]> {
  const pushed: PushedSheetOut[] = [];
  for (const sheet of plans) {
    const { change } = await tools.store.sheets.put(workspace.workspace, sheet, now);
    pushed.push(shownSheet(sheet, change));
  }
  return pushed;
}

function plainSheet(name: string): Sheet {
  return { name, description: '', columns: [], keyColumn: null, place: { kind: 'built-in' } };
}

function shownSheet({ name, place }: Sheet, change: PushedSheetOut['change']): PushedSheetOut {
  return { name, place: place.kind, change };
}

function changeOf(sheet: Sheet, former: StoredSheet | undefined): PushedSheetOut['change'] {
  if (former === undefined) return 'created';
  const meaning = ({ description, columns, keyColumn, place }: Sheet): string =>
    JSON.stringify([description, columns, keyColumn, Object.entries(place).sort(([a], [b]) => (a < b ? -1 : 1))]);
  return meaning(sheet) === meaning(former) ? 'same' : 'changed';
}

/** The sheets that steps append to, where their names stand there and are not made by a template. */
function appendedTo(steps: readonly Step[]): string[] {
  return [...everyStep(steps)].flatMap((step) => {
    if (step.kind !== 'action' || step.action !== 'sheet.append') return [];
    const { to } = step.input as { to?: unknown };
    return typeof to === 'string' && !to.includes('${') ? [to] : [];
  });
}
