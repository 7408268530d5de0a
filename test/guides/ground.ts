// What a guide is played on: a folder that looks like a clone, terminals in which `npx bellwire` is this clone's, and
// ports that are free. A reader sees the ports of the page; each play has its own, so guides are played side by side.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { repository } from '../kit/sources.ts';
import type { Place } from './terminal.ts';

/** The ground of one play. */
export interface Ground extends Place {
  /** Where the blocks are kept while they are played. */
  scripts: string;
  /** A text of the page, as it is typed here. */
  typed(text: string): string;
  /** What was printed here, as the page would say it. */
  read(text: string): string;
  remove(): void;
}

/** The port that a platform takes by itself. */
const PLATFORM = '8470';
/** Where the page says the clone is. */
const CLONE = '~/bellwire';
const HIDDEN = new Set(['.git', '.github', 'data', 'clients']);

/** Makes one for the text of a page; in its terminals these programs go before all others. */
export async function makeGround(page: string, programs: Readonly<Record<string, string>> = {}): Promise<Ground> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'bellwire-guide-')));
  const folder = join(home, 'bellwire');
  const scripts = join(home, 'scripts');
  for (const made of [folder, scripts, join(home, 'bin')]) mkdirSync(made);
  for (const name of readdirSync(repository)) {
    if (!HIDDEN.has(name)) symlinkSync(join(repository, name), join(folder, name));
  }
  // pip writes into what it installs from.
  cpSync(join(repository, 'clients'), join(folder, 'clients'), { recursive: true });
  for (const [name, script] of Object.entries({ npx: npx(), ...programs })) {
    writeFileSync(join(home, 'bin', name), script, { mode: 0o755 });
  }
  const ports = await freePorts(new Set([PLATFORM, ...Array.from(page.matchAll(PORT), ([port]) => port)]));
  const back = new Map(Array.from(ports, ([shown, ours]) => [ours, shown]));
  const ourPorts = new RegExp(`\\b(?:${[...back.keys()].join('|')})\\b`, 'g');
  return {
    folder,
    scripts,
    env: environment(home, ports.get(PLATFORM)!),
    typed: (text) => text.replaceAll(PORT, (port) => ports.get(port)!),
    read: (text) => text.replaceAll(folder, CLONE).replaceAll(ourPorts, (port) => back.get(port)!),
    remove: () => rmSync(home, { recursive: true, force: true }),
  };
}

/** A port in an address, in an option, or in a setting: host:8080, --port 8080, port: 8080, PORT=8080, listen(8080. */
const PORT =
  /(?<=(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):|[Pp][Oo][Rr][Tt](?:[=: ]|', |", | = )\s?|listen\()\d{4}\b/g;

/**
 * As many digits as on the page, so that tables keep their columns, below what the system gives to clients, and above those
 * that belong to other protocols, which nobody sends HTTP to.
 */
async function freePorts(shown: ReadonlySet<string>): Promise<Map<string, string>> {
  const ports = new Map<string, string>();
  for (const port of shown) {
    let ours: number;
    do ours = 7_000 + Math.floor(Math.random() * 3_000);
    while (shown.has(String(ours)) || [...ports.values()].includes(String(ours)) || !(await isFree(ours)));
    ports.set(port, String(ours));
  }
  return ports;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((answer) => {
    const server = createServer();
    server.once('error', () => answer(false));
    server.listen(port, '127.0.0.1', () => server.close(() => answer(true)));
  });
}

/** Only what a reader's terminal has, too, and what keeps programs quiet, quick and offline. */
function environment(home: string, port: string): NodeJS.ProcessEnv {
  const { PATH = '', HOME = home, LANG = 'C.UTF-8' } = process.env;
  return {
    PATH: [join(home, 'bin'), dirname(process.execPath), PATH].join(delimiter),
    HOME,
    LANG,
    COLUMNS: '100',
    NO_COLOR: '1',
    NO_PROXY: '127.0.0.1,localhost',
    no_proxy: '127.0.0.1,localhost',
    BELLWIRE_LISTEN_PORT: port,
    NODE_COMPILE_CACHE: join(tmpdir(), `bellwire-test-cache-${process.versions.node}`),
    PYTHONDONTWRITEBYTECODE: '1',
    PYTHONUNBUFFERED: '1',
  };
}

/** `npx` as it is in a clone, without the second it takes: our CLI and our Node, and nothing from any registry. */
function npx(): string {
  const lines = [
    '#!/bin/sh',
    'case "$1" in',
    `  bellwire) shift; exec '${process.execPath}' '${join(repository, 'server/src/cli.ts')}' "$@" ;;`,
    `  node) shift; exec '${process.execPath}' "$@" ;;`,
    'esac',
    'echo "npx $1: a guide may only run what is in the clone" >&2; exit 127',
  ];
  return `${lines.join('\n')}\n`;
}
