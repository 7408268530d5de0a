// `npm start`: the platform in dev mode, and one event's whole journey played against it.
import { up } from './up.mjs';

await up('server/src/cli.ts', ['demo', ...process.argv.slice(2)]);
