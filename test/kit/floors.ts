// The floors of the house as rules over source files: each returns the lines that break it, with the reason.
import { codeOnly, linesOf, withoutComments, type Import, type Source } from './sources.ts';

/** A room of the house: the files it owns, and what it may import beside itself. */
interface Room {
  name: string;
  owns: RegExp;
  /** Rooms whose values and types it may import. */
  below: string[];
  /** Rooms of which it may import types only. */
  typesOf?: string[];
  /** What it is, said when somebody gets it wrong. */
  because: string;
}

const ground = ['model', 'receiver'];
const base = [...ground, 'store', 'config', 'log', 'metrics', 'clock', 'tracing'];

const rooms: Room[] = [
  { name: 'model', owns: /^server\/src\/model\//, below: [], because: 'the model is pure and stands on nothing' },
  {
    name: 'receiver',
    owns: /^receiver\/src\//,
    below: [],
    because: 'the receiver library stands alone: others install it without the server',
  },
  { name: 'clock', owns: /^server\/src\/clock\.ts$/, below: ground, because: 'the clock only tells time' },
  {
    name: 'metrics',
    owns: /^server\/src\/metrics\.ts$/,
    below: ground,
    because: 'the metrics are at the bottom: everyone counts in them',
  },
  {
    name: 'log',
    owns: /^server\/src\/log\//,
    below: ground,
    typesOf: ['config'],
    because: 'the log is at the bottom: everyone writes to it',
  },
  {
    name: 'config',
    owns: /^server\/src\/config\//,
    below: ground,
    because: 'the config is read before anything else exists',
  },
  {
    name: 'tracing',
    owns: /^server\/src\/tracing\//,
    below: [...ground, 'metrics'],
    typesOf: ['config', 'log'],
    because: 'tracing is at the bottom: everyone is traced by it',
  },
  {
    name: 'store',
    owns: /^server\/src\/store\//,
    below: [...ground, 'log', 'metrics'],
    because: 'the store knows neither who asks nor how it was configured',
  },
  {
    name: 'engine',
    owns: /^server\/src\/engine\//,
    below: base,
    because: 'engine, flow and api meet in the store, never in each other',
  },
  {
    name: 'flow',
    owns: /^server\/src\/flow\//,
    below: base,
    because: 'engine, flow and api meet in the store, never in each other',
  },
  {
    name: 'api',
    owns: /^server\/src\/api\//,
    below: base,
    because: 'engine, flow and api meet in the store, never in each other',
  },
  {
    name: 'client',
    owns: /^server\/src\/client\//,
    below: ground,
    typesOf: ['api'],
    because: 'the client runs anywhere there is fetch: of the server it may know only the shapes',
  },
  {
    name: 'cli',
    owns: /^server\/src\/cli(-[a-z-]+)?(\.ts$|\/)/,
    below: [...base, 'engine', 'flow', 'api', 'platform', 'client'],
    because: '',
  },
  {
    name: 'platform',
    owns: /^server\/src\/(metrics\/)?[a-z-]+\.ts$/, // whatever else stands beside platform.ts is part of it
    below: [...base, 'engine', 'flow', 'api'],
    because: 'the platform composes what is below it',
  },
];

function roomOf(path: string): Room | undefined {
  return rooms.find((room) => room.owns.test(path));
}

function isTest(path: string): boolean {
  return /\.test\.ts$|^test\/|^bench\/|^examples\/|^(server|receiver)\/test\//.test(path);
}

/** Lines that import from a floor above, from a sibling, or from outside the house. */
export function brokenFloors(sources: Source[]): string[] {
  const broken: string[] = [];
  for (const source of sources) {
    if (isTest(source.path)) continue;
    const room = roomOf(source.path);
    if (!room) broken.push(`${source.path}: belongs to no floor; give it a room of the house`);
    else for (const one of source.imports) broken.push(...brokenImport(source, room, one));
  }
  return broken;
}

function brokenImport(source: Source, room: Room, one: Import): string[] {
  const at = `${source.path}:${one.line} imports ${one.specifier}`;
  if (one.target === undefined && one.specifier !== '@bellwire/receiver') return brokenPackage(source, room, one);
  const target = one.target === undefined ? rooms.find(({ name }) => name === 'receiver') : roomOf(one.target);
  if (one.target !== undefined && !one.target.endsWith('.ts'))
    return [`${at}: relative imports name their file with .ts`];
  if (!target) return [`${at}: it leads out of the rooms`];
  if (target === room) return [];
  if (target.name === 'receiver' && one.target !== undefined)
    return [`${at}: the receiver is imported as @bellwire/receiver`];
  if (!room.below.includes(target.name) && !(one.typeOnly && room.typesOf?.includes(target.name))) {
    return [`${at}: ${room.name} may not import ${target.name}; ${room.because || `nothing imports ${target.name}`}`];
  }
  if (target.name !== 'store' || storeDoors[room.name]?.test(one.target ?? '')) return [];
  return [`${at}: of the store others know the contract; only the platform names its parts`];
}

/** Which files of the store a room may name: its contracts, or, for those who open one, its parts. */
const contract = /^server\/src\/store\/(?:[a-z-]+\/)?contract\.ts$/;
const storeDoors: Record<string, RegExp> = {
  engine: contract,
  flow: contract,
  api: contract,
  cli: /^server\/src\/store\/(contract|index)\.ts$/,
  platform: /./,
};

/** Functions of Node that are as pure as arithmetic; everything else of Node is I/O, time or dice. */
const pureOfNode: Record<string, string[]> = {
  'node:crypto': ['createHash', 'createHmac', 'hash', 'timingSafeEqual'],
  'node:buffer': ['Buffer', 'isUtf8', 'isAscii'],
  'node:net': ['isIP', 'isIPv4', 'isIPv6'],
  'node:util': ['isDeepStrictEqual'],
};

function brokenPackage(source: Source, room: Room, one: Import): string[] {
  const at = `${source.path}:${one.line} imports ${one.specifier}`;
  const ofNode = one.specifier.startsWith('node:');
  if (room.name === 'receiver') {
    if (ofNode && source.path.startsWith('receiver/src/adapters/')) return [];
    return [`${at}: the receiver imports nothing outside itself, and node: only in its adapters`];
  }
  if (room.name === 'client' && !one.typeOnly) return [`${at}: the client runs on fetch alone`];
  if (room.name !== 'model' || !ofNode || one.typeOnly) return [];
  const impure = one.names.filter((name) => !pureOfNode[one.specifier]?.includes(name));
  return impure.length === 0 && one.names.length > 0 ? [] : [`${at}: the model does no I/O, has no clock and no dice`];
}

/** What the model may not even call: the world is handed to it. */
const world =
  /\bDate\.now\b|\bMath\.random\b|\bnew Date\(\s*\)|\bperformance\.|\b(setTimeout|setInterval|setImmediate|fetch|queueMicrotask)\(|\bprocess\.|\bconsole\.|\bcrypto\./;

/** Lines of the model that reach for time, chance or the process. */
export function impureModel(sources: Source[]): string[] {
  const model = sources.filter(({ path }) => roomOf(path)?.name === 'model' && !isTest(path));
  return model.flatMap(({ path, text }) =>
    linesOf(codeOnly(text), world).map(
      ({ line, found }) => `${path}:${line} uses ${found}: time, dice and the world are handed to the model`,
    ),
  );
}

const processOnly = /\bprocess\.(exit\b|exitCode\b|argv\b|(on|once|addListener)\(\s*'SIG[A-Z0-9]+')/;

/** Lines outside the CLI that touch signals, exit codes or arguments. */
export function touchesProcess(sources: Source[]): string[] {
  const others = sources.filter(({ path }) => !isTest(path) && roomOf(path)?.name !== 'cli');
  return others.flatMap(({ path, text }) =>
    linesOf(withoutComments(text), processOnly).map(
      ({ line, found }) => `${path}:${line} uses ${found}: only the CLI touches the process`,
    ),
  );
}

const dumps = /^(utils?|commons?|types?|interfaces?|helpers?|misc|shared|lib)$/;

/** Files and folders named after nothing: a thing lives with its owner. */
export function namelessRooms(paths: string[]): string[] {
  const parts = (path: string): string[] => path.replace(/(\.test|\.worker)?\.[a-z]+$/, '').split('/');
  return paths
    .filter((path) => parts(path).some((part) => dumps.test(part)))
    .map((path) => `${path}: a thing lives with its owner, not in a drawer`);
}

/** Each circle of imports once, as the way around it. Types count: two files that need each other's are one. */
export function importCircles(sources: Source[]): string[] {
  const known = new Map(sources.map((source) => [source.path, source]));
  const done = new Set<string>();
  const circles: string[] = [];
  function walk(path: string, way: string[]): void {
    const start = way.indexOf(path);
    if (start >= 0) circles.push([...way.slice(start), path].join(' → '));
    if (start >= 0 || done.has(path)) return;
    for (const { target } of known.get(path)?.imports ?? [])
      if (target && known.has(target)) walk(target, [...way, path]);
    done.add(path);
  }
  for (const { path } of sources) walk(path, []);
  return circles;
}

/** Files that do not say in line 1 what they are for, and long ones that do not say why they are. */
export function unexplainedFiles(sources: Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const lines = text.split('\n');
    const first = lines[0]?.startsWith('#!') ? 1 : 0;
    const end = lines.findIndex((line, index) => index >= first && !/^(\/\/|\/?\*| \*)/.test(line));
    const head = lines.slice(first, Math.max(end, first)).join(' ');
    if (!isTest(path) && head === '') return [`${path}:1 line 1 says what the file is for`];
    if (lines.length <= 501 || /\b(lines|long|length|one file)\b/i.test(head)) return [];
    return [`${path}: ${lines.length - 1} lines; over 500 its head says in a sentence why it is that long`];
  });
}

/** The median length of the files of a house, in lines. */
export function medianLength(sources: Source[]): number {
  const lengths = sources.filter(({ path }) => !isTest(path)).map(({ text }) => text.split('\n').length - 1);
  return lengths.sort((a, b) => a - b)[Math.floor(lengths.length / 2)] ?? 0;
}
