// A node of its own for a test: takes all lanes of the store at the address given, says so, and stays until killed.
import { makeKey, openKeyring } from '../src/store/keyring.ts';
import { openStore } from '../src/store/index.ts';
import { NOON } from './store-furniture.ts';

const [address = '', key = makeKey()] = process.argv.slice(2);
const node = `holder-${process.pid}`;
const store = await openStore({
  address,
  node,
  keyring: openKeyring({ keys: [key] }),
  limits: { fanout: 1000, group: 1000 },
  connections: 4,
  onError: () => undefined,
});
const lanes = await store.lanes.take(node, NOON, 60_000);
process.stdout.write(`${lanes.length} lanes\n`);
setInterval(() => undefined, 1000);
