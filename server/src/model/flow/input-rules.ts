// Rules that the input of an action is held against, when a flow is saved and again when a step begins. Pure.
import { didYouMean } from '../near-names.ts';
import type { Json } from './definition.ts';

/**
 * What is judged: the input as it was `written`, whose texts may be templates that become anything, or `evaluated`, as
 * the action gets it.
 */
export type Stage = 'written' | 'evaluated';

/** What is wrong: where (`.headers["X-A"]`, or nothing for the whole), and one clause that follows it. */
export interface InputFault {
  path: string;
  words: string;
}

/** Judges a value; null when it is right. */
export type InputRule = (value: Json, stage: Stage) => InputFault | null;

/** A rule for a value without parts. A template is not judged: nobody knows yet what it will be. */
export function plain(judge: (value: Json) => string | null): InputRule {
  return (value, stage) => {
    const words = isTemplate(value, stage) ? null : judge(value);
    return words === null ? null : { path: '', words };
  };
}

/** May this text become something else? */
export function isTemplate(value: Json, stage: Stage): boolean {
  return stage === 'written' && typeof value === 'string' && value.includes('${');
}

/** Any JSON. */
export const anything: InputRule = () => null;

/** Text of so many characters. */
export function text({ min = 1, max }: { min?: number; max: number }): InputRule {
  return plain((value) => {
    if (typeof value !== 'string') return `must be text, not ${kindOf(value)}`;
    if (value.length < min) return min === 1 ? 'must not be empty' : `must have at least ${min} characters`;
    return value.length > max ? `is longer than ${max} characters` : null;
  });
}

/** One of some words. */
export function word(words: readonly string[]): InputRule {
  return plain((value) => {
    if (typeof value === 'string' && words.includes(value)) return null;
    return `must be one of ${words.join(', ')}${typeof value === 'string' ? didYouMean(value, words) : ''}`;
  });
}

/** An object with these fields and no other. */
export function fields(rules: Readonly<Record<string, InputRule>>, required: readonly string[] = []): InputRule {
  const known = Object.keys(rules);
  return (value, stage) => {
    if (!isObject(value))
      return { path: '', words: `must have fields such as ${known.join(', ')}; it is ${kindOf(value)}` };
    for (const name of required) if (value[name] === undefined) return { path: '', words: `needs the field ${name}` };
    for (const [name, field] of Object.entries(value)) {
      const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
      if (!rule) return { path: '', words: `has no field ${JSON.stringify(name)}${didYouMean(name, known)}` };
      const fault = rule(field, stage);
      if (fault) return { path: `.${name}${fault.path}`, words: fault.words };
    }
    return null;
  };
}

/** An object of any names, each of them and each value held against a rule. */
export function named(judgeName: (name: string) => string | null, rule: InputRule): InputRule {
  return (value, stage) => {
    if (!isObject(value)) return { path: '', words: `must be names with values, not ${kindOf(value)}` };
    for (const [name, field] of Object.entries(value)) {
      const path = `[${JSON.stringify(name)}]`;
      const words = judgeName(name);
      if (words !== null) return { path, words };
      const fault = rule(field, stage);
      if (fault) return { path: `${path}${fault.path}`, words: fault.words };
    }
    return null;
  };
}

/** A list, each item held against a rule. */
export function list(rule: InputRule, { min = 1, max }: { min?: number; max: number }): InputRule {
  return (value, stage) => {
    if (isTemplate(value, stage)) return null;
    if (!Array.isArray(value)) return { path: '', words: `must be a list, not ${kindOf(value)}` };
    if (value.length < min) return { path: '', words: 'must not be empty' };
    if (value.length > max) return { path: '', words: `has more than ${max} items` };
    for (const [at, item] of value.entries()) {
      const fault = rule(item, stage);
      if (fault) return { path: `[${at}]${fault.path}`, words: fault.words };
    }
    return null;
  };
}

/** Decides by what kind of value it is. */
export function either(rules: {
  text?: InputRule;
  number?: InputRule;
  list?: InputRule;
  object?: InputRule;
}): InputRule {
  const kinds = Object.keys(rules).join(' or ');
  return (value, stage) => {
    if (isTemplate(value, stage)) return null;
    const rule = value === null ? undefined : rules[formOf(value) as keyof typeof rules];
    return rule ? rule(value, stage) : { path: '', words: `must be ${kinds}, not ${kindOf(value)}` };
  };
}

/** Is it an object, and no list? */
export function isObject(value: Json | undefined): value is { [name: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What it is, in words. */
export function kindOf(value: Json): string {
  if (value === null) return 'nothing';
  const form = formOf(value);
  return form === 'text' ? form : `${/^[aeiou]/.test(form) ? 'an' : 'a'} ${form}`;
}

function formOf(value: Json): string {
  if (typeof value === 'string') return 'text';
  return Array.isArray(value) ? 'list' : typeof value;
}
