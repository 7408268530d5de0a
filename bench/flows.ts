// Jobs and policy sets: runs from the HTTP trigger to the post-processing that was told, rules over many resources, time
// tables that are idle, and that are due all at once.
import { createClient } from '../server/src/client/index.ts';
import { percentiles, type Figure } from './figures.ts';
import { receiverUrl, rssMiB, serve, type Ground, type Served } from './measure.ts';
import { Poster } from './wire.ts';

/** What is measured, by the name that `--case=flows/NAME` takes; `scale` 1 is the whole of it. */
export const FLOWS: Record<string, (ground: Ground, scale: number) => Promise<Omit<Figure, 'engine'>[]>> = {
  runs,
  policies,
  tables,
};

const CONNECTIONS = 32;

/** A `noop` job by its HTTP trigger, to the 200 of the post-processing that hears of its end. */
async function runs(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const platform = await serve(ground);
  const client = createClient(platform);
  await addReceiver(platform, ground);
  const { trigger } = await client.jobs.put(
    'bench',
    'job: bench\non: { http: true }\nconcurrency: { max: 1000 }\nsteps: [noop]\nafter: { completed: [bench] }\n',
  );
  const fire = async (count: number): Promise<number> => {
    const done = ground.receiver.heard('done');
    await ground.receiver.ask({ kind: 'reset', expected: count }, 'ready');
    const startedAt = performance.now();
    await fireTrigger(platform, { ...trigger!, count });
    await done;
    return (performance.now() - startedAt) / 1000;
  };
  await fire(1_000);
  const count = Math.round(10_000 * scale);
  const before = platform.cpuMs();
  const seconds = await fire(count);
  const cpu = (platform.cpuMs() - before) / count;
  await platform.stop();
  return [
    { what: 'noop jobs, trigger to delivered post-processing', value: count / seconds, unit: 'runs/s' },
    { what: 'CPU per run', value: cpu, unit: 'ms' },
  ];
}

async function fireTrigger(
  { url }: Served,
  { path, authorization = '', count }: { path: string; authorization?: string | undefined; count: number },
): Promise<void> {
  const port = Number(new URL(url).port);
  const head = `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\n`;
  const nothing = Buffer.alloc(0);
  let left = count;
  const posters = await Promise.all(Array.from({ length: CONNECTIONS }, () => Poster.open(port)));
  await Promise.all(
    posters.map(async (poster) => {
      while (left-- > 0) {
        const { status, body } = await poster.post(head, nothing);
        if (status !== 202) throw new Error(`the trigger answered ${status}: ${body.toString()}`);
      }
    }),
  );
  for (const poster of posters) poster.close();
}

/** Twenty rules over ten thousand resources, one request to the receiver for each rule. */
async function policies(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const platform = await serve(ground);
  const client = createClient(platform);
  await addReceiver(platform, ground);
  const resources = Array.from({ length: Math.round(10_000 * scale) }, (_, n) => ({
    id: `r-${n}`,
    name: `resource ${n}`,
    encrypted: n % 3 !== 0,
    size: n % 100,
    tags: n % 2 === 0 ? { Owner: 'ops' } : {},
  }));
  const rules = Array.from({ length: 20 }, (_, n) => ({
    rule: `rule-${n}`,
    resources: { http: `${receiverUrl(ground)}resources`, id: '${ id }', name: '${ name }' },
    applies: `\${ size != ${n} }`,
    compliant: `\${ encrypted && exists(tags.Owner) && size < ${60 + n} }`,
    detail: 'NOT_AS_IT_SHOULD_BE',
  }));
  const document = { policySet: 'bench', rules, after: { completed: ['bench'] } };
  await client.policySets.put('bench', JSON.stringify(document));
  const done = ground.receiver.heard('done');
  await ground.receiver.ask({ kind: 'reset', expected: rules.length, resources: JSON.stringify(resources) }, 'ready');
  const before = { at: performance.now(), cpu: platform.cpuMs(), rss: rssMiB(platform.pid) };
  await client.policySets.run('bench');
  await done;
  const seconds = (performance.now() - before.at) / 1000;
  const figures = [
    {
      what: `${resources.length} resources by ${rules.length} rules, to the last post-processing`,
      value: seconds,
      unit: 's',
    },
    { what: 'CPU of that', value: (platform.cpuMs() - before.cpu) / 1000, unit: 's' },
    { what: 'RSS before', value: before.rss, unit: 'MiB' },
    { what: 'RSS after', value: rssMiB(platform.pid), unit: 'MiB' },
  ];
  await platform.stop();
  return figures;
}

/** Ten thousand time tables: what they cost while nothing is due, and how late their jobs begin when all are due at once. */
async function tables(ground: Ground, scale: number): Promise<Omit<Figure, 'engine'>[]> {
  const platform = await serve(ground);
  const client = createClient(platform);
  const count = Math.round(10_000 * scale);
  // Far enough ahead for all of them to be there, and for a look at what they cost while they wait.
  const due = new Date(Date.now() + 90_000 + count * 10);
  due.setMilliseconds(0);
  const documents = Array.from(
    { length: count },
    (_, n) => `job: at-${n}\non: { cron: "${due.toISOString()}" }\nsteps: [noop]\n`,
  );
  for (let at = 0; at < count; at += 200) {
    await client.flows.push({ files: [{ name: 'bench.yaml', text: documents.slice(at, at + 200).join('---\n') }] });
  }
  const idle = { at: performance.now(), cpu: platform.cpuMs() };
  await new Promise((resolve) => setTimeout(resolve, Math.max(1_000, due.getTime() - Date.now() - 5_000)));
  const idleShare = (platform.cpuMs() - idle.cpu) / (performance.now() - idle.at);
  const late: number[] = [];
  while (late.length < count) {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    late.length = 0;
    for await (const run of client.runs.list({ limit: 500 })) {
      if (run.startedAt !== null) late.push(Date.parse(run.startedAt) - due.getTime());
    }
  }
  await platform.stop();
  const { p50, p99 } = percentiles(late);
  return [
    { what: `CPU of ${count} idle time tables`, value: idleShare * 100, unit: '% of a core' },
    { what: 'all due in one second: late, p50', value: p50, unit: 'ms' },
    { what: 'all due in one second: late, p99', value: p99, unit: 'ms' },
  ];
}

/** A post-processing at the receiver of the benchmark. */
async function addReceiver(platform: Served, ground: Ground): Promise<void> {
  const client = createClient(platform);
  const { id: group } = await client.groups.create({ name: 'bench' });
  await client.postProcessings.create({ name: 'bench', kind: 'webhook', group, url: `${receiverUrl(ground)}report` });
}
