// `npm test`: all tests, with a real PostgreSQL for the run. Arguments name files or folders to run a part.
import { up } from './up.mjs';

await up('test/kit/run.ts', process.argv.slice(2));
