// What comes to a hook while its platform is killed: signed events at full speed, each sent again until it is answered 2xx,
// some of them twice. In the end each that was answered is kept and has exactly one row, whoever was killed in between.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Agent, request } from 'undici';
import { createClient, type Client } from '../../server/src/client/index.ts';
import { eventually } from '../kit/handler.ts';
import { openLedger } from '../kit/ledger.ts';
import { startProcess, type PlatformProcess } from '../kit/platform-process.ts';
import type { Setting } from './fault.ts';
import { diceOf, type Sum } from './ground.ts';

const SECRET = 's3cr3tKey';
/** The seed's scenario, its rows named by the event's id so that they can be told apart. */
const SCENARIO = `scenario: audit
on: { hook: { verify: greenlake, secret: AUDIT, challenge: pass, dedupe: "\${ body.id }" } }
steps:
  - route:
      - name: challenge
        if: \${ exists(body.data.challengeRequest) }
        steps:
          - reply: { status: 200, body: { verification: "\${ sha256(body.data.challengeRequest; ; secret.AUDIT) }" } }
      - name: events
        else: true
        steps:
          - sheet.append: { to: Audit, row: { A: "\${ body.id }", B: "\${ body.time }" } }
          - reply: { status: 200 }
`;
const CALLERS = 20;
/** One event in so many is sent twice although it was answered. */
const TWICE = 7;
/** What a restart and a busy machine may take. */
const PATIENCE_MS = 90_000;

/** Plays it: so many kills, each at a random instant while requests are under way. */
export async function playHook({ engine, postgres, seed, scale: { kills } }: Setting): Promise<Sum> {
  const folder = mkdtempSync(join(tmpdir(), 'bellwire-hook-'));
  const store = postgres ? await postgres.createDatabase() : 'sqlite';
  const dice = diceOf(seed);
  const callers = new Callers(join(folder, 'ledger'));
  const start = (): Promise<PlatformProcess> => startProcess({ folder, env: { BELLWIRE_STORE: store } });
  let platform = await start();
  try {
    callers.url = platform.url + (await addScenario(clientOf(platform)));
    callers.begin();
    for (let kill = 1; kill <= kills; kill++) {
      await callers.more(200 + dice() * 400);
      await new Promise((resolve) => setTimeout(resolve, dice() * 40));
      callers.pause();
      await platform.kill();
      const { url } = platform;
      platform = await start();
      callers.url = callers.url.replace(url, platform.url);
      callers.goOn();
    }
    await callers.more(200);
    await callers.end();
    const sum = await judge(clientOf(platform), callers);
    await platform.stop();
    if (engine === 'SQLite') checkFile(join(folder, 'bellwire.db'));
    return sum;
  } finally {
    await callers.end();
    await platform.kill();
    rmSync(folder, { recursive: true, force: true });
  }
}

function clientOf({ url, adminKey: key }: PlatformProcess): Client {
  return createClient({ url, key });
}

/** Resolves the path of its hook. */
async function addScenario(client: Client): Promise<string> {
  await client.secrets.set('AUDIT', SECRET);
  await client.flows.push({ files: [{ name: 'audit.yaml', text: SCENARIO }] });
  const { hook } = await client.scenarios.get('audit');
  return hook!.path;
}

/** Those who call the hook: they know what they were answered. */
class Callers {
  /** Where the hook is now. */
  url = '';
  readonly #ledger;
  readonly #agent = new Agent({ connections: CALLERS, bodyTimeout: PATIENCE_MS, headersTimeout: PATIENCE_MS });
  readonly #underWay: Promise<void>[] = [];
  #sent = 0;
  #ends = false;
  #failure: Error | null = null;
  #since: number | null = null;
  /** Answered in all, answered while nothing was wrong and for how long, sent again, answered 503. */
  readonly counts = { answered: 0, undisturbed: 0, undisturbedMs: 0, again: 0, unavailable: 0 };

  constructor(ledger: string) {
    this.#ledger = openLedger(ledger);
  }

  begin(): void {
    this.goOn();
    this.#underWay.push(...Array.from({ length: CALLERS }, () => this.#call()));
  }

  /** A fault begins: what is answered from now on says nothing about the rate. */
  pause(): void {
    if (this.#since !== null) this.counts.undisturbedMs += performance.now() - this.#since;
    this.#since = null;
  }

  goOn(): void {
    this.#since = performance.now();
  }

  /** Resolves when so many more were answered. */
  async more(count: number): Promise<void> {
    const { answered } = this.counts;
    const enough = (): boolean => this.#failure !== null || this.counts.answered >= answered + count;
    await eventually('requests are answered', enough, PATIENCE_MS);
    if (this.#failure !== null) throw this.#failure;
  }

  async end(): Promise<void> {
    this.pause();
    this.#ends = true;
    await Promise.all(this.#underWay);
    await this.#agent.destroy();
    if (this.#failure !== null) throw this.#failure;
  }

  /** The ids of all that was answered 2xx. */
  read(): Set<string> {
    return this.#ledger.read();
  }

  async #call(): Promise<void> {
    while (!this.#ends && this.#failure === null) {
      const number = ++this.#sent;
      const id = `event-${number}`;
      try {
        while (!(await this.#post(id)));
        this.#ledger.acknowledge([id]);
        this.counts.answered++;
        if (this.#since !== null) this.counts.undisturbed++;
        if (number % TWICE === 0 && (await this.#post(id))) this.counts.again++;
      } catch (error) {
        this.#failure ??= error as Error;
      }
    }
  }

  /** True for 2xx, false where it has to be sent again. Rejects where the platform says something else. */
  async #post(id: string): Promise<boolean> {
    const body = JSON.stringify({ id, time: '2026-11-23T09:30:00Z', data: { description: `event ${id}` } });
    const signature = `sha256=${createHmac('sha256', SECRET).update(body).digest('hex')}`;
    const headers = { 'content-type': 'application/cloudevents+json', 'hpe-webhook-signature': signature };
    let answer;
    try {
      answer = await request(this.url, { method: 'POST', headers, body, dispatcher: this.#agent });
    } catch (error) {
      // What was cut off may have been taken; where nobody listens nothing was.
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED') this.counts.again++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return false;
    }
    const text = await answer.body.text().catch(() => '');
    const { statusCode } = answer;
    if (statusCode >= 200 && statusCode <= 299) return true;
    assert.equal(statusCode, 503, `the hook answered ${statusCode}: ${text}`);
    this.counts.unavailable++;
    await new Promise((resolve) => setTimeout(resolve, 100));
    return false;
  }
}

/** Each that was answered is kept and has one row, and nothing is left to do. */
async function judge(client: Client, callers: Callers): Promise<Sum> {
  const answered = callers.read();
  for (const state of ['queued', 'running'] as const) {
    const isNone = async (): Promise<boolean> =>
      (await client.scenarios.runs('audit', { state, limit: 1 }).page()).items.length === 0;
    await eventually(`no run is ${state}`, isNone, PATIENCE_MS);
  }
  const rows = await client.sheets.rows('Audit', { limit: 500 }).all();
  const found = rows.map(({ cells }) => String(cells['A']));
  assert.equal(new Set(found).size, found.length, 'no event has two rows');
  assert.deepEqual(new Set(found), answered, 'each that was answered has its row, and nothing else has');
  const runs = await client.scenarios.runs('audit', { limit: 500 }).all();
  assert.ok(
    runs.every(({ state }) => state === 'completed'),
    'every run came to its end',
  );
  const taken = await client.scenarios.requests('audit', { state: 'taken', limit: 500 }).all();
  assert.equal(taken.length, answered.size, 'each is kept once as what started its run');
  const { answered: acknowledged, undisturbed, undisturbedMs, again, unavailable } = callers.counts;
  return {
    acknowledged,
    found: 0,
    unavailable,
    rate: Math.round((1000 * undisturbed) / undisturbedMs),
    taken: { '/hook': { deliveries: acknowledged + again, again } },
    longestBefore: 0,
  };
}

function checkFile(file: string): void {
  const database = new DatabaseSync(file);
  assert.deepEqual({ ...database.prepare('PRAGMA integrity_check').get() }, { integrity_check: 'ok' });
  database.close();
}
