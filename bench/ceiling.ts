// The bare ceiling, a process of its own: an undici dispatch loop that posts the same bytes to the same receiver, with
// nothing stored, nothing signed, nothing judged.
import { Agent } from 'undici';

const CONNECTIONS = 64;
const PAD = 'x'.repeat(960);
const body = Buffer.from(`{"data":{"pad":"${PAD}"}}`);
const headers = ['content-type', 'application/cloudevents+json; charset=utf-8'];

function post(agent: Agent, origin: string): Promise<void> {
  return new Promise((resolve, reject) => {
    agent.dispatch(
      { origin, path: '/', method: 'POST', headers, body },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: () => resolve(),
        onResponseError: (_, error) => reject(error),
      },
    );
  });
}

process.on('message', async ({ port, requests }: { port: number; requests: number }) => {
  const agent = new Agent({ connections: CONNECTIONS, pipelining: 1 });
  const origin = `http://127.0.0.1:${port}`;
  let left = requests;
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      while (left-- > 0) await post(agent, origin);
    }),
  );
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  await agent.destroy();
  process.send!({ kind: 'ceiling', perSecond: (requests / tookMs) * 1000, cpuMs: (user + system) / 1000 / requests });
});
process.on('disconnect', () => process.exit(0));
process.send!({ kind: 'ready' });
