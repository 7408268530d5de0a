// A real browser for pages of ours: Chromium, where there is one, driven over its DevTools protocol.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';

type Json = Record<string, unknown>;

/** A tab that has loaded a page. */
export interface Tab {
  /** What it asked for, by URL, and what it has to say on its console. */
  asked: string[];
  said: string[];
  /** Loads a page, at a width and in a colour scheme. */
  open(url: string, look?: { width?: number; dark?: boolean }): Promise<void>;
  /** The value of an expression in the page. */
  value(expression: string): Promise<unknown>;
}

/** A program on PATH, by the first of its names. */
export function onPath(...names: string[]): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Chromium's file, where there is one. */
export const chromium = onPath('chromium', 'chromium-browser', 'google-chrome');

const QUIET = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'];
// Whatever the browser itself would ask for goes to a proxy that is not there; loopback goes past it.
QUIET.push('--disable-background-networking', '--disable-component-update', '--proxy-server=127.0.0.1:9');

/** Starts a browser with one tab; it ends with the test. */
export async function startTab(t: TestContext): Promise<Tab> {
  const profile = mkdtempSync(join(tmpdir(), 'bellwire-browser-'));
  const flags = [...QUIET, `--user-data-dir=${profile}`, '--remote-debugging-port=0', 'about:blank'];
  const child = spawn(chromium as string, flags, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const gone = once(child, 'close');
  t.after(async () => {
    // The whole group: a shell script may stand before the browser, and the browser has processes of its own.
    if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    await gone;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  });
  const socket = new WebSocket(await addressIn(child.stderr));
  await once(socket, 'open');
  return tabOf(socket);
}

async function addressIn(stderr: NodeJS.ReadableStream): Promise<string> {
  for await (const line of createInterface({ input: stderr })) {
    const found = /^DevTools listening on (ws:\S+)/.exec(line)?.[1];
    if (found !== undefined) return found;
  }
  return assert.fail('the browser ended before it listened');
}

async function tabOf(socket: WebSocket): Promise<Tab> {
  const waiting = new Map<number, (answer: Json) => void>();
  const loaded: (() => void)[] = [];
  const [asked, said]: [string[], string[]] = [[], []];
  let sessionId: unknown;
  let last = 0;
  const call = (method: string, params: Json = {}): Promise<Json> =>
    new Promise((resolve) => {
      waiting.set(++last, resolve);
      socket.send(JSON.stringify({ id: last, method, params, ...(sessionId === undefined ? {} : { sessionId }) }));
    });
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params = {}, result, error } = JSON.parse(String(data)) as Json & { params?: Json };
    if (typeof id === 'number') waiting.get(id)?.((result ?? { error }) as Json);
    if (method === 'Network.requestWillBeSent') asked.push((params['request'] as { url: string }).url);
    if (method === 'Page.loadEventFired') loaded.shift()?.();
    if (['Log.entryAdded', 'Runtime.consoleAPICalled', 'Runtime.exceptionThrown'].includes(String(method))) {
      said.push(JSON.stringify(params));
    }
  });
  const { targetId } = await call('Target.createTarget', { url: 'about:blank' });
  ({ sessionId } = await call('Target.attachToTarget', { targetId, flatten: true }));
  for (const domain of ['Network', 'Page', 'Runtime', 'Log']) await call(`${domain}.enable`);
  return {
    asked,
    said,
    async open(url, { width = 1_280, dark = false } = {}) {
      await call('Emulation.setDeviceMetricsOverride', {
        width,
        height: 900,
        deviceScaleFactor: 1,
        mobile: width < 600,
      });
      const features = [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }];
      await call('Emulation.setEmulatedMedia', { features });
      const load = new Promise<void>((done) => loaded.push(done));
      await call('Page.navigate', { url });
      await load;
    },
    async value(expression) {
      const { result } = (await call('Runtime.evaluate', { expression, returnByValue: true })) as { result: Json };
      return result['value'];
    },
  };
}
