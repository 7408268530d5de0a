// Counters, gauges and histograms, written out in the text format of Prometheus. An update is a look-up and an addition.

/** Values of labels, in the order of the names the metric was made with. */
type Labels = readonly string[];

/** Counts up. */
export interface Counter {
  add(amount?: number, ...labels: string[]): void;
  /** Of what is counted elsewhere: how many there are by now. */
  set(total: number, ...labels: string[]): void;
}

/** Goes up and down. */
export interface Gauge {
  set(value: number, ...labels: string[]): void;
  /** Nothing is known any more, so nothing is told. */
  clear(): void;
}

/** Sorts observations into buckets. */
export interface Histogram {
  observe(value: number, ...labels: string[]): void;
}

/** A metric's name (with unit, in base units: seconds, bytes), what it means, and the names of its labels. */
export interface Described {
  name: string;
  help: string;
  labels?: readonly string[];
}

/** All metrics of a process. Asking twice for the same name gives the same metric. */
export interface Metrics {
  counter(described: Described): Counter;
  gauge(described: Described): Gauge;
  /** `buckets` are upper bounds, ascending; `+Inf` is added. */
  histogram(described: Described & { buckets: readonly number[] }): Histogram;
  /** Called before each reading: the place to set gauges that are read, not kept. */
  onRead(collect: () => void | Promise<void>): void;
  /** Everything, in the text format of Prometheus 0.0.4. What a collector sets that fails stays as it was. */
  read(): Promise<string>;
}

/** The media type of {@link Metrics.read}. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Upper bounds in seconds for anything between a local call and a slow endpoint. */
export const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

/**
 * Label sets one metric keeps; further ones are counted together as `other`. Labels are chosen by us, never by
 * callers, so this is a fuse and not a feature.
 */
const MAX_SERIES = 2_000;

interface Family {
  write(lines: string[]): void;
}

/** Makes a registry. */
export function createMetrics(): Metrics {
  const families = new Map<string, Family>();
  const collectors: (() => void | Promise<void>)[] = [];
  function family<F extends Family>(name: string, make: () => F): F {
    const known = families.get(name) as F | undefined;
    if (known !== undefined) return known;
    const fresh = make();
    families.set(name, fresh);
    return fresh;
  }
  return {
    counter: (described) => family(described.name, () => new Numbers(described, 'counter')),
    gauge: (described) => family(described.name, () => new Numbers(described, 'gauge')),
    histogram: (described) => family(described.name, () => new Buckets(described)),
    onRead: (collect) => void collectors.push(collect),
    async read() {
      await Promise.allSettled(collectors.map(async (collect) => collect()));
      const lines: string[] = [];
      for (const each of families.values()) each.write(lines);
      return `${lines.join('\n')}\n`;
    },
  };
}

class Series<V> {
  readonly #names: readonly string[];
  readonly #values = new Map<string, V>();
  readonly #fresh: () => V;

  constructor(names: readonly string[], fresh: () => V) {
    this.#names = names;
    this.#fresh = fresh;
  }

  at(labels: Labels): V {
    const key = labels.length === 1 ? (labels[0] as string) : labels.join('\u0000');
    return this.#values.get(key) ?? this.#add(key);
  }

  #add(key: string): V {
    const full = this.#values.size >= MAX_SERIES;
    const name = full ? this.#names.map(() => 'other').join('\u0000') : key;
    const value = this.#values.get(name) ?? this.#fresh();
    this.#values.set(name, value);
    return value;
  }

  clear(): void {
    this.#values.clear();
  }

  /** Each value with its labels written out: `a="1",b="2"`, or nothing. */
  *entries(): Generator<[string, V]> {
    for (const [key, value] of this.#values) {
      const labels = key.split('\u0000');
      yield [this.#names.map((name, at) => `${name}="${escape(labels[at] ?? '')}"`).join(','), value];
    }
  }
}

class Numbers implements Family {
  readonly #described: Described;
  readonly #kind: string;
  readonly #series: Series<{ value: number }>;

  constructor(described: Described, kind: 'counter' | 'gauge') {
    this.#described = described;
    this.#kind = kind;
    this.#series = new Series(described.labels ?? [], () => ({ value: 0 }));
    if ((described.labels ?? []).length === 0) this.#series.at([]);
  }

  add(amount = 1, ...labels: string[]): void {
    this.#series.at(labels).value += amount;
  }

  set(value: number, ...labels: string[]): void {
    this.#series.at(labels).value = value;
  }

  clear(): void {
    this.#series.clear();
  }

  write(lines: string[]): void {
    const { name } = this.#described;
    head(lines, this.#described, this.#kind);
    for (const [labels, { value }] of this.#series.entries()) lines.push(`${name}${braces(labels)} ${value}`);
  }
}

class Buckets implements Family {
  readonly #described: Described;
  readonly #bounds: readonly number[];
  readonly #series: Series<{ counts: Float64Array; sum: number }>;

  constructor(described: Described & { buckets: readonly number[] }) {
    this.#described = described;
    this.#bounds = described.buckets;
    const size = described.buckets.length + 1;
    this.#series = new Series(described.labels ?? [], () => ({ counts: new Float64Array(size), sum: 0 }));
    // What has not happened yet is seen as such.
    if ((described.labels ?? []).length === 0) this.#series.at([]);
  }

  observe(value: number, ...labels: string[]): void {
    const series = this.#series.at(labels);
    let at = 0;
    while (at < this.#bounds.length && value > (this.#bounds[at] as number)) at++;
    series.counts[at] = (series.counts[at] as number) + 1;
    series.sum += value;
  }

  write(lines: string[]): void {
    const { name } = this.#described;
    head(lines, this.#described, 'histogram');
    for (const [labels, { counts, sum }] of this.#series.entries()) {
      let count = 0;
      for (const [at, inside] of counts.entries()) {
        count += inside;
        const bound = at < this.#bounds.length ? String(this.#bounds[at]) : '+Inf';
        lines.push(`${name}_bucket${braces(join(labels, `le="${bound}"`))} ${count}`);
      }
      lines.push(`${name}_sum${braces(labels)} ${sum}`, `${name}_count${braces(labels)} ${count}`);
    }
  }
}

function head(lines: string[], { name, help }: Described, kind: string): void {
  lines.push(`# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}`, `# TYPE ${name} ${kind}`);
}

function braces(labels: string): string {
  return labels === '' ? '' : `{${labels}}`;
}

function join(labels: string, more: string): string {
  return labels === '' ? more : `${labels},${more}`;
}

function escape(value: string): string {
  return value.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}
