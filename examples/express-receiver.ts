// A webhook handler as one route of an Express app: BELLWIRE_SECRET=… PORT=8080 npx node examples/express-receiver.ts
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createReceiver } from '@bellwire/receiver';
import { toExpress } from '@bellwire/receiver/express';

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

const app = express();
// Before express.json(): the signature covers the raw bytes, which a parser would throw away.
app.all('/', toExpress(receive));
app.use(express.json());
app.post('/echo', (request, response) => void response.json(request.body));

const server = app.listen(Number(port), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
