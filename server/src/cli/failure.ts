// What goes wrong, for people and for scripts: one line that says what to do, and an exit code that says what it was.
import type { Command } from 'commander';
import { BellwireError } from '../client/index.ts';
import type { ConfigError } from '../config/index.ts';
import { retell } from './refusal.ts';

/** Exit codes (docs/cli.md). */
export const EXIT = {
  ok: 0,
  /** The platform refused, or what was tried did not succeed. */
  failed: 1,
  /** The command line or the settings are not usable. */
  usage: 2,
  /** No platform answers. */
  unreachable: 3,
  /** No key, a wrong one, or one that may not do this. */
  denied: 4,
  /** What was named does not exist. */
  notFound: 5,
  /** A run that was followed was aborted. */
  aborted: 6,
  /** Ctrl-C before the end. */
  interrupted: 130,
} as const;

/** For those who have no platform running. */
export const HOW_TO_START = 'start one with: npx bellwire serve --dev';

/** A failure of a command, in one line. */
export class Failure extends Error {
  override name = 'Failure';
  readonly exit: number;
  readonly code: string;
  /** Further lines, where there is more than one fault. */
  readonly more: readonly string[];
  // oxlint-disable-next-line max-params -- all but the first are rarely said
  constructor(message: string, exit: number = EXIT.failed, code = 'failed', more: readonly string[] = []) {
    super(message);
    this.exit = exit;
    this.code = code;
    this.more = more;
  }
}

/** A command line that cannot be meant. */
export function usage(message: string): Failure {
  return new Failure(message, EXIT.usage, 'usage');
}

/** A failure, told. */
export interface Told {
  exit: number;
  /** The first says it all; more are the faults one by one. */
  lines: string[];
  /** The same for programs: what --json prints to stderr. */
  error: { code: string; detail: string; status?: number; errors?: unknown[]; instance?: string };
}

/** Tells any error to whoever gave the command, where there was one. What nobody foresaw is shown with its stack, for a report. */
export function tell(error: unknown, command: Command | null = null): Told {
  if (error instanceof BellwireError) return tellRefusal(error, command);
  if (error instanceof Failure) {
    return {
      exit: error.exit,
      lines: [error.message, ...error.more],
      error: { code: error.code, detail: error.message },
    };
  }
  if (isConfigError(error)) {
    return { exit: EXIT.usage, lines: [...error.faults], error: { code: 'usage', detail: error.message } };
  }
  const { message, stack } = error instanceof Error ? error : new Error(String(error));
  const lines = stack === undefined ? [message] : stack.split('\n');
  return { exit: EXIT.failed, lines, error: { code: 'failed', detail: message } };
}

// By its name: to import the class would load the settings' reader into every command.
function isConfigError(error: unknown): error is ConfigError {
  return (error as Error | null)?.name === 'ConfigError';
}

// Programs get the platform's own words, people those of the command line.
function tellRefusal(refusal: BellwireError, command: Command | null): Told {
  const { status, code, instance, detail, errors } = refusal;
  const told = command === null ? { detail, faults: errors, isUsage: false } : retell(refusal, command);
  const hint = detail.endsWith('connection refused') ? `; ${HOW_TO_START}` : '';
  const first = told.detail.replace(/ \(and \d+ more faults?\)$/, '');
  const line = status === 0 ? detail + hint : `${first} (${code})`;
  const all = new Set(told.faults.map((fault) => `${placeOf(fault)}${fault.detail}`));
  const lines = told.faults.length > 1 ? [...all].filter((one) => one !== first) : [];
  const error = { code, detail, status, errors: [...errors], ...(instance === undefined ? {} : { instance }) };
  return { exit: told.isUsage ? EXIT.usage : exitOf(status, code), lines: [line, ...lines], error };
}

function placeOf({ index, pointer }: { index?: number; pointer?: string }): string {
  const place = `${index === undefined ? '' : `event ${index + 1}`} ${pointer ?? ''}`.trim();
  return place === '' ? '' : `${place}: `;
}

function exitOf(status: number, code: string): number {
  if (code === 'unreachable' || code === 'unexpected-answer' || code === 'unavailable') return EXIT.unreachable;
  if (status === 401 || status === 403) return EXIT.denied;
  return status === 404 ? EXIT.notFound : EXIT.failed;
}
