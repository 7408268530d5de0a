// The store's contract as tests that any engine can be handed. Each part stands in a file of its own.
import { exerciseAccept } from './store-contract-accept.ts';
import type { Prepare } from './store-ground.ts';

/** Runs the whole contract on an engine; `prepare` gives each test an empty database of it. */
export function exerciseStore(engine: string, prepare: Prepare): void {
  exerciseAccept(engine, prepare);
}
