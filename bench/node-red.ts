// Node-RED, installed from the registry for this run only, with the same two routes: a challenge is answered with its
// HMAC, an event with 200. It verifies nothing and stores nothing, for nothing in such a flow does.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { cpuMsOf } from './machine.ts';

/** The version that is compared with. */
const VERSION = '5.0.7';

/** A Node-RED that runs. */
export interface NodeRed {
  version: string;
  port: number;
  /** Where its hook is. */
  path: string;
  cpuMs(): number;
  stop(): Promise<void>;
}

/** Installs it below `folder` and starts it; a reason in words where that is not possible. */
export async function startNodeRed(folder: string, secret: string): Promise<NodeRed | string> {
  const home = join(folder, 'node-red');
  mkdirSync(home, { recursive: true });
  writeFileSync(join(home, 'package.json'), '{ "private": true }\n');
  try {
    const words = ['install', `node-red@${VERSION}`, '--no-audit', '--no-fund', '--ignore-scripts'];
    execFileSync('npm', words, { cwd: home, stdio: 'ignore', timeout: 300_000 });
  } catch (error) {
    return `node-red ${VERSION} cannot be installed: ${(error as Error).message}`;
  }
  const port = await freePort();
  writeFileSync(join(home, 'flows.json'), JSON.stringify(flows(secret)));
  writeFileSync(join(home, 'settings.js'), SETTINGS);
  const script = join(home, 'node_modules', 'node-red', 'red.js');
  const words = [script, '--userDir', home, '--settings', join(home, 'settings.js'), '--port', `${port}`, 'flows.json'];
  const child = spawn(process.execPath, words, { cwd: home, stdio: ['ignore', 'pipe', 'inherit'] });
  await started(child);
  return {
    version: VERSION,
    port,
    path: '/hook',
    cpuMs: () => cpuMsOf(child.pid!),
    stop: async () => {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill();
      await ended;
    },
  };
}

const SETTINGS = `module.exports = {
  uiHost: '127.0.0.1',
  disableEditor: true,
  httpAdminRoot: false,
  functionGlobalContext: { crypto: require('node:crypto') },
  logging: { console: { level: 'info', metrics: false, audit: false } },
  diagnostics: { enabled: false },
};
`;

/** http in → switch → (function → response | response), as the editor exports it. */
function flows(secret: string): object[] {
  const at = { z: 'tab', x: 0, y: 0 };
  const rule = { t: 'nnull' };
  const hmac = [
    'const challenge = msg.payload.data.challengeRequest;',
    `const hmac = global.get('crypto').createHmac('sha256', ${JSON.stringify(secret)}).update(challenge).digest('hex');`,
    'msg.payload = { verification: hmac };',
    'return msg;',
  ];
  const code = { func: hmac.join('\n'), outputs: 1, timeout: 0, noerr: 0, initialize: '', finalize: '', libs: [] };
  const property = { property: 'payload.data.challengeRequest', propertyType: 'msg' };
  return [
    { id: 'tab', type: 'tab', label: 'hook', disabled: false },
    { id: 'in', type: 'http in', ...at, name: '', url: '/hook', method: 'post', upload: false, wires: [['routes']] },
    {
      id: 'routes',
      type: 'switch',
      ...at,
      name: 'challenge or event',
      ...property,
      rules: [rule, { t: 'else' }],
      checkall: 'false',
      repair: false,
      outputs: 2,
      wires: [['hmac'], ['done']],
    },
    { id: 'hmac', type: 'function', ...at, name: 'hmac', ...code, wires: [['answer']] },
    { id: 'answer', type: 'http response', ...at, name: '', statusCode: '200', headers: {}, wires: [] },
    {
      id: 'done',
      type: 'change',
      ...at,
      name: 'row',
      rules: [
        ...Object.entries({ A: 'time', B: 'data.user.username', C: 'data.description' }).map(([cell, field]) => {
          return { t: 'set', p: `row.${cell}`, pt: 'msg', to: `payload.${field}`, tot: 'msg' };
        }),
        { t: 'set', p: 'payload', pt: 'msg', to: '', tot: 'str' },
      ],
      wires: [['taken']],
    },
    { id: 'taken', type: 'http response', ...at, name: '', statusCode: '200', headers: {}, wires: [] },
  ];
}

async function started(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('Node-RED ended early')));
    child.stdout!.on('data', (chunk: Buffer) => {
      if (chunk.toString().includes('Started flows')) resolve();
    });
  });
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
