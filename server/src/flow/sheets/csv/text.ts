// CSV as text (RFC 4180): records with their places in the text, and rows as records.
import { guardFormula, type Cell } from '../../../model/sheet.ts';
import { plainText } from '../layout.ts';

/** A record of a CSV text. */
export interface CsvRecord {
  fields: string[];
  /** From here to there in the text, its line end included. */
  start: number;
  end: number;
  /** Empty: the text ended first. */
  lineEnd: '\r\n' | '\n' | '';
  /** Was its last field between quotes? */
  lastQuoted: boolean;
  /** The text ended within quotes. */
  open: boolean;
}

/** Reads a text. Nothing is refused: a quote within a field that has none at its beginning is a character like others. */
export function parseCsv(text: string): CsvRecord[] {
  const records: CsvRecord[] = [];
  for (let at = 0; at < text.length;) {
    const record = parseRecord(text, at);
    records.push(record);
    at = record.end;
  }
  return records;
}

function parseRecord(text: string, start: number): CsvRecord {
  const fields: string[] = [];
  for (let at = start; ;) {
    const { value, next, quoted, open } = text[at] === '"' ? quotedField(text, at) : plainField(text, at);
    fields.push(value);
    at = next;
    if (text[at] === ',') {
      at += 1;
      continue;
    }
    const lineEnd = text[at] === '\r' ? '\r\n' : text[at] === '\n' ? '\n' : '';
    return { fields, start, end: at + lineEnd.length, lineEnd, lastQuoted: quoted, open };
  }
}

interface Field {
  value: string;
  /** Where what follows it is: a comma, a line end, or the end. */
  next: number;
  quoted: boolean;
  open: boolean;
}

function plainField(text: string, start: number): Field {
  const next = endOfField(text, start);
  return { value: text.slice(start, next), next, quoted: false, open: false };
}

function quotedField(text: string, start: number): Field {
  let value = '';
  for (let at = start + 1; ;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) return { value: value + text.slice(at), next: text.length, quoted: true, open: true };
    value += text.slice(at, quote);
    if (text[quote + 1] === '"') {
      value += '"';
      at = quote + 2;
      continue;
    }
    const next = endOfField(text, quote + 1);
    return { value: value + text.slice(quote + 1, next), next, quoted: true, open: false };
  }
}

function endOfField(text: string, start: number): number {
  let at = start;
  while (at < text.length && text[at] !== ',' && text[at] !== '\n' && !(text[at] === '\r' && text[at + 1] === '\n'))
    at++;
  return at;
}

/**
 * A record of a row, formulas guarded. Its last field is always quoted: so one of ours that a crash cut short is told
 * from one that a person wrote without a line end.
 */
export function formatRecord(row: readonly (Cell | undefined)[], lineEnd: string): string {
  const last = row.length - 1;
  return row.map((cell, at) => formatField(guardFormula(plainText(cell)), at === last)).join(',') + lineEnd;
}

function formatField(text: string, isQuoted: boolean): string {
  return isQuoted || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
