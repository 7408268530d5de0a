// The platform that marked secrets are told to: its log and answers are kept, its mail server refuses, its collector
// refuses once, and an endpoint says back all that it is sent.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { startApi, type ApiGround } from '../../server/test/api-ground.ts';
import { listenForMail, refusal } from '../../server/test/mail-server.ts';
import { startReceiver, type TestReceiver } from '../kit/receiver.ts';
import type { Marks } from './marks.ts';

export type Json = Record<string, unknown>;

export interface Ground {
  api: ApiGround;
  marks: Marks;
  /** The data folder. */
  folder: string;
  /** Where traces go, which refuses the first of them. */
  collector: TestReceiver;
  /** As the command line is told of the installation. */
  env: Record<string, string>;
  /** Says back all that it is sent, headers included, and that it failed. */
  echo: TestReceiver;
}

/** Starts it on a store. */
export async function start(t: TestContext, marks: Marks, address: string): Promise<Ground> {
  const echo = await startReceiver(({ headers, body, url }) => ({
    status: url.startsWith('/ok') ? 200 : 500,
    headers: { 'content-type': 'application/json', 'x-echo': headers.authorization ?? '' },
    body: JSON.stringify({ headers, body: body.toString() }),
  }));
  t.after(() => echo.stop());
  const refuse = async (): Promise<never> => {
    throw refusal(535, `no such user and password: ${password}`);
  };
  const password = marks.make('MailPassword');
  const port = await listenForMail(t, {
    authOptional: false,
    allowInsecureAuth: true,
    onAuth: (_auth, _session, done) => void refuse().catch(done),
    onMail: () => undefined,
  });
  const key = Buffer.from(marks.make('StoreKey', (text) => text.padEnd(32, 'k').slice(0, 32))).toString('base64');
  const collector = await startReceiver(({ headers }, nth) =>
    nth === 0 ? { status: 401, body: JSON.stringify(headers) } : { status: 200, body: '{}' },
  );
  t.after(() => collector.stop());
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-marked-'));
  const api = await startApi(t, {
    store: address,
    dataFolder: folder,
    secrets: { keys: [key] },
    mail: { host: '127.0.0.1', port, secure: 'none', user: 'bell', password, from: 'bell@gate.example' },
    challenge: { interval: '30ms', timeout: '500ms' },
    delivery: { retryDelays: ['10ms'], jitter: 0 },
    postProcessing: { interval: '1s' },
    tracing: {
      endpoint: `${collector.url}/v1/traces`,
      headers: [`authorization=${encodeURIComponent(`Bearer ${marks.make('TraceToken')}`)}`],
    },
    shutdown: { grace: '1s' },
  });
  marks.learn('AdminKey', api.platform.adminKey);
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const store: Record<string, string> = address === 'sqlite' ? {} : { BELLWIRE_STORE: address };
  const env = { BELLWIRE_DEV: 'true', BELLWIRE_DATA_FOLDER: folder, BELLWIRE_SECRETS_KEYS: key, ...store };
  return { api, marks, echo, folder, collector, env };
}

/** A request whose answer is searched. */
export async function ask(
  { api, marks }: Ground,
  what: string,
  asked: Parameters<ApiGround['ask']>[1] = {},
): Promise<Json> {
  const { status, headers, text, json } = await api.ask(what, asked);
  marks.note(`${what} ${status}`, `${JSON.stringify([...headers])} ${text}`);
  return json;
}

/** The same, and it must be done. */
export async function must(ground: Ground, what: string, body: unknown): Promise<Json> {
  const answered = await ask(ground, what, { body });
  assert.equal(answered['code'], undefined, `${what}: ${JSON.stringify(answered)}`);
  return answered;
}

/** One that makes a secret: of its answer nothing but `fields` may tell it. */
export async function make(
  { api, marks }: Ground,
  what: string,
  asked: { name: string; body?: unknown; field?: string; headers?: Record<string, string> },
): Promise<Json> {
  const { name, field = 'secret', ...of } = asked;
  const { text, json, status } = await api.ask(what, of);
  assert.ok(status < 300, `${what}: ${text}`);
  marks.note(`made: ${name}`, text);
  marks.learn(`Made${name}`, String(json[field]));
  return json;
}
