// Going through the tree of a flow's steps.
import type { Step } from './definition.ts';

/** All steps of a tree, each before those that stand within it. */
export function* everyStep(steps: readonly Step[]): Generator<Step> {
  for (const step of steps) {
    yield step;
    if (step.kind === 'route') for (const branch of step.branches) yield* everyStep(branch.steps);
    if (step.kind === 'each') yield* everyStep(step.steps);
    if (step.onError.then === 'steps') yield* everyStep(step.onError.steps);
  }
}

/** Does something in the steps of a loop collect for it? What stands in a loop of its own collects for that. */
export function collects(steps: readonly Step[]): boolean {
  return steps.some((step) => {
    if (step.onError.then === 'steps' && collects(step.onError.steps)) return true;
    if (step.kind === 'route') return step.branches.some((branch) => collects(branch.steps));
    return step.kind === 'action' && step.action === 'collect';
  });
}
