// Texts with expressions in them: `a ${ expr } b` is text, `${ expr }` alone is its value, `$${` a literal `${`.
import { ExpressionFault } from './fault.ts';
import { parse, unexpected } from './parse.ts';
import { readToken } from './tokens.ts';
import type { Reading } from './tree.ts';

/** The longest template, in UTF-16 units. */
const LONGEST_TEMPLATE = 262_144;

/** A template's parts: texts as they are, and expressions. */
export type TemplatePart = { text: string } | { reading: Reading };

const OPENING = /\$?\$\{/g;

/** Cuts a template. Neighbouring texts are one part. Throws an ExpressionFault. */
export function readTemplate(text: string): TemplatePart[] {
  if (text.length > LONGEST_TEMPLATE) {
    throw new ExpressionFault(
      { at: LONGEST_TEMPLATE, length: 0 },
      `A text has at most ${LONGEST_TEMPLATE} characters.`,
    );
  }
  const parts: TemplatePart[] = [];
  let literal = '';
  let from = 0;
  OPENING.lastIndex = 0;
  for (let found = OPENING.exec(text); found !== null; found = OPENING.exec(text)) {
    literal += text.slice(from, found.index);
    from = OPENING.lastIndex;
    if (found[0] === '$${') {
      literal += '${';
      continue;
    }
    const reading = readEmbedded(text, found.index);
    if (literal !== '') parts.push({ text: literal });
    parts.push({ reading });
    literal = '';
    from = reading.end + 1;
    OPENING.lastIndex = from;
  }
  literal += text.slice(from);
  if (literal !== '') parts.push({ text: literal });
  return parts;
}

/** The expression of a `${` at a place, up to its `}`. */
function readEmbedded(text: string, at: number): Reading {
  const first = readToken(text, at + 2);
  if (first.text === '}') throw new ExpressionFault({ at, length: first.end - at }, 'The ${ } is empty.');
  const reading = parse(text, at + 2);
  const close = readToken(text, reading.end);
  if (close.text === '}') return reading;
  if (close.kind !== 'end') throw unexpected(close, 'an operator or } after the expression');
  throw new ExpressionFault({ at, length: 2 }, 'The ${ has no closing }; a ${ that is meant as such is written $${.');
}
