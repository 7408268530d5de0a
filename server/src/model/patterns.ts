// Regular expressions of strangers: matched by RE2, whose time grows with the text and not with its exponent.
import { RE2JS } from 're2js';

/** Longest pattern that is taken, in characters. */
const LONGEST = 1_024;
/** Largest program one pattern may become, in RE2's instructions: `a{1000}` is 1,000 of them. */
const LARGEST = 10_000;

/** Instructions that every program has besides those of its pattern. */
const FRAME = 4;

/**
 * An upper bound of the program a pattern compiles to, in instructions, or why it is too large, in words. Counted
 * without compiling it, so that judging a hostile pattern costs no more than reading it.
 */
export function sizeOfPattern(pattern: string): { size: number } | { refused: string } {
  if (pattern.length > LONGEST) return { refused: `the pattern is longer than ${LONGEST} characters` };
  const size = count(pattern) + FRAME;
  return size > LARGEST ? { refused: 'the pattern repeats so much that matching it would be slow' } : { size };
}

/** A compiled pattern: what Ajv asks of a regular expression. */
export interface CompiledPattern {
  test(text: string): boolean;
  toString(): string;
}

/** Compiles a pattern of ECMA-262 with RE2; throws where RE2 cannot (look-around, back references). */
export function compilePattern(pattern: string): CompiledPattern {
  const compiled = RE2JS.compile(RE2JS.translateRegExp(pattern));
  // Ajv keys its cache of patterns by String(compiled): without a toString of its own every pattern is the first one.
  return { test: (text) => compiled.test(text), toString: () => `/${pattern}/` };
}

// One atom is one instruction; a quantifier multiplies the atom before it, so nested groups need a stack.
function count(pattern: string): number {
  const groups: number[] = [];
  let sum = 0;
  let atom = 0;
  for (let at = 0; at < pattern.length; at++) {
    const char = pattern[at];
    if (char === '(') {
      groups.push(sum + atom);
      [sum, atom] = [0, 0];
    } else if (char === ')') {
      atom = sum + atom + 2;
      sum = groups.pop() ?? 0;
    } else if (char === '{') {
      const repeat = /^\{(\d+)(,?)(\d*)\}/.exec(pattern.slice(at, at + 16));
      // Each copy is the atom and, where it may be left out, one branch; `{3,}` is three copies and a loop.
      if (repeat)
        atom = (Math.max(1, atom) + 1) * (Math.max(Number(repeat[1]), Number(repeat[3])) + (repeat[2] ? 1 : 0));
      at += repeat ? repeat[0].length - 1 : 0;
    } else if (char === '*' || char === '+' || char === '?') {
      atom += 2;
    } else {
      sum += atom;
      atom = 1;
      if (char === '\\') at++;
      else if (char === '[') at = endOfClass(pattern, at);
    }
  }
  return sum + atom + groups.reduce((all, group) => all + group, 0);
}

function endOfClass(pattern: string, start: number): number {
  for (let at = start + 1; at < pattern.length; at++) {
    if (pattern[at] === '\\') at++;
    else if (pattern[at] === ']') return at;
  }
  return pattern.length;
}
