// A node of its own process that a test kills: a flow engine over the store it is given, on the machine's clock.
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import { createFlows } from '../src/flow/index.ts';
import { systemClock } from '../src/clock.ts';
import { openKeyring } from '../src/store/keyring.ts';
import { openStore } from '../src/store/index.ts';

const [address, key, node] = process.argv.slice(2) as [string, string, string];
const store = await openStore({
  address,
  keyring: openKeyring({ keys: [key] }),
  node,
  limits: { fanout: 1000, group: 1000 },
  connections: 4,
  onError: (error) => console.error(error),
});
const lanes = await store.lanes.take(node, Date.now(), 60_000);
const transport = createTransport({ guard: createAddressGuard({ allow: ['127.0.0.0/8'] }), userAgent: 'victim' });
const none = (): Promise<never> => Promise.reject(new Error('not in this test'));
const engine = createFlows({
  store,
  clock: systemClock,
  lanes: { owned: () => lanes },
  concurrency: 16,
  maxDepth: 10,
  limits: { stepBytes: 262_144, logBytes: 1_000_000, steps: 10_000 },
  fetch: fetchOver((request) => transport.send(request)),
  publish: none,
  sendMail: none,
  evaluate: none,
  onError: (error) => console.error(error),
});
engine.start();
