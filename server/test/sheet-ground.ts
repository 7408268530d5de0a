// What tests of sheets that are kept elsewhere stand on: a folder, and sheets at hand.
import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { ActionFailed } from '../src/flow/action.ts';
import type { AllowedFolders } from '../src/flow/allowed-file.ts';
import type { SheetAtHand } from '../src/flow/sheets/place.ts';
import type { Sheet, SheetPlace } from '../src/model/sheet.ts';

/** A folder of its own, gone after the test. */
export function sheetFolder(t: TestContext): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'bellwire-sheets-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** A sheet at hand: unless said otherwise with the titles `id`, `user` and `text`, the first of them its key column. */
export function atHand(
  place: SheetPlace,
  over: Partial<Sheet & Pick<SheetAtHand, 'secrets' | 'signal'>> = {},
): SheetAtHand {
  const { secrets = {}, signal = new AbortController().signal, ...rest } = over;
  const sheet = { name: 'AuditLog', description: '', columns: ['id', 'user', 'text'], keyColumn: 'id', place, ...rest };
  return { workspace: 1, sheet, secrets, signal };
}

/** These folders are allowed. */
export function allowed(...folders: string[]): AllowedFolders {
  return { folders, setting: 'sheets.folders' };
}

/** For `assert.rejects`: what a failure has to say, and whether it may pass. */
export function failing(words: RegExp, retryable: boolean): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof ActionFailed, String(error));
    assert.match(error.message, words);
    assert.equal(error.retryable, retryable, error.message);
    return true;
  };
}
