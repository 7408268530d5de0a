// Hints across nodes: runs may begin in lanes of another node, and somebody there may wait for what a run has replied.
//
// They are gathered for a moment and sent together, after the commit and outside of it: PostgreSQL commits transactions
// that notify one after the other. A hint may be lost; whoever waits looks by itself, too.
import type { RunKey } from './contract.ts';

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
}

/** What is sent: numbers of lanes, and runs as pairs of workspace and number. */
interface Message {
  runs: number[];
  replied: [number, number][];
}

/** Hints are sent at the latest after this. */
const GATHER_MS = 10;
/** Runs in one message. */
const MOST_RUNS = 200;

/** Sends what is hinted here to the other nodes, and tells what they hint. */
export class Hints implements Hearer {
  readonly #channel: HintChannel;
  readonly #lanes = new Set<number>();
  readonly #runs = new Map<string, [number, number]>();
  #isGathering = false;

  constructor(channel: HintChannel, hearer: Hearer) {
    this.#channel = channel;
    channel.hear((text) => {
      const { runs, replied } = JSON.parse(text) as Message;
      if (runs.length > 0) hearer.runs(runs);
      if (replied.length > 0) hearer.replied(replied.map(([workspace, run]) => ({ workspace, run })));
    });
  }

  /** In these lanes runs may begin, or were asked to end. */
  runs(lanes: readonly number[]): void {
    for (const lane of lanes) this.#lanes.add(lane);
    this.#soon();
  }

  /** These runs have replied, or ended. */
  replied(runs: readonly RunKey[]): void {
    for (const { workspace, run } of runs) this.#runs.set(`${workspace}/${run}`, [workspace, run]);
    this.#soon();
  }

  #soon(): void {
    if (this.#isGathering) return;
    this.#isGathering = true;
    setTimeout(() => this.#send(), GATHER_MS).unref();
  }

  #send(): void {
    this.#isGathering = false;
    const replied = [...this.#runs.values()];
    const runs = [...this.#lanes];
    this.#runs.clear();
    this.#lanes.clear();
    for (let from = 0; from === 0 || from < replied.length; from += MOST_RUNS) {
      const message: Message = { runs: from === 0 ? runs : [], replied: replied.slice(from, from + MOST_RUNS) };
      this.#channel.send(JSON.stringify(message));
    }
  }
}
