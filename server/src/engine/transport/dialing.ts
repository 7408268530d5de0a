// A connection in the making: what the dialer hands out for it, and what comes of it.
import type { Socket } from 'node:net';
import type { Diagnosis } from './failure.ts';

/** A socket that is connected, its TLS checked; or why there is none. */
export type DialResult = [error: null, socket: Socket] | [error: Error, socket: null];
export type DialCallback = (...result: DialResult) => void;

/** A connection that is being made. */
export interface Dialing {
  /** Gives it up. */
  destroy(): void;
  /** What it has been waiting for, when that is not the target; `within` says how long. */
  late?(within: string): Diagnosis | null;
}
