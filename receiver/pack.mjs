// Points the exports of package.json at the built files while npm packs, and back at the sources afterwards.
// npm has no setting for that (`publishConfig.exports` is pnpm's and yarn's), and Node strips no types in node_modules.
// Both directions are computed from the exports themselves, so a pack that broke off is repaired by `restore`.
import { copyFileSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const file = new URL('package.json', import.meta.url);
const original = new URL('../LICENSE', import.meta.url);
const license = new URL('LICENSE', import.meta.url);

/** `./src/x.ts`, from whichever form an export has. */
function sourceOf(target) {
  return (target.default ?? target).replace('./dist/', './src/').replace(/\.js$/, '.ts');
}

function built(source) {
  const stem = source.replace('./src/', './dist/').replace(/\.ts$/, '');
  return { types: `${stem}.d.ts`, default: `${stem}.js` };
}

const packing = process.argv[2] === 'prepare';
const manifest = JSON.parse(readFileSync(file, 'utf8'));
for (const [entry, target] of Object.entries(manifest.exports)) {
  manifest.exports[entry] = packing ? built(sourceOf(target)) : sourceOf(target);
}
writeFileSync(file, `${JSON.stringify(manifest, null, 2)}\n`);
if (packing && existsSync(original)) copyFileSync(original, license);
else rmSync(license, { force: true });
