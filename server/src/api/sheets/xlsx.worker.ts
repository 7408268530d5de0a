// A thread that writes one XLSX file and ends. Text is written as text: nothing in it is taken for a formula.
import { parentPort, workerData } from 'node:worker_threads';
import { writeXlsx } from 'hucre/xlsx';
import type { XlsxJob } from './export.ts';

const { name, rows } = workerData as XlsxJob;
// What programs for tables take as a name, to 31 characters.
const tab =
  name
    .replace(/[[\]:*?/\\']/g, ' ')
    .slice(0, 31)
    .trim() || 'Sheet1';
parentPort!.postMessage(await writeXlsx({ sheets: [{ name: tab, rows: rows.map((row) => [...row]) }] }));
