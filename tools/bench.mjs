// `npm run bench`: deliveries per second and their cost on this machine, beside the bare ceiling.
import { up } from './up.mjs';

await up('bench/main.ts', process.argv.slice(2));
