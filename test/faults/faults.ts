// The faults: what goes wrong while a thousand events a second are published, a backlog waits and retries fall due.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { failPoints } from '../kit/platform-entry.ts';
import type { Fault, Scale, Setting } from './fault.ts';
import { Ground, type Play, type Sum } from './ground.ts';
import { playHook } from './hook-play.ts';

const BOTH = ['SQLite', 'PostgreSQL'] as const;
const HOUR_MS = 3_600_000;

/** Every instant that the promise rests on; at `send` only the endpoint knows when. */
const POINTS = [...failPoints, 'send'] as const;

/** Nothing acknowledged is lost, and no publisher waits for a subscriber. */
const LOST_NOTHING = 'R124 R53';

/** All of them. */
export const faults: readonly Fault[] = [
  { name: 'kill -9 at random instants', engines: BOTH, isKilling: true, shows: LOST_NOTHING, play: killed },
  { name: 'kill -9 while requests come to a hook', engines: BOTH, isKilling: true, shows: 'R106 R103', play: playHook },
  { name: 'kill -9 between accept, send and settle', engines: BOTH, shows: LOST_NOTHING, play: killedAtPoints },
  {
    name: 'PostgreSQL is shut down and started again',
    engines: ['PostgreSQL'],
    shows: LOST_NOTHING,
    play: (s) => away(s, 'SIGINT'),
  },
  {
    name: 'PostgreSQL is killed with -9 and started again',
    engines: ['PostgreSQL'],
    shows: LOST_NOTHING,
    play: (s) => away(s, 'SIGKILL'),
  },
  { name: 'the connections to PostgreSQL are cut', engines: ['PostgreSQL'], shows: LOST_NOTHING, play: cut },
  { name: 'the connections to PostgreSQL go silent', engines: ['PostgreSQL'], shows: LOST_NOTHING, play: silent },
  { name: 'the process is frozen for longer than every time-out', engines: BOTH, shows: LOST_NOTHING, play: frozen },
  { name: 'the clock steps by an hour, forward and back', engines: BOTH, shows: LOST_NOTHING, play: clockSteps },
  { name: 'the disk is full', engines: ['SQLite'], shows: LOST_NOTHING, skip: withoutSmallDisk(), play: diskFull },
];

async function on(play: Play, act: (ground: Ground) => Promise<void>, withinMs = 40_000): Promise<Sum> {
  const ground = await Ground.prepare(play);
  try {
    await act(ground);
    return await ground.settle(withinMs);
  } finally {
    await ground.clear();
  }
}

function killed({ engine, postgres, seed, scale }: Setting): Promise<Sum> {
  return on({ engine, postgres, seed }, async (ground) => {
    const { dice, publisher } = ground;
    for (let kill = 1; kill <= scale.kills; kill++) {
      // In trouble over two kills out of three: what it refused falls due while the platform is down.
      ground.trouble(kill % 3 !== 0);
      await ground.publish(800 + dice() * 1200);
      await wait(dice() * 40);
      await ground.fault(async () => {
        const platform = await ground.platform;
        await platform.kill();
        await ground.restart();
      });
      await publisher.repeatLast();
    }
  });
}

function killedAtPoints({ engine, postgres, seed }: Setting): Promise<Sum> {
  return on({ engine, postgres, seed, process: { failAt: POINTS[0] } }, async (ground) => {
    const { endpoint } = ground;
    ground.trouble(true);
    for (const [i, point] of POINTS.entries()) {
      const doomed = await ground.platform;
      await ground.fault(async () => {
        if (point === 'send') endpoint.onRequest = () => doomed.kill();
        assert.equal(await doomed.ended, 'SIGKILL', point);
        endpoint.onRequest = null;
        await ground.restart({ failAt: POINTS[i + 1] });
      });
    }
    await ground.publish(500);
    assert.ok(ground.publisher.found > 0, 'what was committed unsaid is answered as a repetition');
  });
}

function away({ engine, postgres, seed, scale }: Setting, signal: 'SIGINT' | 'SIGKILL'): Promise<Sum> {
  return on({ engine, postgres, seed, env: shortened(scale) }, async (ground) => {
    ground.trouble(true);
    await ground.publish(1500);
    await ground.fault(async () => {
      await postgres!.halt(signal);
      await wait(scale.awayMs);
      await postgres!.resume();
    });
    await ground.publish(1500);
    assertTold503(ground);
  });
}

function cut({ engine, postgres, seed, scale }: Setting): Promise<Sum> {
  return on({ engine, postgres, seed, env: shortened(scale) }, async (ground) => {
    ground.trouble(true);
    for (let times = 0; times < 3; times++) {
      await ground.publish(800 + ground.dice() * 400);
      await ground.fault(async () => {
        ground.proxy!.cut();
        await wait(200 + ground.dice() * 500);
        ground.proxy!.mend();
        await ground.publish(100);
      });
    }
    assertTold503(ground);
  });
}

function silent({ engine, postgres, seed, scale }: Setting): Promise<Sum> {
  return on({ engine, postgres, seed, env: shortened(scale) }, async (ground) => {
    ground.trouble(true);
    await ground.publish(1500);
    await ground.fault(async () => {
      ground.proxy!.stall();
      // A statement is given up after its time-out and a grace of five seconds.
      await wait(scale.timeoutMs + 6_000);
      ground.proxy!.mend();
      await ground.publish(1500);
    });
    assertTold503(ground);
  });
}

function frozen({ engine, postgres, seed, scale }: Setting): Promise<Sum> {
  return on({ engine, postgres, seed, env: shortened(scale) }, async (ground) => {
    ground.trouble(true);
    await ground.publish(1500);
    await ground.fault(async () => {
      const platform = await ground.platform;
      platform.freeze();
      await wait(4 * scale.timeoutMs);
      platform.thaw();
      await ground.publish(1500);
    });
  });
}

function clockSteps({ engine, postgres, seed }: Setting): Promise<Sum> {
  return on({ engine, postgres, seed, process: { clock: true } }, async (ground) => {
    ground.trouble(true);
    for (const step of [HOUR_MS, -HOUR_MS, -HOUR_MS, HOUR_MS]) {
      await ground.publish(500);
      (await ground.platform).turnClock(step);
      // A step is looked for once a second; two within one are none.
      await wait(1_500);
    }
    await ground.publish(500);
  });
}

function diskFull({ engine, postgres, seed }: Setting): Promise<Sum> {
  const disk = mountSmallDisk();
  const play = on({ engine, postgres, seed, folder: join(disk, 'data') }, async (ground) => {
    const { publisher } = ground;
    await ground.publish(1500);
    const ballast = join(disk, 'ballast');
    await ground.fault(async () => {
      fill(ballast);
      const until = performance.now() + 20_000;
      while (publisher.unavailable === 0 && performance.now() < until) await wait(20);
      await wait(300);
      rmSync(ballast);
      await ground.publish(1500);
    });
    assertTold503(ground);
  });
  return play.finally(() => {
    spawnSync('umount', ['--lazy', disk]);
    rmSync(disk, { recursive: true, force: true });
  });
}

/** And when to come again: the publisher looks at every 503 for that. */
function assertTold503({ publisher }: Ground): void {
  assert.ok(publisher.unavailable > 0, 'publishers were told 503 meanwhile');
}

/** Time-outs and leases in seconds instead of minutes. */
function shortened({ timeoutMs }: Scale): Record<string, string> {
  return {
    BELLWIRE_LANES_LEASE: `${timeoutMs}ms`,
    BELLWIRE_LANES_HEARTBEAT: `${Math.round(timeoutMs / 3)}ms`,
    BELLWIRE_DELIVERY_TIMEOUT: `${3 * timeoutMs}ms`,
    BELLWIRE_POSTGRES_CONNECT_TIMEOUT: `${timeoutMs}ms`,
    BELLWIRE_POSTGRES_STATEMENT_TIMEOUT: `${timeoutMs}ms`,
  };
}

function withoutSmallDisk(): string | false {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'only root on Linux can mount a small disk';
  const disk = mkdtempSync(join(tmpdir(), 'bellwire-disk-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk]).status === 0;
  if (mounted) spawnSync('umount', [disk]);
  rmSync(disk, { recursive: true, force: true });
  return mounted ? false : 'mounting a small disk is not allowed here';
}

function mountSmallDisk(): string {
  const disk = mkdtempSync(join(tmpdir(), 'bellwire-disk-'));
  const done = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'tmpfs', disk], { encoding: 'utf8' });
  assert.equal(done.status, 0, done.stderr);
  return disk;
}

function fill(file: string): void {
  const done = spawnSync('dd', ['if=/dev/zero', `of=${file}`, 'bs=64k'], { encoding: 'utf8' });
  assert.ok(existsSync(file) && /No space left/.test(done.stderr), done.stderr);
  // The last bytes as well.
  try {
    writeFileSync(file, Buffer.alloc(65_536), { flag: 'a' });
  } catch {
    // Full to the brim.
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
