// The handler beside what could stand in its place, in one run: bare node:http, Node-RED with the same two routes, a hook
// that verifies and keeps each request, and the seed's scenario from the signed request to the row in the sheet.
import { createHmac } from 'node:crypto';
import { createClient } from '../server/src/client/index.ts';
import { percentiles, type Figure } from './figures.ts';
import { cpuMsOf } from './machine.ts';
import { serve, TEMPORARY, type Ground } from './measure.ts';
import { startNodeRed } from './node-red.ts';
import { start } from './processes.ts';
import { Poster } from './wire.ts';

type Figures = Omit<Figure, 'engine'>[];

/** What is measured, by the name that `--case=handler/NAME` takes; `scale` 1 is the whole of it. */
export const HANDLER: Record<string, (ground: Ground, scale: number) => Promise<Figures>> = { hooks };

const SECRET = 's3cr3tKey';
/** As many callers as the aim for the reply's p99 speaks of. */
const CONNECTIONS = 20;
/** Requests before anything is measured: until the code is compiled, what is measured is the compiler. */
const WARM_UP = 5_000;

const SCENARIO = `scenario: bench
on: { hook: { verify: greenlake, secret: BENCH, challenge: pass, dedupe: "\${ body.id }" } }
steps:
  - route:
      - name: challenge
        if: \${ exists(body.data.challengeRequest) }
        steps:
          - set: { hmac: "\${ sha256(body.data.challengeRequest; 'hex'; secret.BENCH) }" }
          - reply: { status: 200, headers: { content-type: application/json }, body: { verification: "\${ hmac }" } }
      - name: events
        else: true
        steps:
          - sheet.append: { to: Bench, row: { A: "\${ body.time }", B: "\${ body.data.user.username }", C: "\${ body.data.description }" } }
          - reply: { status: 200 }
`;

async function hooks(ground: Ground, scale: number): Promise<Figures> {
  const count = Math.round(30_000 * scale);
  const figures: Figures = [];
  const bare = await start('bare.ts');
  figures.push(
    ...(await load('bare node:http', { port: bare.greeting['port'] as number, path: '/', pid: bare.pid, count })),
  );
  await bare.end();
  const nodeRed = await startNodeRed(TEMPORARY, SECRET);
  if (typeof nodeRed === 'string') console.log(nodeRed);
  else {
    const name = `Node-RED ${nodeRed.version}, two routes, nothing verified or stored`;
    figures.push(...(await load(name, { ...nodeRed, count })));
    await nodeRed.stop();
  }
  const receive = 'scenario: bench\non: { hook: { verify: greenlake, secret: BENCH } }\n';
  figures.push(...(await onPlatform('verified, kept, answered', receive, { ground, count })));
  figures.push(
    ...(await onPlatform('the scenario of the seed, to the row and the reply', SCENARIO, { ground, count })),
  );
  const rateOf = (part: string): number =>
    figures.find(({ what, unit }) => what.startsWith(part) && unit === 'requests/s')?.value ?? NaN;
  if (typeof nodeRed === 'string') return figures;
  for (const part of ['verified', 'the scenario']) {
    figures.push({ what: `${part} ÷ Node-RED`, value: rateOf(part) / rateOf('Node-RED'), unit: '×' });
  }
  return figures;
}

async function onPlatform(
  what: string,
  document: string,
  { ground, count }: { ground: Ground; count: number },
): Promise<Figures> {
  const platform = await serve(ground);
  const client = createClient(platform);
  await client.secrets.set('BENCH', SECRET);
  await client.flows.push({ files: [{ name: 'bench.yaml', text: document }] });
  const { hook } = await client.scenarios.get('bench');
  const port = Number(new URL(platform.url).port);
  const figures = await load(what, { port, path: hook!.path, cpuMs: () => platform.cpuMs(), count });
  await platform.stop();
  return figures;
}

interface Target {
  port: number;
  path: string;
  pid?: number;
  cpuMs?(): number;
  count: number;
}

/** Signed events, each with an id of its own, over connections that are kept. */
async function load(
  what: string,
  { port, path, pid = 0, cpuMs = () => cpuMsOf(pid), count }: Target,
): Promise<Figures> {
  const posters = await Promise.all(Array.from({ length: CONNECTIONS }, () => Poster.open(port)));
  const delays: number[] = [];
  const post = async (requests: readonly Signed[]): Promise<void> => {
    let next = 0;
    await Promise.all(
      posters.map(async (poster) => {
        for (let at = next++; at < requests.length; at = next++) {
          const { signature, body } = requests[at]!;
          const startedAt = performance.now();
          const { status } = await poster.post(headOf(path, signature), body);
          if (status !== 200) throw new Error(`${what}: answered ${status}`);
          delays.push(performance.now() - startedAt);
        }
      }),
    );
  };
  await post(events(0, Math.min(WARM_UP, count)));
  const requests = events(WARM_UP, count);
  delays.length = 0;
  const before = { at: performance.now(), cpu: cpuMs() };
  await post(requests);
  const seconds = (performance.now() - before.at) / 1000;
  const cpu = (cpuMs() - before.cpu) / count;
  for (const poster of posters) poster.close();
  const { p50, p99 } = percentiles(delays);
  return [
    { what, value: count / seconds, unit: 'requests/s' },
    { what: `${what}: CPU per request`, value: cpu, unit: 'ms' },
    { what: `${what}: reply, p50`, value: p50, unit: 'ms' },
    { what: `${what}: reply, p99`, value: p99, unit: 'ms' },
  ];
}

interface Signed {
  body: Buffer;
  signature: string;
}

/** Audit-log events as the seed has them, signed as HPE GreenLake signs. */
function events(from: number, count: number): Signed[] {
  return Array.from({ length: count }, (_, n) => {
    const body = Buffer.from(JSON.stringify({ ...EVENT, id: `event-${from + n}` }));
    return { body, signature: `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}` };
  });
}

function headOf(path: string, signature: string): string {
  const type = 'application/cloudevents+json; charset=utf-8';
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: ${type}\r\nhpe-webhook-signature: ${signature}\r\n`;
}

const EVENT = {
  specversion: '1.0',
  id: '',
  source: 'https://global.api.greenlake.hpe.com/audit-log',
  type: 'com.hpe.greenlake.audit-log.v1.logs.created',
  datacontenttype: 'application/json',
  time: '2026-11-23T09:30:00.000Z',
  data: {
    id: '1c7f0d8e-6f1a-4d34-9d2b-0a5f1f0c7c11',
    user: { username: 'ops@example.com' },
    workspace: { id: '3009de2825f211ec8a84fedebcb4a754', workspace_name: null, workspace_type: null },
    application: { id: '00000000-0000-0000-0000-000000000000' },
    category: 'User Management',
    description: 'User ops@example.com logged in via ping mode.',
    created_at: 1795426200000,
    updated_at: 1795426200000,
    additional_info: { ip_address: '192.0.2.7', account_name: 'example', ip_address_str: '192.0.2.7' },
    has_details: false,
  },
};
