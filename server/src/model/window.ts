// How many deliveries to one target may be under way at once: grows while it copes, halves when it does not. Pure.
//
// Doubling from the start (each success adds one) until the first setback, then one more per window of successes:
// the additive increase and multiplicative decrease of TCP. Failures that say nothing about load leave it alone.

/** The window of one target. */
export interface Window {
  size: number;
  /** Above this the window grows slowly. */
  threshold: number;
  /** Sends that began before this instant (epoch ms) have been answered for: one setback per round. */
  shrunkAt: number;
}

/** Bounds of every window. */
export interface WindowLimits {
  min: number;
  start: number;
  max: number;
}

/** A fresh window: also what a target begins with when it is released after having been held. */
export function openWindow({ start, max }: WindowLimits): Window {
  return { size: start, threshold: max, shrunkAt: 0 };
}

/** After a success. */
export function widen(window: Window, { max }: WindowLimits): Window {
  if (window.size >= max) return window;
  const step = window.size < window.threshold ? 1 : 1 / window.size;
  return { ...window, size: Math.min(max, window.size + step) };
}

/** After an answer or silence that says "too much"; `sentAt` is when that send began. */
export function narrow(window: Window, { min }: WindowLimits, when: { sentAt: number; now: number }): Window {
  if (when.sentAt < window.shrunkAt) return window;
  const size = Math.max(min, Math.floor(window.size / 2));
  return { size, threshold: size, shrunkAt: when.now };
}
