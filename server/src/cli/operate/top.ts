// `bellwire top`: how things go, live on a terminal, one frame in a pipe, or JSON.
//
// The screen is left as it was found, however it ends: all that can end it goes through one `finally`.
import { Option } from 'commander';
import type { OverviewOut } from '../../api/overview.ts';
import { BellwireError, createClient, type Client } from '../../client/index.ts';
import { findPlatform } from '../connection.ts';
import type { Declare, Session } from '../session.ts';
import { spanMs } from '../spans.ts';
import { drawTop, roomForWebhooks, type TopSort, type TopState } from './top-frame.ts';
import type { Terminal } from '../terminal.ts';

interface TopOptions {
  every?: string;
  once?: boolean;
  sort: TopSort;
}

const SORTS: readonly TopSort[] = ['backlog', 'failures', 'latency'];
/** An answer that takes longer comes too late for its frame. */
const ANSWER_MS = 5_000;
const LEAST_EVERY_MS = 100;

export const top: Declare = (command, run) => {
  command
    .option('--every <span>', 'Time between two frames, such as 5s (1s)')
    .option('--once', 'One frame, or with --json one document, and out')
    .addOption(new Option('--sort <by>', 'What the worst webhooks are the worst by').choices(SORTS).default('backlog'))
    .addHelpText(
      'after',
      '\nKeys: b backlog, f failures, l latency, p pause, q quit. In a pipe it prints one frame;\nwith --json one document per interval until it is ended.',
    )
    .action(run(watchTop));
};

async function watchTop(session: Session, options: TopOptions): Promise<void> {
  const everyMs = Math.max(LEAST_EVERY_MS, spanMs(options.every ?? '1s', '--every'));
  const { stdout } = session.terminal;
  const watch = new Watch(session, await connect(session), options.sort);
  // What is wrong from the beginning is told as by any command.
  await watch.ask();
  const isScreen = stdout.isTTY === true && session.terminal.env['TERM'] !== 'dumb';
  if (options.once === true && session.json) return session.show(watch.state.overview, () => []);
  if (session.json) return documents(watch, session, everyMs);
  if (isScreen && options.once !== true) return live(watch, session, everyMs);
  const frame = watch.frame().map((line) => line.trimEnd());
  for (const [at, line] of frame.entries()) {
    // What fills a screen is nothing elsewhere.
    if (line !== '' || frame[at + 1] !== '') stdout.write(`${line}\n`);
  }
}

async function documents(watch: Watch, session: Session, everyMs: number): Promise<void> {
  while (!watch.isOver) {
    const { overview, trouble } = watch.state;
    if (trouble === null) session.show(overview, () => []);
    else session.note(`bellwire: ${trouble}; trying on`);
    await watch.rest(everyMs);
    await watch.askAgain();
  }
}

async function connect({ options, terminal }: Session): Promise<{ client: Client; url: string }> {
  const { url, key, workspace } = await findPlatform(options, terminal);
  return { client: createClient({ url, key, workspace, retries: 0, timeoutMs: ANSWER_MS }), url };
}

/** What is watched, and what people have asked for. */
class Watch {
  readonly state: TopState;
  readonly #session: Session;
  readonly #client: Client;
  readonly #ending = new AbortController();
  #wake: (() => void) | null = null;
  /** Somebody wants something that the answer under way does not tell. */
  #isHurried = false;
  /** Called whenever there is something else to see. */
  onChange: () => void = () => undefined;

  constructor(session: Session, { client, url }: { client: Client; url: string }, sort: TopSort) {
    this.#session = session;
    this.#client = client;
    this.state = { url, overview: null, trouble: null, sort, isPaused: false, hasKeys: false };
    session.signal.addEventListener('abort', () => this.end(), { once: true });
    if (session.signal.aborted) this.end();
  }

  get isOver(): boolean {
    return this.#ending.signal.aborted;
  }

  end(): void {
    this.#ending.abort();
    this.#wake?.();
  }

  /** It is asked again at once, or as soon as the answer under way is there; what is known is shown meanwhile. */
  hurry(): void {
    this.#isHurried = true;
    this.#wake?.();
    this.onChange();
  }

  /** Rejects where there is no answer. */
  async ask(): Promise<OverviewOut> {
    const { sort } = this.state;
    const { rows } = sizeOf(this.#session.terminal);
    const limit = Math.min(100, roomForWebhooks(rows));
    const overview = await this.#client.overview({ sort, limit, signal: this.#ending.signal });
    this.state.overview = overview;
    this.state.trouble = null;
    return overview;
  }

  /** Where there is no answer, the frame says so. */
  async askAgain(): Promise<void> {
    if (this.isOver) return;
    try {
      await this.ask();
    } catch (error) {
      if (this.isOver) return;
      this.state.trouble = error instanceof BellwireError ? error.detail.replace(/\.$/, '') : String(error);
    }
    this.onChange();
  }

  /** Waits, but no longer than until somebody wants something. */
  async rest(ms: number): Promise<void> {
    if (!this.isOver && !this.#isHurried) {
      const woken = Promise.withResolvers<void>();
      const timer = setTimeout(woken.resolve, ms);
      this.#wake = woken.resolve;
      await woken.promise;
      this.#wake = null;
      clearTimeout(timer);
    }
    this.#isHurried = false;
  }

  frame(): string[] {
    const { terminal, paint } = this.#session;
    return drawTop(this.state, { ...sizeOf(terminal), paint });
  }

  /** What a key does. */
  press(key: string): void {
    const { state } = this;
    // In raw mode Ctrl-C is a letter.
    if (key === 'q' || key === '\u0003') return this.end();
    const sort = SORTS.find(([first]) => first === key);
    if (sort !== undefined) Object.assign(state, { sort, isPaused: false });
    else if (key === 'p' || key === ' ') state.isPaused = !state.isPaused;
    else return;
    this.hurry();
  }
}

/** Where nobody says how large the screen is, it is the usual one. */
function sizeOf({ stdout, env }: Terminal): { columns: number; rows: number } {
  const named = Number(env['COLUMNS']);
  return { columns: stdout.columns || (named > 0 ? named : 80), rows: stdout.rows || 24 };
}

/** The other screen, no cursor, and no line that runs on in the next where a letter is wider than it seems; and back. */
const ENTER = '\u001B[?1049h\u001B[?25l\u001B[?7l\u001B[2J';
const LEAVE = '\u001B[?7h\u001B[?25h\u001B[?1049l';

async function live(watch: Watch, { terminal }: Session, everyMs: number): Promise<void> {
  const { stdin, stdout } = terminal;
  const onKeys = (keys: Buffer): void => {
    for (const key of keys.toString('utf8')) watch.press(key);
  };
  const onResize = (): void => watch.hurry();
  const hasKeys = stdin.isTTY === true && stdin.setRawMode !== undefined;
  watch.state.hasKeys = hasKeys;
  // Each line is cleared right before it is written, so nothing flickers. Cleared behind it, a line as wide as the screen
  // would lose its last letter: the cursor still stands upon that.
  const draw = (): void =>
    void stdout.write(
      `\u001B[H${watch
        .frame()
        .map((line) => `\u001B[K${line}`)
        .join('\r\n')}`,
    );
  stdout.write(ENTER);
  try {
    if (hasKeys) {
      stdin.setRawMode?.(true);
      stdin.on('data', onKeys);
    }
    stdout.on('resize', onResize);
    watch.onChange = draw;
    draw();
    while (!watch.isOver) {
      await watch.rest(everyMs);
      if (!watch.state.isPaused) await watch.askAgain();
    }
  } finally {
    watch.onChange = () => undefined;
    stdout.off('resize', onResize);
    if (hasKeys) {
      stdin.off('data', onKeys);
      stdin.setRawMode?.(false);
      stdin.pause();
    }
    stdout.write(LEAVE);
  }
}
