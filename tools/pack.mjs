// `npm run pack`: builds the two packages as npm would publish them, and packs them into dist/.
// `-- <folder>` packs them elsewhere, `-- <folder> receiver` only that one.
// In the repository their exports name TypeScript, which Node runs anywhere but inside node_modules; npm has no setting
// for other exports in what it packs (`publishConfig.exports` is pnpm's and yarn's). So each package is put together in a
// folder of its own under dist/, and no file of the work tree is ever touched, however a pack may end.
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { Stop, findNpm, root } from './install.mjs';
import { orSay, readyNode } from './up.mjs';

/** What is packed: the receiver first, since the server is compiled against its built types. */
const packages = [
  {
    source: 'receiver',
    target: 'es2022',
    files: { LICENSE: 'LICENSE', 'receiver/README.md': 'README.md' },
  },
  {
    source: 'server',
    target: 'esnext',
    bin: { bellwire: 'dist/cli.js' },
    files: {
      LICENSE: 'LICENSE',
      'server/README.md': 'README.md',
      'server/bellwire.default.yaml': 'bellwire.default.yaml',
      'examples/flows': 'examples/flows',
      docs: 'docs',
    },
  },
];

await orSay(async () => {
  if (process.argv[2] === '--refuse') {
    throw new Stop('this folder holds the TypeScript; `npm run pack` in the clone builds the packages into dist/.');
  }
  const [out = join(root, 'dist'), only] = process.argv.slice(2);
  const node = await readyNode();
  for (const one of packages.filter(({ source }) => only === undefined || source === only)) {
    console.log(describe(pack({ ...one, out: resolve(out), node })));
  }
  return 0;
});

/** Puts one package together in `<out>/<name>/` and packs it; what npm says of the tarball. */
function pack({ source, target, bin, files, out, node }) {
  const manifest = JSON.parse(readFileSync(join(root, source, 'package.json'), 'utf8'));
  const folder = join(out, basename(manifest.name));
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  compile({ source, target, folder, out, node });
  keepDeclarations(
    folder,
    Object.values(manifest.exports).map((entry) => built(entry).types),
  );
  for (const [from, to] of Object.entries(files)) cpSync(join(root, from), join(folder, to), { recursive: true });
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(published(manifest, bin), null, 2)}\n`);
  const [npm, ...npmArgs] = findNpm();
  const args = ['pack', folder, '--json', '--ignore-scripts', '--pack-destination', out];
  const [tarball] = JSON.parse(run(npm, [...npmArgs, ...args], out));
  return { ...tarball, file: join(out, tarball.filename) };
}

/** Type-checks and emits. The settings are the repository's; a file because `paths` has no option on a command line. */
function compile({ source, target, folder, out, node }) {
  const settings = join(out, `tsconfig.${source}.json`);
  const compilerOptions = {
    noEmit: false,
    rootDir: join(root, source, 'src'),
    outDir: join(folder, 'dist'),
    declaration: true,
    target,
    rewriteRelativeImportExtensions: true,
    typeRoots: [join(root, 'node_modules', '@types')],
    paths: {
      '@bellwire/receiver': [join(out, 'receiver/dist/index.d.ts')],
      '@bellwire/receiver/*': [join(out, 'receiver/dist/adapters/*.d.ts')],
    },
  };
  const content = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [join(root, source, 'src')],
    exclude: [join(root, source, 'src/**/*.test.ts')],
  };
  writeFileSync(settings, JSON.stringify(content));
  run(node, [join(root, 'node_modules/typescript/bin/tsc'), '-p', settings], root);
  rmSync(settings);
}

/**
 * Declarations that no export leads to are removed. Those that stay name each other by `.js`: the compiler rewrites the
 * `.ts` of imports in what it emits as JavaScript, and nowhere else.
 */
function keepDeclarations(folder, entries) {
  const kept = new Set();
  const keep = (file) => {
    if (kept.has(file)) return;
    kept.add(file);
    const text = readFileSync(file, 'utf8').replace(
      /(\bfrom '|\bimport\('|^import ')(\.{1,2}\/[^']+)\.ts'/gm,
      (_, before, path) => {
        keep(resolve(dirname(file), `${path}.d.ts`));
        return `${before}${path}.js'`;
      },
    );
    writeFileSync(file, text);
  };
  for (const entry of entries) keep(join(folder, entry));
  const all = readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true });
  for (const { name, parentPath } of all) {
    const file = join(parentPath, name);
    if (name.endsWith('.d.ts') && !kept.has(file)) rmSync(file);
  }
}

/** The manifest as published: what only the repository needs left out, the exports where the built files are. */
function published(manifest, bin) {
  const { exports } = manifest;
  const entries = Object.entries(exports).map(([entry, source]) => [entry, built(source)]);
  const left = { private: undefined, scripts: undefined };
  return { ...manifest, ...left, ...(bin ? { bin } : {}), exports: Object.fromEntries(entries) };
}

/** `./src/x.ts` as its built files. */
function built(source) {
  const stem = source.replace('./src/', './dist/').replace(/\.ts$/, '');
  return { types: `${stem}.d.ts`, default: `${stem}.js` };
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Stop(`${basename(command)} failed:\n${error?.message ?? stdout + stderr}`);
  return stdout;
}

function describe({ file, size, unpackedSize, entryCount }) {
  const kilobytes = (bytes) => `${Math.round(bytes / 1_000)} kB`;
  const sizes = `${kilobytes(size)}, ${kilobytes(unpackedSize)} in ${entryCount} files when unpacked`;
  return `${relative(process.cwd(), file)} (${sizes})`;
}
