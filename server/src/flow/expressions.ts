// The expressions of one version of a flow: compiled when they are first met, kept as long as the flow is in memory.
import {
  compileValue,
  isTrue,
  parseExpression,
  type CompiledValue,
  type Expression,
} from '../model/flow/expression/index.ts';
import type { ActionStep, Json } from '../model/flow/definition.ts';
import type { Scope } from './scope.ts';

/** Evaluates what a flow holds. Everything throws an ExpressionError, in words, where it cannot be. */
export class Expressions {
  readonly #byText = new Map<string, Expression>();
  readonly #byValue = new WeakMap<ActionStep, CompiledValue>();

  /** The value of an expression without `${}`. */
  value(text: string, scope: Scope, now: number): Json {
    let expression = this.#byText.get(text);
    if (!expression) this.#byText.set(text, (expression = parseExpression(text)));
    return expression.evaluate(scope.names, { now });
  }

  /** Whether a condition holds: nothing, false, 0 and the empty text do not, everything else does. */
  holds(text: string, scope: Scope, now: number): { holds: boolean; value: Json } {
    const value = this.value(text, scope, now);
    return { holds: isTrue(value), value };
  }

  /** The input of a step, its templates filled in. */
  fill(step: ActionStep, scope: Scope, now: number): Json {
    let compiled = this.#byValue.get(step);
    if (!compiled) this.#byValue.set(step, (compiled = compileValue(step.input)));
    return compiled.evaluate(scope.names, { now });
  }
}
