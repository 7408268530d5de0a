// What a scenario's modules are called here: where each one's output lies, its variables, secrets, and what got lost.
import { variableFault } from '../actions.ts';
import { ExpressionFault, parseExpression, parseTemplate } from '../expression/index.ts';
import type { Json } from '../definition.ts';
import { expressionOf, templateOf } from './formula.ts';
import { pathOf, type Piece, type Surroundings } from './piece.ts';
import { fieldsOf, pairsOf, textOf, type Module } from './read.ts';

/** Something that could not be carried over. */
export interface Loss {
  /** The number of the module in Make, or null for the scenario as a whole. */
  module: number | null;
  /** The module's kind, and its title where it has one. */
  what: string;
  why: string;
  /** What is to be done by hand. */
  hand: string;
}

/** Where a module's output lies. */
type Output = (path: readonly (string | number)[]) => string;

/** What the steps of a scenario are made with. */
export interface Scope {
  losses: Loss[];
  /** Names of secrets the document needs, with what they are for. */
  secrets: Map<string, string>;
  /** Sheets that rows go to, by name, and the spreadsheet they were in. */
  sheets: Map<string, string>;
  /** What is told about a module from now on. */
  at(module: Module): Told;
  /** The variable that takes the place of a name of Make. */
  variable(name: string): string;
}

/** Translations on behalf of one module. */
export interface Told extends Surroundings {
  /** A value whose texts are mapped: the same with templates of ours. */
  template(value: Json | undefined): Json;
  /** A mapped text as a template. */
  text(value: Json | undefined): string;
  /** A mapped text as an expression, without `${ }`. */
  expression(text: string): Piece;
}

/** The name of a module's step or item: its short kind and number. */
export function stepName({ kind, id }: Module): string {
  const word =
    SHORT[kind] ??
    (kind.split(':')[0] ?? '').replaceAll(/[^A-Za-z0-9]+(.)?/g, (_, next = '') => String(next).toUpperCase());
  return `${/^[A-Za-z]/.test(word) ? word : `module${word}`}${id}`;
}

const SHORT: Readonly<Record<string, string>> = {
  'google-sheets:addRow': 'row',
  'builtin:BasicFeeder': 'each',
  'json:ParseJSON': 'parsed',
  'json:CreateJSON': 'made',
  'json:TransformToJSON': 'made',
  'util:ComposeString': 'text',
  'util:Switcher': 'choice',
};

/** Makes the scope of all modules of a scenario, the first of which starts it. */
export function createScope(modules: readonly Module[]): Scope {
  const losses: Loss[] = [];
  const secrets = new Map<string, string>();
  const keys = new Map<string, string>();
  const variables = new Map<string, string>();
  const byId = new Map(modules.map((module) => [module.id, module]));

  function variable(name: string): string {
    const known = variables.get(name);
    if (known !== undefined) return known;
    const plain =
      name
        .trim()
        .replaceAll(/[^A-Za-z0-9_]+/g, '_')
        .slice(0, 60) || 'variable';
    let chosen = /^\d/.test(plain) ? `_${plain}` : plain;
    const taken = [...variables.values(), ...RESERVED];
    if (variableFault(chosen) !== null || taken.includes(chosen)) chosen = `${chosen}_`;
    while (taken.includes(chosen)) chosen = `${chosen}_`;
    variables.set(name, chosen);
    return chosen;
  }

  function key(value: string, what: string): string {
    const base = `${what.replaceAll(/[^A-Za-z0-9]+/g, '_').toUpperCase()}_KEY`;
    let name = keys.get(value) ?? base;
    for (let count = 2; !keys.has(value) && secrets.has(name); count++) name = `${base}_${count}`;
    keys.set(value, name);
    secrets.set(name, what);
    return `secret.${name}`;
  }

  function at(module: Module): Told {
    const what = module.title === '' ? module.kind : `${module.kind} "${module.title}"`;
    const lost = (why: string, hand: string): void => {
      if (losses.some((one) => one.module === module.id && one.why === why)) return;
      losses.push({ module: module.id, what, why, hand });
    };
    const outputs = outputsOf(byId, variable, lost);
    const around: Surroundings = { reference: (id, path) => outputs(id, path), key, lost };
    const checked = <T>(make: () => T, parse: (made: T) => unknown, otherwise: T): T => {
      const made = make();
      try {
        parse(made);
        return made;
      } catch (error) {
        if (!(error instanceof ExpressionFault)) throw error;
        lost(`a formula (${error.message.replace(/\.$/, '')})`, 'write it anew: nothing stands in its place');
        return otherwise;
      }
    };
    const text = (value: Json | undefined): string =>
      checked(() => templateOf(textOf(value), around), parseTemplate, '');
    const template = (value: Json | undefined): Json => {
      if (typeof value === 'string') return text(value);
      if (Array.isArray(value)) return value.map(template);
      if (typeof value !== 'object' || value === null) return value ?? null;
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, template(inner)]));
    };
    const expression = (text: string): Piece =>
      checked(
        () => expressionOf(text, around),
        ({ code }) => parseExpression(code),
        { code: 'null' },
      );
    return { ...around, text, template, expression };
  }

  return { losses, secrets, sheets: new Map(), at, variable };
}

/** Names that mean something in every scenario. */
const RESERVED = [
  'body',
  'query',
  'headers',
  'method',
  'request',
  'now',
  'true',
  'false',
  'null',
  'not',
  'and',
  'or',
  'in',
];

/** Where outputs lie, by the number of their module. */
function outputsOf(
  byId: ReadonlyMap<number, Module>,
  variable: (name: string) => string,
  lost: Surroundings['lost'],
): (id: number, path: readonly (string | number)[]) => string {
  return (id, path) => {
    const module = byId.get(id);
    if (module === undefined) {
      lost(`a reference to module ${id}, which is not in the blueprint`, 'say what stands there instead of null');
      return 'null';
    }
    if (path[0] === 'error')
      return path[1] === undefined || path[1] === 'message' ? 'error.message' : pathOf('error', path.slice(1));
    const usual = outputOf(module, variable, lost)(path);
    if (!module.onError.some(({ kind }) => kind === 'builtin:Resume')) return usual;
    const resumed = variable(`resumed${id}`);
    return `(${resumed} ? ${pathOf(resumed, path)} : ${usual})`;
  };
}

function outputOf(module: Module, variable: (name: string) => string, lost: Surroundings['lost']): Output {
  const { kind, id, mapper, parameters } = module;
  const step = `steps.${stepName(module)}`;
  if (kind === 'gateway:CustomWebHook') return requestOutput(lost);
  if (/^util:(?:Set|Get)Variables?2?$/.test(kind)) {
    return ([name, ...rest]) => (name === undefined ? 'null' : pathOf(variable(String(name)), rest));
  }
  if (kind === 'json:ParseJSON') return (path) => pathOf(variable(stepName(module)), path);
  if (kind === 'json:CreateJSON' || kind === 'json:TransformToJSON') return () => `json(${variable(stepName(module))})`;
  if (kind === 'util:ComposeString' || kind === 'util:Switcher') return () => variable(stepName(module));
  if (kind.startsWith('http:')) {
    return ([name, ...rest]) => {
      const ours = { data: 'body', body: 'body', statusCode: 'status', headers: 'headers' }[String(name)];
      return pathOf(
        ours === undefined ? step : `${step}.${ours}`,
        ours === undefined && name !== undefined ? [name, ...rest] : rest,
      );
    };
  }
  if (kind === 'builtin:BasicFeeder')
    return (path) => pathOf(stepName(module), path[0] === 'value' ? path.slice(1) : path);
  if (kind === 'builtin:BasicAggregator' || kind === 'util:TextAggregator') {
    const gathered = `steps.each${textOf(parameters['feeder'])}.collected`;
    if (kind === 'builtin:BasicAggregator') return ([, ...rest]) => pathOf(gathered, rest);
    return () =>
      `join(${gathered}, ${JSON.stringify(separatorOf(parameters['rowSeparator'] ?? mapper['rowSeparator']))})`;
  }
  return (path) => {
    lost(`what module ${id} (${kind}) gives`, 'see whether the expression names what its step gives here');
    return pathOf(step, path);
  };
}

function separatorOf(value: Json | undefined): string {
  return typeof value === 'string' && value !== 'other' ? value : '';
}

function requestOutput(lost: Surroundings['lost']): Output {
  return (path) => {
    const [name, ...rest] = path;
    if (name === '__IMTMETHOD__') return 'method';
    if (name !== '__IMTHEADERS__') return pathOf('body', path);
    if (rest.length > 0) lost('a header by its place in the request', 'name it: headers["x-name"]');
    return 'headers';
  };
}

/** The variables that a module sets, by the names Make has for them. */
export function variablesOf({ kind, mapper }: Module): [string, string][] {
  return kind === 'util:SetVariables' ? pairsOf(mapper['variables']) : pairsOf([fieldsOf(mapper)]);
}
