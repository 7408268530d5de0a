// Functions of regular expressions, by RE2: the time grows with the text, whatever the pattern.
import { RE2JS } from 're2js';
import type { Json } from '../../../json-value.ts';
import { sizeOfPattern } from '../../../patterns.ts';
import { produce, spend } from '../budget.ts';
import { ExpressionError } from '../fault.ts';
import { entry, textOf, wholeOf } from './entry.ts';
import type { Argument, Call, FunctionEntry } from './entry.ts';

interface Pattern {
  compiled: RE2JS;
  /** What looking at one character may cost, in steps. */
  cost: number;
}

/** Compiled patterns by `flags/pattern`, the oldest thrown away first: most stand in the text and come again. */
const known = new Map<string, Pattern>();
const MOST_KNOWN = 200;
/** What compiling costs for each instruction, in steps. */
const COMPILE_STEPS = 15;
/** A class of Unicode takes as long to compile as so many instructions. */
const CLASS = 200;
/** Instructions that are looked at in one step: measured, a character costs about half a microsecond. */
const INSTRUCTIONS_A_STEP = 16;

function patternOf(value: Argument, flags: number, call?: Call): Pattern {
  if (typeof value !== 'string') throw new ExpressionError('The pattern must be a text');
  const key = `${flags}/${value}`;
  const found = known.get(key);
  if (found !== undefined) return found;
  const pattern = compilePattern(value, flags, call);
  if (known.size >= MOST_KNOWN) known.delete(known.keys().next().value as string);
  known.set(key, pattern);
  return pattern;
}

function compilePattern(pattern: string, flags: number, call: Call | undefined): Pattern {
  const size = sizeOfPattern(pattern);
  // Patterns that stand in the text are known already; those that are made on the way pay for it.
  if (call !== undefined && 'size' in size)
    spend(call, COMPILE_STEPS * (10 + size.size + CLASS * (pattern.split('\\p').length - 1)));
  if ('refused' in size) throw new ExpressionError(`This is no pattern we match: ${size.refused}`);
  try {
    const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern), flags);
    return { compiled, cost: 2 + size.size / INSTRUCTIONS_A_STEP };
  } catch {
    throw new ExpressionError('This is no regular expression of RE2; it has neither look-around nor back references');
  }
}

/** A text about to be searched. */
function searched(value: Argument, { cost }: Pattern, call: Call): string {
  const text = textOf(value, call);
  spend(call, 1 + text.length * cost);
  return text;
}

function matches(args: readonly Argument[], call: Call, flags: number): boolean {
  const pattern = patternOf(args[1], flags, call);
  return pattern.compiled.test(searched(args[0], pattern, call));
}

function extract(args: readonly Argument[], call: Call): Json {
  const pattern = patternOf(args[1], 0, call);
  const groups = pattern.compiled.groupCount();
  const wanted = wholeOf(args[2], 'group', { from: 0, to: groups, or: Math.min(1, groups) });
  const matcher = pattern.compiled.matcher(searched(args[0], pattern, call));
  if (!matcher.find()) return null;
  const found = matcher.group(wanted);
  produce(call, found?.length ?? 0);
  return found;
}

/** The replacement is taken as it stands. */
function replacePattern(args: readonly Argument[], call: Call): string {
  const pattern = patternOf(args[1], 0, call);
  const text = searched(args[0], pattern, call);
  const replacement = textOf(args[2], call);
  const matcher = pattern.compiled.matcher(text);
  const parts: string[] = [];
  let from = 0;
  while (matcher.find()) {
    produce(call, replacement.length);
    parts.push(text.slice(from, matcher.start()), replacement);
    from = matcher.end();
  }
  produce(call, text.length);
  return parts.join('') + text.slice(from);
}

const ofText = { 1: (value: Json) => patternOf(value, 0) };
const ignoringCase = { 1: (value: Json) => patternOf(value, RE2JS.CASE_INSENSITIVE) };

export const PATTERN_FUNCTIONS: readonly FunctionEntry[] = [
  entry('matches(text, pattern)', (args, call) => matches(args, call, 0), ofText),
  entry('matchesIgnoreCase(text, pattern)', (args, call) => matches(args, call, RE2JS.CASE_INSENSITIVE), ignoringCase),
  entry('extract(text, pattern, group?)', extract, ofText),
  entry('replacePattern(text, pattern, replacement)', replacePattern, ofText),
];
