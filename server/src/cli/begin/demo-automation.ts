// `bellwire demo automation`: a job and a policy set run, and the bodies their post-processing was sent, as they arrived.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createClient, type Client } from '../../client/index.ts';
import { startDemoPlatform, sayWhatNext } from './demo-platform.ts';
import { Failure } from '../failure.ts';
import type { Step } from './journey.ts';
import { aborted, type PlatformOptions } from './serve.ts';
import type { Session } from '../session.ts';
import { plain } from '../terminal.ts';

/** What a receiver was sent. */
interface Arrival {
  headers: Readonly<Record<string, string | undefined>>;
  body: unknown;
}

/** A receiver that answers 200 and keeps what comes. */
interface Receiver {
  url: string;
  /** Resolves with the first arrival of this type (`job` or `policy`) that was not handed out yet. */
  next(type: string, signal: AbortSignal): Promise<Arrival>;
  stop(): Promise<void>;
}

const GROUP = 'demo';
const POST_PROCESSING = 'demo-receiver';
/** What it authorizes with: a trigger of another job would be called so (R16). */
const AUTHORIZATION = 'CAAuth a-value-of-your-own';

const DOCUMENTS = `job: demo-nightly
description: What a job looks like.
group: demo
params: { table: { type: text, default: orders } }
steps:
  - name: prepare
    set: { message: "reindexed \${ params.table }" }
  - route:
      - name: orders
        if: \${ params.table == 'orders' }
        steps: [{ name: pause, wait: 1s }]
      - name: others
        else: true
        steps: [noop]
after: [demo-receiver]
---
policySet: demo-storage
description: What a policy set looks like.
group: demo
rules:
  - rule: buckets-have-owner
    resources:
      inline:
        - { arn: "arn:aws:s3:::invoices", name: invoices, tags: { Owner: finance } }
        - { arn: "arn:aws:s3:::scratch", name: scratch, tags: {} }
      id: \${ arn }
      name: \${ name }
    compliant: \${ exists(tags.Owner) }
    detail: OWNER_TAG_MISSING
after: [demo-receiver]
`;

/** How long each part may take. */
const PATIENCE_MS = 30_000;

/** Plays it, then stays until it is ended. */
export async function playAutomation(session: Session, options: PlatformOptions): Promise<void> {
  const { platform, dataFolder, step } = await startDemoPlatform(session, {
    options,
    title: 'a job and a policy set, and what their post-processing is sent',
  });
  const receiver = await startReceiver();
  try {
    await step('receiver', async () => ({ text: `answers 200 on ${receiver.url}`, result: null }));
    const client = createClient({ url: platform.url, key: platform.adminKey });
    const signal = AbortSignal.any([session.signal, AbortSignal.timeout(PATIENCE_MS)]);
    const evaluation = await play({ client, receiver, step, signal, session });
    const commands = [
      'job run demo-nightly --follow',
      'job show demo-nightly',
      `policy results ${evaluation}`,
      `post-processing test ${POST_PROCESSING}`,
    ];
    sayWhatNext(session, { url: platform.url, dataFolder, commands });
    await aborted(session.signal);
    // A terminal has just shown ^C.
    session.say(`${session.terminal.stdout.isTTY === true ? '\n' : ''}  stopping: what is under way is finished first`);
  } finally {
    await platform.stop();
    await receiver.stop();
  }
}

interface Play {
  client: Client;
  receiver: Receiver;
  step: Step;
  signal: AbortSignal;
  session: Session;
}

/** Resolves the number of the evaluation. */
async function play({ client, receiver, step, signal, session }: Play): Promise<number> {
  await step('hook', () => prepare(client, receiver.url));
  await step('push', async () => {
    const files = [{ name: 'demo.yaml', text: DOCUMENTS }];
    const { flows } = await client.flows.push({ files }, { signal });
    return { text: flows.map(({ name, change }) => `${name} ${change}`).join(', '), result: null };
  });
  const job = await step('job', async () => {
    const run = await client.jobs.run('demo-nightly', {}, { signal });
    return {
      text: `run ${run.id} ${await endOf(client.runs, run.id, signal)}`,
      result: await receiver.next('job', signal),
    };
  });
  const policy = await step('policy', async () => {
    const run = await client.policySets.run('demo-storage', {}, { signal });
    const end = await endOf(client.evaluations, run.id, signal);
    return { text: `evaluation ${run.id} ${end}`, result: { id: run.id, ...(await receiver.next('policy', signal)) } };
  });
  show('job', job, session);
  show('policy', policy, session);
  return policy.id;
}

/** The group, and the post-processing at the receiver's address: new ones, or those of an earlier start. */
async function prepare(client: Client, url: string): Promise<{ text: string; result: null }> {
  const groups = await client.groups.list().all();
  if (!groups.some(({ name }) => name === GROUP)) await client.groups.create({ name: GROUP });
  const known = (await client.postProcessings.list().all()).find(({ name }) => name === POST_PROCESSING);
  if (known === undefined) {
    const setting = {
      name: POST_PROCESSING,
      group: GROUP,
      kind: 'webhook' as const,
      url,
      authorization: AUTHORIZATION,
    };
    await client.postProcessings.create(setting);
  } else await client.postProcessings.change(known.id, { url, authorization: AUTHORIZATION });
  return { text: `post-processing ${POST_PROCESSING}, for jobs and policies`, result: null };
}

async function endOf(runs: Pick<Client['runs'], 'follow'>, id: number, signal: AbortSignal): Promise<string> {
  const lines = runs.follow(id, { signal });
  for (;;) {
    const next = await lines.next();
    if (next.done !== true) continue;
    const { state } = next.value;
    if (state === 'completed') return state;
    throw new Failure(`the run ${state}; see: npx bellwire job log ${id}`);
  }
}

function show(title: string, { headers, body }: Arrival, session: Session): void {
  const { paint } = session;
  const named = ['user-agent', 'content-type', 'authorization'].map((name) => [name, headers[name] ?? ''] as const);
  session.show({ arrived: title, headers: Object.fromEntries(named), body }, () => [
    '',
    `  ${paint('bold', `The ${title}, as it arrived`)}`,
    ...named.map(([name, value]) => `    ${paint('dim', `${name}: ${plain(value)}`)}`),
    ...JSON.stringify(body, null, 2)
      .split('\n')
      .map((line) => `    ${line}`),
  ]);
}

async function startReceiver(): Promise<Receiver> {
  const arrived: Arrival[] = [];
  const waiting = new Set<() => void>();
  const server = createServer((request, response) => {
    void buffer(request).then((bytes) => {
      arrived.push({ headers: request.headers as Arrival['headers'], body: JSON.parse(bytes.toString()) as unknown });
      response.end();
      for (const look of waiting) look();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    next: (type, signal) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const at = arrived.findIndex(({ body }) => (body as { type?: unknown }[])[0]?.type === type);
          if (at < 0) return;
          waiting.delete(look);
          resolve(arrived.splice(at, 1)[0] as Arrival);
        };
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        waiting.add(look);
        look();
      }),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
