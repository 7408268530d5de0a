#!/usr/bin/env node
// `npx bellwire` from the clone, with whatever Node is on PATH.
import { up } from './up.mjs';

await up('server/src/cli.ts', process.argv.slice(2));
