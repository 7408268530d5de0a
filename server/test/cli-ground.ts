// The ground of the client's and the CLI's tests: a real platform in a folder of its own, the real command line, a
// handler, and a proxy whose connections can be cut.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { createReceiver, type CloudEvent } from '@bellwire/receiver';
import { toNodeListener } from '@bellwire/receiver/node';
import { loadConfig } from '../src/config/index.ts';
import { createLog } from '../src/log/index.ts';
import { startPlatform, type RunningPlatform } from '../src/platform.ts';

export const AUDIT_LOG = 'com.hpe.greenlake.audit-log.v1.logs.created';
export const EXPIRING = 'com.hpe.greenlake.subscriptions.v1.expiring-subscriptions';

const cli = join(import.meta.dirname, '../src/cli.ts');
// One cache for all runs: what is compiled once starts in a third of the time.
const cache = join(tmpdir(), `bellwire-test-cache-${process.versions.node}`);

/** A folder that is gone after the tests. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-cli-'));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A platform in dev mode on a free port, its data in `<folder>/data`, where the CLI finds it. */
export async function startGround(): Promise<{ folder: string; platform: RunningPlatform; stop: () => Promise<void> }> {
  const { folder, remove } = temporaryFolder();
  const { config } = loadConfig({ folder, overrides: { dev: true, listen: { port: 0 }, shutdown: { grace: '2s' } } });
  const log = createLog({ level: 'silent', pretty: false, destination: process.stderr });
  const platform = await startPlatform({ config, log, version: '0.0.0' });
  return {
    folder,
    platform,
    async stop() {
      await platform.stop();
      remove();
    },
  };
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  folder: string;
  stdin?: string | Uint8Array;
  env?: Record<string, string>;
}

/** Starts the command line as users do; nothing of this process's environment leaks in. */
export function spawnBellwire(args: readonly string[], { folder, env = {} }: RunOptions) {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, [cli, ...args], {
    cwd: folder,
    env: { PATH, NODE_COMPILE_CACHE: cache, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
}

/** Runs a command to its end. */
export async function bellwire(args: readonly string[], options: RunOptions): Promise<Ended> {
  const child = spawnBellwire(args, options);
  child.stdin.on('error', () => undefined).end(options.stdin ?? '');
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code: code as number | null, stdout, stderr };
}

/** The JSON documents of machine output, one per line. */
export function documents<T = Record<string, unknown>>({ stdout }: Pick<Ended, 'stdout'>): T[] {
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

export interface Handler {
  url: string;
  /** Events that were verified, in the order of their arrival. */
  events: CloudEvent[];
  /** Resolves when so many have arrived. */
  arrived(count: number): Promise<CloudEvent[]>;
  /** Answers 500 to deliveries from now on, or no longer. */
  fail(isFailing: boolean): void;
  stop(): Promise<void>;
}

/** A webhook handler on loopback, made with our own receiver. */
export async function startHandler(secret: string): Promise<Handler> {
  const events: CloudEvent[] = [];
  const waiting = new Set<() => void>();
  let isFailing = false;
  const receiver = createReceiver({
    secret,
    onFailure: () => undefined,
    otherwise(event) {
      if (isFailing) throw new Error('told to fail');
      events.push(event);
      for (const look of waiting) look();
    },
  });
  const server = createHttpServer(toNodeListener(receiver)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    events,
    fail: (value) => (isFailing = value),
    arrived: (count) =>
      new Promise((resolve) => {
        const look = () => {
          if (events.length < count) return;
          waiting.delete(look);
          resolve(events);
        };
        waiting.add(look);
        look();
      }),
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

export interface CuttableProxy {
  url: string;
  /** Cuts every connection and takes none, or takes them again. */
  cut(isCut: boolean): void;
  /** Connections ever made. */
  connections(): number;
  stop(): void;
}

/** A TCP proxy in front of a platform, for what happens when the network breaks. */
export async function startProxy(target: string): Promise<CuttableProxy> {
  const { port, hostname } = new URL(target);
  const sockets = new Set<Socket>();
  let isCut = false;
  let count = 0;
  const server = createServer((inbound) => {
    count++;
    if (isCut) return void inbound.destroy();
    const outbound = connect(Number(port), hostname);
    for (const socket of [inbound, outbound]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(socket);
          inbound.destroy();
          outbound.destroy();
        });
    }
    inbound.pipe(outbound).pipe(inbound);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const destroyAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    connections: () => count,
    cut(value) {
      isCut = value;
      if (value) destroyAll();
    },
    stop() {
      server.close();
      destroyAll();
    },
  };
}
