// `npm run faults`: everything that can go wrong, again and again, with a report in bench/results/faults.md.
import { up } from './up.mjs';

await up('test/faults/main.ts', process.argv.slice(2));
