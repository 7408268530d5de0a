// The log: one wide line per unit of work, JSON for machines or text for people, and never a secret in it.
import { pino, stdTimeFunctions, type Logger } from 'pino';
import type { LogLevel } from '../config/index.ts';
import { redact, scrub } from './redaction.ts';
import { createPrettyLines, type LogDestination } from './pretty.ts';

export type { LogDestination } from './pretty.ts';

/** What is known about one unit of work: names in camelCase, instants `…At`, spans `…Ms`, an `error` as it was thrown. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Where lines go. Secrets are masked by field name and by form, at any depth. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** The same log with fields that stand on every line. */
  child(fields: LogFields): Log;
}

/** How to log. */
export interface LogOptions {
  level: LogLevel;
  /** Lines for people instead of JSON. */
  pretty: boolean;
  destination: LogDestination;
  /** With `pretty`: colour by ANSI sequences. */
  colour?: boolean;
}

/** Makes the log. */
export function createLog({ level, pretty, destination, colour = false }: LogOptions): Log {
  const lines = pretty ? createPrettyLines(destination, colour) : destination;
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'message',
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => void lines.write(line) },
  );
  return wrap(logger);
}

// The wrapper exists for redaction: pino masks by path, and a secret may stand at any path.
function wrap(logger: Logger): Log {
  const at = (level: 'debug' | 'info' | 'warn' | 'error') => (fields: LogFields, message: string) => {
    if (logger.isLevelEnabled(level)) logger[level](redact(fields), scrub(message));
  };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (fields) => wrap(logger.child(redact(fields))),
  };
}
