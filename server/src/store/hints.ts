// Hints across nodes: deliveries are due or runs may begin in lanes of another node, which has to know what a webhook has
// become; somebody there may wait for what a run has replied, and whoever listens for a webhook may do so anywhere.
//
// They are gathered for a moment and sent together, after the commit and outside of it: PostgreSQL commits transactions
// that notify one after the other. A hint may be lost; whoever waits looks by itself, too.
import type { RunKey, TargetKey } from './contract.ts';

/** A way from each node on a store to all others. */
export interface HintChannel {
  /** Sends a text of at most 8,000 bytes. Never fails, and may be lost. */
  send(text: string): void;
  /** Hears what the others send. */
  hear(listener: (text: string) => void): void;
}

/** Who is told what others hint. */
export interface Hearer {
  runs(lanes: readonly number[]): void;
  replied(runs: readonly RunKey[]): void;
  due(targets: readonly TargetKey[]): void;
  changed(target: TargetKey): void;
  relays(target: TargetKey): void;
  listener(target: TargetKey): void;
}

/** What is sent: numbers of lanes; runs and webhooks as pairs of workspace and number. */
interface Message {
  runs: number[];
  replied: [number, number][];
  due: [number, number][];
  changed: [number, number][];
  relays: [number, number][];
  listener: [number, number][];
}

/** Hints are sent at the latest after this. */
const GATHER_MS = 10;
/** Pairs of one kind in one message: five kinds of them are below 8,000 bytes, whatever their numbers. */
const MOST_PAIRS = 40;

/** Sends what is hinted here to the other nodes, and tells what they hint. */
export class Hints implements Hearer {
  readonly #channel: HintChannel;
  readonly #lanes = new Set<number>();
  readonly #replied = new Pairs();
  readonly #due = new Pairs();
  readonly #changed = new Pairs();
  readonly #relays = new Pairs();
  readonly #listener = new Pairs();
  #isGathering = false;

  constructor(channel: HintChannel, hearer: Hearer) {
    this.#channel = channel;
    channel.hear((text) => {
      const { runs, replied, due, changed, relays, listener } = JSON.parse(text) as Message;
      if (runs.length > 0) hearer.runs(runs);
      if (replied.length > 0) hearer.replied(replied.map(([workspace, run]) => ({ workspace, run })));
      if (due.length > 0) hearer.due(due.map(([workspace, target]) => ({ workspace, target })));
      for (const [workspace, target] of changed) hearer.changed({ workspace, target });
      for (const [workspace, target] of relays) hearer.relays({ workspace, target });
      for (const [workspace, target] of listener) hearer.listener({ workspace, target });
    });
  }

  /** In these lanes runs may begin, or were asked to end. */
  runs(lanes: readonly number[]): void {
    for (const lane of lanes) this.#lanes.add(lane);
    this.#soon();
  }

  /** These runs have replied, or ended. */
  replied(runs: readonly RunKey[]): void {
    for (const { workspace, run } of runs) this.#replied.add(workspace, run);
    this.#soon();
  }

  /** Deliveries of these targets are due in the store. */
  due(targets: readonly TargetKey[]): void {
    for (const { workspace, target } of targets) this.#due.add(workspace, target);
    this.#soon();
  }

  /** This webhook was made, changed or deleted. */
  changed({ workspace, target }: TargetKey): void {
    this.#changed.add(workspace, target);
    this.#soon();
  }

  /** Requests for the listener of this webhook wait, or were answered. */
  relays({ workspace, target }: TargetKey): void {
    this.#relays.add(workspace, target);
    this.#soon();
  }

  /** Somebody began to listen for this webhook, or has ended. */
  listener({ workspace, target }: TargetKey): void {
    this.#listener.add(workspace, target);
    this.#soon();
  }

  #soon(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    setTimeout(() => this.#send(), GATHER_MS).unref();
  }

  #send(): void {
    this.#isGathering = false;
    const runs = [...this.#lanes];
    this.#lanes.clear();
    const all = {
      replied: this.#replied.take(),
      due: this.#due.take(),
      changed: this.#changed.take(),
      relays: this.#relays.take(),
      listener: this.#listener.take(),
    };
    const most = Math.max(...Object.values(all).map(({ length }) => length));
    for (let from = 0; from === 0 || from < most; from += MOST_PAIRS) {
      const part = (pairs: [number, number][]): [number, number][] => pairs.slice(from, from + MOST_PAIRS);
      const message: Message = {
        runs: from === 0 ? runs : [],
        replied: part(all.replied),
        due: part(all.due),
        changed: part(all.changed),
        relays: part(all.relays),
        listener: part(all.listener),
      };
      this.#channel.send(JSON.stringify(message));
    }
  }
}

/** Pairs of workspace and number, each once. */
class Pairs {
  readonly #all = new Map<string, [number, number]>();

  add(workspace: number, number: number): void {
    this.#all.set(`${workspace}/${number}`, [workspace, number]);
  }

  take(): [number, number][] {
    const taken = [...this.#all.values()];
    this.#all.clear();
    return taken;
  }
}
