// How many runs led to one another: a chain that starts itself is cut by it (R16). Pure.
import { isOperational } from '../operational-events.ts';

/** The header in which a post-processing says how many runs led to the one it tells of; left out where that is none. */
export const DEPTH_HEADER = 'bellwire-depth';
/** The extension attribute in which an event that a run publishes says the same. */
export const DEPTH_ATTRIBUTE = 'bellwiredepth';

/** More is more than any limit; it is written with at most so many digits. */
const MOST_DIGITS = 6;

/**
 * The depth of a run that a request asks for: one more than the run that sent it; 0 for a request of somebody else. What
 * looks like the report of a post-processing is one of a first run where no header says more.
 */
export function depthAfterRequest(header: string | undefined, isReport: boolean): number {
  const isDepth = header !== undefined && header.length <= MOST_DIGITS && /^\d+$/.test(header);
  return isDepth ? Number(header) + 1 : isReport ? 1 : 0;
}

/** The depth of a run that an event starts: one more than the run that the event is of; 0 for an event of nobody's run. */
export function depthAfterEvent(event: {
  type: string;
  attributes: Readonly<Record<string, unknown>>;
  data: unknown;
}): number {
  const { type, attributes, data } = event;
  const told = isOperational(type) ? (data as { depth?: unknown } | null)?.depth : attributes[DEPTH_ATTRIBUTE];
  return typeof told === 'number' && Number.isSafeInteger(told) && told >= 0 ? told + 1 : 0;
}
