// A process that takes a backup and is killed in the middle of it, by itself and for certain.
import { takeBackup } from '../src/store/moving/index.ts';

const [from = '', file = '', table = ''] = process.argv.slice(2);
await takeBackup(from, {
  file,
  replaces: true,
  now: Date.now,
  release: '0.0.0-test',
  onProgress: (at) => {
    if (at.table === table && at.stage === 'carrying') process.kill(process.pid, 'SIGKILL');
  },
});
