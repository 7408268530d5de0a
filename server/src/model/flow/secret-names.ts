// Which secrets a flow reads, seen without running it: its runs are given these and no others, and these are masked.
import type { Flow, Hook, Json, Rule, Step } from './definition.ts';
import { compileValue, ExpressionFault, parseExpression } from './expression/index.ts';

/** Names of the secrets that a flow reads, each once: those of its expressions, and those that its hook verifies by. */
export function secretNamesOf(flow: Flow): string[] {
  const names = new Set<string>();
  const reading: Reading = {
    expression: (text) => {
      if (text !== null) note(names, () => parseExpression(text));
    },
    template: (value) => note(names, () => compileValue(value)),
  };
  if (flow.kind === 'policy-set') for (const rule of flow.rules) readRule(rule, reading);
  else readSteps(flow.steps, reading);
  if (flow.kind === 'scenario') {
    reading.template(flow.hook.dedupe);
    for (const name of secretsOfHook(flow.hook)) names.add(name);
  }
  return [...names];
}

/** The names of secrets that a hook knows its senders by, each once. */
export function secretsOfHook({ verify, challenges }: Hook): string[] {
  const ofChallenges = challenges.flatMap(({ settings }) => (settings['secret'] ?? []) as string | string[]);
  return [...new Set([...(verify?.secrets ?? []), ...ofChallenges])];
}

interface Reading {
  expression(text: string | null): void;
  template(value: Json): void;
}

// What does not parse reads nothing; what it is part of fails in words when its turn comes.
function note(names: Set<string>, parse: () => { secrets: readonly string[] }): void {
  try {
    for (const name of parse().secrets) names.add(name);
  } catch (error) {
    if (!(error instanceof ExpressionFault)) throw error;
  }
}

function readSteps(steps: readonly Step[], reading: Reading): void {
  for (const step of steps) {
    reading.expression(step.if);
    if (step.onError.then === 'steps') readSteps(step.onError.steps, reading);
    if (step.kind === 'action') reading.template(step.input);
    if (step.kind === 'each') {
      reading.expression(step.of);
      readSteps(step.steps, reading);
    }
    if (step.kind !== 'route') continue;
    for (const branch of step.branches) {
      reading.expression(branch.if);
      readSteps(branch.steps, reading);
    }
  }
}

function readRule({ resources, applies, compliant, detail }: Rule, reading: Reading): void {
  const { from, id, name } = resources;
  for (const text of [id, name, applies, compliant]) reading.expression(text);
  reading.template(detail);
  if (from.kind === 'file' || from.kind === 'http') reading.expression(from.each);
  if (from.kind === 'http') {
    reading.expression(from.next);
    reading.template([from.url, from.headers]);
  }
  if (from.kind === 'aws') reading.template([from.endpoint, from.credentials]);
}
