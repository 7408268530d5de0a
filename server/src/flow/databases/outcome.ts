// Why a statement failed, as the failure of a step: in words, and whether another try may do better.
import { ActionFailed } from '../action.ts';
import { formatSize } from '../../model/quantities.ts';
import type { SessionBounds } from './database.ts';

/** SQLSTATE classes that may pass: connection, rollback by the server, resources, operator, system. */
const PASSING = /^(?:08|40|53|55|57|58)/;

/** What PostgreSQL or the way to it says. */
export function postgresFault(where: string, error: unknown): ActionFailed {
  if (error instanceof ActionFailed) return error;
  const { code = '', message } = error as { code?: string; message: string };
  if (code === 'ADDRESS_REFUSED') return new ActionFailed(message, { retryable: false });
  if (/^[0-9A-Z]{5}$/.test(code) && 'severity' in (error as object)) {
    return new ActionFailed(`${where} refuses: ${message}`, { retryable: PASSING.test(code) });
  }
  const errors = error instanceof AggregateError ? (error.errors as Error[]).map((one) => one.message) : [message];
  const isTrust = /certificate|self-signed|SSL|TLS/i.test(`${code} ${message}`);
  return new ActionFailed(`${where} does not answer: ${errors.join('; ')}`, { retryable: !isTrust });
}

/** Primary result codes of SQLite that may pass: busy, locked, out of memory, I/O, full. */
const SQLITE_PASSING: Readonly<Record<number, string>> = {
  5: 'is locked by another program',
  6: 'is locked by another program',
  7: 'needs more memory than there is',
  10: 'cannot be used: the disk reports an error',
  13: 'cannot be written: the disk is full',
};

/** What SQLite says; its extended result codes carry the primary one in their low byte. */
export function sqliteFault(where: string, { message, errcode }: { message: string; errcode?: number }): ActionFailed {
  const passing = errcode === undefined ? undefined : SQLITE_PASSING[errcode & 0xff];
  return passing === undefined
    ? new ActionFailed(`${where} refuses: ${message}`, { retryable: false })
    : new ActionFailed(`${where} ${passing}`);
}

/** It gave more than a session may take. */
export function tooMuch({ rows, bytes }: Pick<SessionBounds, 'rows' | 'bytes'>): ActionFailed {
  const words = `the statement gives more than ${rows} rows or ${formatSize(bytes)}: ask for less, as with LIMIT`;
  return new ActionFailed(words, { retryable: false });
}

/** It took longer than a session may. */
export function tooSlow(where: string, deadlineMs: number): ActionFailed {
  return new ActionFailed(`${where} took longer than ${deadlineMs / 1_000} s`);
}
