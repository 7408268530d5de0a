// Reads the text format of Prometheus (0.0.4) as strictly as it is written, and throws where a scraper might stumble.
import assert from 'node:assert/strict';

/** One line: a name, its labels, its value. */
export interface Sample {
  name: string;
  labels: Readonly<Record<string, string>>;
  value: number;
}

/** A metric with all its samples. */
export interface Family {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  samples: Sample[];
}

const NAME = '[a-z][a-z0-9_]*';
const HELP = new RegExp(`^# HELP (${NAME}) (.+)$`);
const TYPE = new RegExp(`^# TYPE (${NAME}) (counter|gauge|histogram)$`);
const SAMPLE = new RegExp(`^(${NAME})(?:\\{(.*)\\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|[+-]Inf|NaN)$`);
const LABEL = /^([a-z][a-z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/;

/** All families, by name. Throws at the first line that is not as the format says. */
export function readExposition(text: string): Map<string, Family> {
  assert.ok(text.endsWith('\n'), 'the last line ends');
  const families = new Map<string, Family>();
  let family: Family | null = null;
  let help = { name: '', text: '' };
  for (const line of text.slice(0, -1).split('\n')) {
    const [, helped, words] = HELP.exec(line) ?? [];
    const [, typed, type] = TYPE.exec(line) ?? [];
    if (helped !== undefined) help = { name: helped, text: words! };
    else if (typed !== undefined) {
      assert.equal(help.name, typed, `the help of ${typed} stands before its type`);
      assert.ok(!families.has(typed), `${typed} is described once`);
      family = { name: typed, help: help.text, type: type as Family['type'], samples: [] };
      families.set(typed, family);
    } else {
      assert.ok(family, line);
      family.samples.push(readSample(line, family));
    }
  }
  for (const each of families.values()) check(each);
  return families;
}

function readSample(line: string, family: Family): Sample {
  const [, name, written = '', value] = SAMPLE.exec(line) ?? assert.fail(`not a sample: ${line}`);
  const endings = family.type === 'histogram' ? ['_bucket', '_sum', '_count'] : [''];
  assert.ok(
    endings.some((ending) => name === family.name + ending),
    `${line} is none of ${family.name}`,
  );
  return { name: name!, labels: readLabels(written), value: Number(value!.replace('Inf', 'Infinity')) };
}

function readLabels(written: string): Record<string, string> {
  const labels: Record<string, string> = {};
  for (let rest = written; rest !== '';) {
    const [whole, name = '', value = ''] = LABEL.exec(rest) ?? assert.fail(`not labels: ${written}`);
    assert.ok(!Object.hasOwn(labels, name), `${name} twice: ${written}`);
    labels[name] = value.replace(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
    rest = rest.slice(whole.length);
  }
  return labels;
}

/** The names of a metric’s own labels, without the bounds of buckets. */
export function ownLabels(labels: Sample['labels']): string[] {
  return Object.keys(labels).filter((name) => name !== 'le');
}

function check(family: Family): void {
  const { name, type, samples } = family;
  assert.equal(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`);
  const seen = new Set(samples.map((sample) => JSON.stringify([sample.name, sample.labels])));
  assert.equal(seen.size, samples.length, `a series of ${name} stands twice`);
  const names = new Set(samples.map(({ labels }) => ownLabels(labels).join()));
  assert.ok(names.size <= 1, `${name} has these labels, or those: ${[...names].join(' or ')}`);
  if (type !== 'gauge') for (const { value } of samples) assert.ok(value >= 0, `${name} ${value}`);
  if (type === 'histogram') checkHistogram(family);
}

function checkHistogram({ name, samples }: Family): void {
  const series = Map.groupBy(samples, ({ labels }) => JSON.stringify(ownLabels(labels).map((name) => labels[name])));
  for (const [labels, all] of series) {
    const buckets = all.filter((sample) => sample.name.endsWith('_bucket'));
    const bounds = buckets.map(({ labels: { le } }) => Number(le!.replace('+Inf', 'Infinity')));
    assert.deepEqual(
      bounds,
      bounds.toSorted((a, b) => a - b),
      `${name}${labels}: bounds ascend`,
    );
    assert.equal(bounds.at(-1), Infinity, `${name}${labels}: the last bucket has all`);
    const counts = buckets.map(({ value }) => value);
    assert.deepEqual(
      counts,
      counts.toSorted((a, b) => a - b),
      `${name}${labels}: buckets are cumulative`,
    );
    const one = (ending: string) => all.find((sample) => sample.name === name + ending)?.value;
    assert.equal(one('_count'), counts.at(-1), `${name}${labels}: the count is that of the last bucket`);
    assert.ok(Number.isFinite(one('_sum')), `${name}${labels}: there is a sum`);
  }
}
