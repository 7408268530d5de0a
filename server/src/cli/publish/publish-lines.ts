// A stream of events on its way out: one per line, in batches that form by themselves, byte by byte as they came.
//
// What arrives while a batch is on its way goes with the next one: a file is sent in full batches, a slow pipe event by
// event, without any timer. Lines are checked to be JSON objects here, so that each fault can name its line.
import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { PublishOut } from '../../api/events.ts';
import { BellwireError, type Client } from '../../client/index.ts';
import { EXIT, Failure, usage } from '../failure.ts';
import { withAdvice } from '../refusal.ts';
import type { Session } from '../session.ts';
import { plain } from '../terminal.ts';

/** Events to publish, and how many bytes they are, where that is known. */
export interface Input {
  input: Readable;
  size: number | null;
}

/** One line: its bytes, and its place from 1. */
interface Line {
  number: number;
  bytes: Buffer;
}

/** What goes into one request, at most. */
const BATCH_EVENTS = 500;
const BATCH_BYTES = 1024 * 1024;
/** What may wait for its turn in memory. */
const WAITING_BYTES = 8 * BATCH_BYTES;
/** The largest single document; more comes as lines. */
const DOCUMENT_BYTES = 64 * BATCH_BYTES;

/** Publishes an input: lines when its first line is a JSON object by itself, else one document. Answers the exit code. */
export async function publishInput(session: Session, { input, size }: Input, keepGoing: boolean): Promise<number> {
  const client = await session.client();
  const chunks = (input as AsyncIterable<Buffer>)[Symbol.asyncIterator]();
  const { head, isLines } = await readHead(chunks);
  const all = replay(head, chunks);
  if (!isLines) return publishDocument(session, client, await collect(all));
  const progress = await createProgress(session, size);
  try {
    return await publishLines(session, { client, input, chunks: all, keepGoing, progress });
  } finally {
    progress.end();
  }
}

/** What became of events, one by one. */
export function showAccepted(session: Session, { accepted }: PublishOut): void {
  for (const one of accepted) {
    session.show(one, () => [
      plain(
        one.duplicate
          ? `${one.event} was accepted before (id ${one.id}): id and source are known, so its data was not compared`
          : `${one.event} accepted (id ${one.id})`,
      ),
    ]);
    if (one.note !== undefined) session.note(plain(`bellwire: note on ${one.event}: ${one.note}`));
  }
}

/** Reads up to the end of the first line that is not blank. */
async function readHead(chunks: AsyncIterator<Buffer>): Promise<{ head: Buffer; isLines: boolean }> {
  let head = Buffer.alloc(0);
  for (;;) {
    const { value, done } = await chunks.next();
    if (done !== true) head = Buffer.concat([head, value]);
    const start = head.findIndex((byte) => byte > 0x20);
    const end = start < 0 ? -1 : head.indexOf(0x0a, start);
    if (end >= 0) return { head, isLines: faultOf(head.subarray(start, end)) === null };
    if (done === true) return { head, isLines: start < 0 || faultOf(head.subarray(start)) === null };
    if (head.length > DOCUMENT_BYTES) throw tooLarge();
  }
}

async function* replay(head: Buffer, chunks: AsyncIterator<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) yield next.value;
}

async function collect(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    parts.push(chunk);
    size += chunk.length;
    if (size > DOCUMENT_BYTES) throw tooLarge();
  }
  return Buffer.concat(parts);
}

function tooLarge(): Failure {
  return usage('this is too large for one request: write one event per line (NDJSON) instead');
}

async function publishDocument(session: Session, client: Client, bytes: Buffer): Promise<number> {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString());
  } catch (error) {
    throw usage(`the input is neither JSON nor one JSON object per line: ${(error as Error).message}`);
  }
  const mode = Array.isArray(document) ? 'cloudevents-batch' : 'cloudevents';
  const out = await client.events.publishText(bytes, `application/${mode}+json`, { signal: session.signal });
  if (out.accepted.length === 0) throw nothing();
  showAccepted(session, out);
  return EXIT.ok;
}

function nothing(): Failure {
  return new Failure('nothing to publish: the input holds no event', EXIT.failed, 'nothing-to-publish');
}

interface Sending {
  client: Client;
  input: Readable;
  chunks: AsyncIterable<Buffer>;
  keepGoing: boolean;
  progress: Progress;
}

async function publishLines(session: Session, sending: Sending): Promise<number> {
  const startedAt = performance.now();
  const sender = createSender(session, sending);
  for await (const line of linesOf(sending.chunks)) {
    const fault = faultOf(line.bytes);
    if (fault === null) sender.add(line);
    else if (sending.keepGoing) sender.refuse(line, fault);
    else {
      await sender.idle();
      throw new Failure(`line ${line.number} ${fault}; ${sender.sayAccepted()} before it`);
    }
    if (sender.isFull()) await sender.idle();
  }
  await sender.idle();
  sending.progress.end();
  const { accepted, refused } = sender.counts;
  if (accepted + refused === 0) throw nothing();
  const seconds = ((performance.now() - startedAt) / 1_000).toFixed(1);
  session.say(`${sender.sayAccepted()} in ${seconds} s${refused > 0 ? `; ${plural(refused, 'line')} refused` : ''}`);
  return refused > 0 ? EXIT.failed : EXIT.ok;
}

/** Takes lines and sends them, one batch at a time. */
function createSender(session: Session, { client, input, keepGoing, progress }: Sending) {
  const counts = { accepted: 0, duplicates: 0, refused: 0 };
  let waiting: Line[] = [];
  let waitingBytes = 0;
  let running: Promise<void> | null = null;
  let failure: Error | null = null;

  async function run(): Promise<void> {
    // What was read in the same piece goes along.
    await new Promise((resolve) => setImmediate(resolve));
    while (waiting.length > 0) {
      const batch = nextBatch(waiting);
      waiting = waiting.slice(batch.length);
      waitingBytes -= bytesOf(batch);
      await send(batch);
      progress.advance(bytesOf(batch) + batch.length, `${counts.accepted.toLocaleString('en')} events`);
    }
  }

  /** Sends a batch, without the refused ones again where that is wanted. */
  async function send(batch: readonly Line[]): Promise<void> {
    for (let rest = batch; rest.length > 0;) {
      try {
        const body = batchOf(rest);
        const out = await client.events.publishText(body, 'application/cloudevents-batch+json', {
          signal: session.signal,
        });
        count(out);
        return;
      } catch (error) {
        const faults = faultsByIndex(error);
        if (faults.size === 0) throw error;
        if (!keepGoing) throw refusalOf(error as BellwireError, { faults, batch: rest, before: sayAccepted() });
        for (const [index, fault] of faults) refuse(rest[index] as Line, `is refused: ${fault}`);
        rest = rest.filter((_line, index) => !faults.has(index));
      }
    }
  }

  function count({ accepted }: PublishOut): void {
    counts.accepted += accepted.length;
    counts.duplicates += accepted.filter(({ duplicate }) => duplicate).length;
    if (session.json) showAccepted(session, { accepted });
  }

  function refuse({ number }: Line, why: string): void {
    counts.refused++;
    session.note(plain(`bellwire: line ${number} ${why}`));
  }

  function sayAccepted(): string {
    const known =
      counts.duplicates === 0
        ? ''
        : ` (${counts.duplicates.toLocaleString('en')} known by id and source, not compared)`;
    return `${plural(counts.accepted, 'event')} accepted${known}`;
  }

  return {
    counts,
    refuse,
    sayAccepted,
    add(line: Line): void {
      waiting.push(line);
      waitingBytes += line.bytes.length;
      running ??= run()
        .catch((error: unknown) => {
          failure = error as Error;
          // Whoever waits for the next line is waiting in vain.
          input.destroy(failure);
        })
        .finally(() => (running = null));
    },
    isFull: () => waitingBytes > WAITING_BYTES,
    /** Resolves when all is sent; rejects when that failed. */
    async idle(): Promise<void> {
      while (running !== null) await running;
      if (failure !== null) throw failure;
    },
  };
}

function nextBatch(waiting: readonly Line[]): Line[] {
  let bytes = 0;
  const end = waiting.findIndex((line, index) => (bytes += line.bytes.length) > BATCH_BYTES || index === BATCH_EVENTS);
  return waiting.slice(0, end < 0 ? waiting.length : Math.max(1, end));
}

function bytesOf(lines: readonly Line[]): number {
  return lines.reduce((sum, { bytes }) => sum + bytes.length, 0);
}

/** A JSON array of the lines as they are. */
function batchOf(lines: readonly Line[]): Buffer {
  const comma = Buffer.from(',');
  const parts = lines.flatMap(({ bytes }, index) => (index === 0 ? [bytes] : [comma, bytes]));
  return Buffer.concat([Buffer.from('['), ...parts, Buffer.from(']')]);
}

/** The lines of a stream that are not blank. */
async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Line> {
  let number = 0;
  let parts: Buffer[] = [];
  const lineOf = (bytes: Buffer): Line[] =>
    ++number > 0 && /\S/.test(bytes.toString('latin1')) ? [{ number, bytes }] : [];
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(0x0a); end >= 0; end = chunk.indexOf(0x0a, start)) {
      yield* lineOf(Buffer.concat([...parts, chunk.subarray(start, end)]));
      parts = [];
      start = end + 1;
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
  if (parts.length > 0) yield* lineOf(Buffer.concat(parts));
}

/** Why a line cannot be an event, or null. */
function faultOf(bytes: Buffer): string | null {
  if (!isUtf8(bytes)) return 'is not UTF-8';
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? null : 'is not a JSON object';
  } catch (error) {
    return `is not JSON: ${(error as Error).message}`;
  }
}

/** The faults of a refused batch by place, one each. */
function faultsByIndex(error: unknown): Map<number, string> {
  const faults = new Map<number, string>();
  if (!(error instanceof BellwireError)) return faults;
  for (const { index, detail, code } of error.errors) {
    if (index !== undefined && !faults.has(index)) faults.set(index, `${withAdvice(code, detail)} (${code})`);
  }
  return faults;
}

function refusalOf(
  error: BellwireError,
  { faults, batch, before }: { faults: ReadonlyMap<number, string>; batch: readonly Line[]; before: string },
): Failure {
  const lines = [...faults].map(([index, fault]) => `line ${batch[index]?.number}: ${fault}`);
  const [first = error.detail, ...more] = lines;
  return new Failure(`${first}; ${before} before its batch`, EXIT.failed, error.code, more);
}

function plural(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

interface Progress {
  advance(bytes: number, message: string): void;
  end(): void;
}

/** A bar where somebody watches: with a known size it fills, else it counts. */
async function createProgress({ terminal, json }: Session, size: number | null): Promise<Progress> {
  if (terminal.stderr.isTTY !== true || json) return { advance: () => undefined, end: () => undefined };
  const { progress, spinner } = await import('@clack/prompts');
  const output = terminal.stderr;
  let ended = false;
  let sent = 0;
  const bar = size === null ? null : progress({ max: Math.max(1, size), output, withGuide: false });
  const counter = bar ?? spinner({ output, withGuide: false });
  counter.start('publishing');
  return {
    advance(bytes, message) {
      if (bar === null || size === null) return counter.message(message);
      sent += bytes;
      bar.advance(bytes, `${message} (${Math.min(100, Math.floor((100 * sent) / Math.max(1, size)))} %)`);
    },
    end() {
      if (!ended) counter.clear();
      ended = true;
    },
  };
}
