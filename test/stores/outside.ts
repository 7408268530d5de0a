// The world outside of a frozen store: one server that its webhooks, jobs and token endpoints lead to, wherever they say.
//
// A store keeps addresses; the port of a test is another one each time. So everything goes through an outbound proxy,
// which leads all of it here.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { createReceiver } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';

/** What every frozen address begins with. */
export const ADDRESS = 'http://127.0.0.1:4711';

/** The secret of the webhooks that prove themselves and whose signatures are looked at. */
export const SECRET = 's3cr3tKey';

/** A request that came. */
export interface Came {
  path: string;
  /** The `webhook-id` of a delivery. */
  id: string | undefined;
  authorization: string | undefined;
}

/** The world outside. */
export interface Outside {
  /** The setting `delivery.proxy`. */
  proxy: string;
  came: Came[];
  /** Ids of the events that came to `/proved` under a signature that holds. */
  verified: string[];
  /** From now on everything is answered as it should be. */
  becomeWell(): void;
  stop(): Promise<void>;
}

/** Starts it in a bad mood: `/fails` fails, `/silent` says nothing, `/reset` hangs up. */
export async function startOutside(): Promise<Outside> {
  let isWell = false;
  const came: Came[] = [];
  const verified: string[] = [];
  const proved = toNodeListener(
    createReceiver({ secret: SECRET, otherwise: (event) => void verified.push(event.id), onFailure: () => undefined }),
  );
  const server = createServer((request, response) => {
    const path = (request.url ?? '/').split('/', 2).join('/');
    note(came, path, request);
    if (path === '/proved') return void proved(request, response);
    void buffer(request).then(() => answer(path, { response, isWell }));
  });
  const port = await listen(server);
  const sockets = new Set<Socket>();
  const proxy = createServer();
  proxy.on('connect', (_request, near: Socket) => {
    const far = connect(port, '127.0.0.1', () => {
      near.write('HTTP/1.1 200 Connection established\r\n\r\n');
      far.pipe(near).pipe(far);
    });
    for (const socket of [near, far]) sockets.add(socket.on('error', () => undefined));
  });
  return {
    proxy: `http://127.0.0.1:${await listen(proxy)}`,
    came,
    verified,
    becomeWell: () => void (isWell = true),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await Promise.all([server, proxy].map((one) => new Promise((done) => one.close(done))));
    },
  };
}

function note(came: Came[], path: string, { headers }: IncomingMessage): void {
  const id = headers['webhook-id'];
  came.push({ path, id: typeof id === 'string' ? id : undefined, authorization: headers.authorization });
}

function answer(path: string, { response, isWell }: { response: ServerResponse; isWell: boolean }): void {
  if (path === '/token') {
    response.setHeader('content-type', 'application/json');
    return void response.end('{"access_token":"t0ken","token_type":"Bearer","expires_in":3600}');
  }
  if (!isWell && path === '/silent') return;
  if (!isWell && path === '/reset') return void response.socket?.resetAndDestroy();
  if (!isWell && path === '/fails') response.statusCode = 500;
  response.end('so be it');
}

function listen(server: Server): Promise<number> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}
