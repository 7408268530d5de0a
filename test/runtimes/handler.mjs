// A handler by the installed receiver, served as the runtime serves: says where it listens, then each event it was sent.
import { createReceiver } from '@bellwire/receiver';

const receive = createReceiver({ secret: 's3cr3tKey', otherwise: ({ type, id }) => console.log(`${type} ${id}`) });
const hostname = '127.0.0.1';
const say = (port) => console.log(`listening on http://${hostname}:${port}/`);

if ('Deno' in globalThis) {
  globalThis.Deno.serve({ hostname, port: 0, onListen: ({ port }) => say(port) }, receive);
} else if ('Bun' in globalThis) {
  say(globalThis.Bun.serve({ hostname, port: 0, fetch: receive }).port);
} else {
  const { createServer } = await import('node:http');
  const { toNodeListener } = await import('@bellwire/receiver/node');
  const server = createServer(toNodeListener(receive));
  server.listen(0, hostname, () => say(server.address().port));
}
