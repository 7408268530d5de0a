// A blueprint of Make (JSON export) as a document of ours, with a list of what could not be carried over. Pure.
//
// The document is a working scenario wherever its modules have counterparts (docs/make.md). What has none is a step that
// does nothing, with a comment that says so, and stands in the list. No credential of the blueprint gets into the text:
// each becomes the name of a secret.
import { Document, isMap, isSeq, type Node } from 'yaml';
import type { Json } from '../definition.ts';
import { stepsOf } from './flow.ts';
import { readBlueprint, type Module } from './read.ts';
import { createScope, type Loss, type Scope } from './scope.ts';

export type { Loss } from './scope.ts';

/** What became of a blueprint. */
export type Imported =
  | { ok: true; name: string; yaml: string; losses: readonly Loss[] }
  /** Nothing could be made of it; why, in a sentence. */
  | { ok: false; message: string };

const HOOK = 'gateway:CustomWebHook';

/** Makes a document of the text of a blueprint. Never throws. */
export function importBlueprint(text: string): Imported {
  const blueprint = readBlueprint(text);
  if (typeof blueprint === 'string') return { ok: false, message: blueprint };
  const { flow, isSequential, isScheduled } = blueprint;
  const [trigger, ...rest] = flow as [Module, ...Module[]];
  const scope = createScope([...everyModule(flow)]);
  const name = /\D/.test(blueprint.name) ? blueprint.name : `imported ${blueprint.name}`.trim();
  const startsByHook = trigger.kind === HOOK;
  tellTrigger(trigger, isScheduled, scope);
  const { steps, comments } = stepsOf(startsByHook ? rest : flow.filter(({ kind }) => !/:[Ww]atch/.test(kind)), scope);
  for (const [secret, what] of scope.secrets) {
    const hand = `set it: bellwire secret set ${secret}`;
    scope.losses.push({
      module: null,
      what: `the secret ${secret}`,
      why: `the value for ${what} is not in the document`,
      hand,
    });
  }
  const document = {
    scenario: name,
    on: { hook: true },
    ...(isSequential ? { concurrency: { max: 1, then: 'queue' } } : {}),
    ...(steps.length === 0 ? {} : { steps }),
  };
  const texts = [written(document, comments, headOf(scope.losses)), ...[...scope.sheets].map(sheetText)];
  return { ok: true, name, yaml: texts.join('---\n'), losses: scope.losses };
}

function tellTrigger(trigger: Module, isScheduled: boolean, scope: Scope): void {
  const told = scope.at(trigger);
  if (trigger.kind !== HOOK) {
    told.lost(
      'what starts the scenario',
      'it waits for requests to its hook: let the sender call it, or name a time table in on',
    );
    return;
  }
  told.lost('the address of the hook', 'push the document and give the new address to the sender');
  if (isScheduled)
    told.lost('the time table of the scenario', 'runs begin at once; on.hook.schedule names a time table');
}

function* everyModule(flow: readonly Module[]): Generator<Module> {
  for (const module of flow) {
    yield module;
    yield* everyModule(module.onError);
    for (const route of module.routes) yield* everyModule(route.flow);
  }
}

/* ── Text ───────────────────────────────────────────────────────────────────────────────────────────────────── */

function headOf(losses: readonly Loss[]): string {
  const lines = losses.map(({ module, what, why, hand }) => {
    const place = module === null ? what : `module ${module} (${what}): ${why}`;
    return ` - ${place}; ${hand}`.replaceAll(/\s+/g, ' ');
  });
  return [' Made of a blueprint of Make. To be looked at:', ...lines].join('\n');
}

function written(value: Json, comments: ReadonlyMap<object, string>, head: string): string {
  const document = new Document(value);
  document.commentBefore = head;
  if (document.contents !== null) comment(document.contents, value, comments);
  return document.toString({ lineWidth: 0, flowCollectionPadding: true });
}

/** Puts what is said of a step above it. */
function comment(node: Node, value: Json, comments: ReadonlyMap<object, string>): void {
  if (typeof value !== 'object' || value === null) return;
  const words = comments.get(value);
  if (words !== undefined) node.commentBefore = ` ${words.replaceAll(/\s+/g, ' ')}`;
  if (isSeq(node) && Array.isArray(value)) {
    for (const [at, inner] of value.entries()) comment(node.items[at] as Node, inner, comments);
  } else if (isMap(node) && !Array.isArray(value)) {
    const values = Object.values(value);
    for (const [at, pair] of node.items.entries()) {
      if (pair.value !== null) comment(pair.value as Node, values[at] as Json, comments);
    }
  }
}

function sheetText([name, spreadsheet]: [string, string]): string {
  const was = spreadsheet.replace(/^\//, '') || 'the id of the spreadsheet';
  const lines = [
    ' A sheet of Bellwire’s own. To go on with the one at Google, with the key of a service account in a secret:',
    `   in: { google: ${JSON.stringify(was)}, tab: ${JSON.stringify(name)}, account: GOOGLE_ACCOUNT }`,
  ];
  return written({ sheet: name }, new Map(), lines.join('\n'));
}
