// The ground a test of the API stands on: the real platform on a free port, its admin key, and fetch.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '../src/clock.ts';
import { loadConfig } from '../src/config/index.ts';
import { createLog } from '../src/log/index.ts';
import type { Clock } from '../src/model/clock.ts';
import { startPlatform, type RunningPlatform } from '../src/platform.ts';

/** What came back. */
export interface Answered {
  status: number;
  headers: Headers;
  text: string;
  /** The body as JSON; `{}` when it is none. */
  json: Record<string, unknown>;
}

/** How a request is made, beyond method and path. */
export interface Asked {
  /** JSON unless it is text or bytes. */
  body?: unknown;
  headers?: Record<string, string>;
  /** The admin key when left out; null for none. */
  key?: string | null;
}

/** A platform under test. */
export interface ApiGround {
  platform: RunningPlatform;
  url: string;
  dataFolder: string;
  /** The lines of the log so far. */
  lines: string[];
  /** `ask('POST /v1/webhooks', { body })`. */
  ask(what: string, asked?: Asked): Promise<Answered>;
  /** The same, and the status must be this one. */
  expect(status: number, what: string, asked?: Asked): Promise<Record<string, unknown>>;
  /** The same for a refusal: a problem document of this code. */
  refused(code: string, what: string, asked?: Asked): Promise<Record<string, unknown>>;
}

/** Starts a platform in dev mode with a store of its own, gone after the test. */
export async function startApi(t: TestContext, overrides: object = {}, clock: Clock = systemClock): Promise<ApiGround> {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-api-'));
  const base = {
    dev: true,
    listen: { port: 0 },
    dataFolder: folder,
    shutdown: { grace: '2s' },
    log: { level: 'debug' },
  };
  const { config } = loadConfig({ folder, overrides: { ...base, ...overrides } });
  const lines: string[] = [];
  const log = createLog({ level: 'debug', pretty: false, destination: { write: (line: string) => lines.push(line) } });
  const platform = await startPlatform({ config, log, version: '0.0.0-test', clock });
  t.after(async () => {
    await platform.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    platform,
    url: platform.url,
    dataFolder: config.dataFolder,
    lines,
    ...asker(platform.url, platform.adminKey),
  };
}

function asker(url: string, adminKey: string): Pick<ApiGround, 'ask' | 'expect' | 'refused'> {
  async function ask(what: string, { body, headers = {}, key = adminKey }: Asked = {}): Promise<Answered> {
    const [method, path] = what.split(' ') as [string, string];
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const response = await fetch(url + path, {
      method,
      headers: {
        ...(key === null ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: isRaw ? (body as string) : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const json = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {};
    return { status: response.status, headers: response.headers, text, json };
  }
  return {
    ask,
    async expect(status, what, asked) {
      const answered = await ask(what, asked);
      assert.equal(answered.status, status, `${what}: ${answered.text}`);
      return answered.json;
    },
    async refused(code, what, asked) {
      const { status, headers, json, text } = await ask(what, asked);
      assert.equal(headers.get('content-type'), 'application/problem+json', `${what}: ${text}`);
      assert.equal(json['code'], code, `${what}: ${text}`);
      assert.equal(json['status'], status, text);
      assert.equal(json['type'], `urn:bellwire:problem:${code}`, text);
      assert.ok(status >= 400 && status < 500, text);
      return json;
    },
  };
}

/** The event type of the source document that every platform begins with. */
export const AUDIT = 'com.hpe.greenlake.audit-log.v1.logs.created';

let ids = 0;

/** A structured CloudEvent of the audit log. */
export function auditEvent(over: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    specversion: '1.0',
    id: `e${++ids}`,
    source: 'https://example.com/audit',
    type: AUDIT,
    datacontenttype: 'application/json',
    data: { id: 'a1', category: 'user_management', description: 'User logged in', created_at: 1 },
    ...over,
  };
}

/** Headers of structured mode. */
export const STRUCTURED = { 'content-type': 'application/cloudevents+json' };
/** Headers of batched mode. */
export const BATCHED = { 'content-type': 'application/cloudevents-batch+json' };
