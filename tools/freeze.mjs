// `npm run freeze`: writes the store of this release down, for every later one to open (CONTRIBUTING.md, Releasing).
import { up } from './up.mjs';

await up('test/stores/freeze.ts', process.argv.slice(2));
