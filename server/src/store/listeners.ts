// Who listens to the store, and how they are told: after the commit, never able to harm it.
import type { StoreListener } from './contract.ts';

/** The listeners of one store. A listener that throws is a bug of its own: it is reported, the others are told. */
export class Listeners {
  readonly #all: StoreListener[] = [];
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  add(listener: StoreListener): void {
    this.#all.push(listener);
  }

  /** Calls one method of each listener. */
  tell<Name extends keyof StoreListener>(name: Name, ...words: Parameters<NonNullable<StoreListener[Name]>>): void {
    for (const listener of this.#all) {
      try {
        (listener[name] as ((...words: unknown[]) => void) | undefined)?.call(listener, ...words);
      } catch (error) {
        this.#onError(error);
      }
    }
  }
}
