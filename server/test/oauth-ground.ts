// A token endpoint for tests that says whatever it is told to, and what it was asked.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { OAuthClient } from '../src/model/webhook.ts';

/** One request for a token. */
export interface TokenAsked {
  method: string;
  path: string;
  authorization: string | undefined;
  form: URLSearchParams;
}

export interface TokenEndpoint {
  url: string;
  asked: TokenAsked[];
}

/** What is answered: a status with a body (JSON unless it is text), or a function that does as it likes. */
export type TokenAnswer = { status?: number; body: unknown; headers?: Record<string, string> } | Answering;
type Answering = (response: ServerResponse, request: IncomingMessage) => void;

/** Starts one; it ends with the test. */
export async function startTokenEndpoint(
  t: TestContext,
  answer: (asked: TokenAsked, count: number) => TokenAnswer,
  host = '127.0.0.1',
): Promise<TokenEndpoint> {
  const asked: TokenAsked[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request;
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const one = { method, path, authorization: headers.authorization, form };
      asked.push(one);
      const said = answer(one, asked.length);
      if (typeof said === 'function') return said(response, request);
      const isText = typeof said.body === 'string';
      response.writeHead(said.status ?? 200, { 'content-type': 'application/json', ...said.headers });
      response.end(isText ? said.body : JSON.stringify(said.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://${host}:${(server.address() as AddressInfo).port}/token`, asked };
}

/** A client of an endpoint. */
export function clientOf(tokenUrl: string, over: Partial<OAuthClient> = {}): OAuthClient {
  return { tokenUrl, clientId: 'bellwire', auth: 'basic', scope: null, audience: null, resource: null, ...over };
}
