// Which events were handled already: the memory behind "handled once, however often it is delivered".

/**
 * Where handled events are remembered. A table with the key as its primary key does; keys are at most 256 characters.
 * `add` is called only after the handler succeeded, so a failure in between repeats an event and never loses one.
 */
export interface Seen {
  has(key: string): boolean | Promise<boolean>;
  add(key: string): unknown;
}

/**
 * A memory of this process for the latest `limit` events; what is older is forgotten first. It does not survive a
 * restart and is not shared between processes: hand in a {@link Seen} of your own where that matters.
 */
export function createSeen(limit = 10_000): Seen {
  const keys = new Set<string>();
  return {
    has: (key) => keys.has(key),
    add(key) {
      keys.delete(key);
      keys.add(key);
      // A Set iterates in order of insertion, so its first key is the oldest.
      if (keys.size > limit) keys.delete(keys.values().next().value!);
    },
  };
}
