// A webhook handler on node:http and nothing else: BELLWIRE_SECRET=… PORT=8080 npx node examples/node-receiver.ts
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createReceiver } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';

const { BELLWIRE_SECRET: secret, PORT: port = '8080' } = process.env;
if (!secret) throw new Error('set BELLWIRE_SECRET to the secret the webhook is registered with');

const receive = createReceiver({
  secret,
  on: {
    'com.hpe.greenlake.audit-log.v1.logs.created'({ id, data }) {
      console.log(`audit log ${id}: ${JSON.stringify(data.description)} (${data.category})`);
    },
  },
  otherwise: ({ type, id }) => console.log(`${type} ${id}`),
});

const server = createServer(toNodeListener(receive));
server.listen(Number(port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
