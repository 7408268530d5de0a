// What resources are read with, whatever they come from, and how many there may be.
import type { Scope } from '../../model/flow/expression/index.ts';
import type { Fetch } from '../fetch.ts';

/** What lists are read with. */
export interface SourceParts {
  fetch: Fetch;
  /** Folders whose files may be read on a document's word, absolute; empty for none. */
  folders: readonly string[];
  /** May documents use the machine's own identity at AWS? */
  machineIdentity: boolean;
}

/** What one reading may use. */
export interface Reading {
  /** What templates see: `params`, `secret`, `run`. */
  scope: Scope;
  signal: AbortSignal;
}

/** Most resources of one source. */
export const MOST_RESOURCES = 100_000;
