// Sheets at Google, against a server that checks tokens, ranges and options: one row per key through every trouble.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { test, type TestContext } from 'node:test';
import { startGoogleSheets } from '../../test/kit/google-sheets.ts';
import { createAddressGuard } from '../src/engine/transport/address-guard.ts';
import { createTransport } from '../src/engine/transport/index.ts';
import { fetchOver } from '../src/flow-port.ts';
import type { ActionFailed } from '../src/flow/action.ts';
import { createGooglePlace } from '../src/flow/sheets/google/index.ts';
import type { Sheet } from '../src/model/sheet.ts';
import { atHand, failing } from './sheet-ground.ts';
import { NOON } from './store-furniture.ts';

async function furnish(t: TestContext, rows: (string | number)[][] = []) {
  const clock = { at: NOON, now: () => clock.at };
  const google = await startGoogleSheets(clock.now);
  t.after(() => google.stop());
  google.spreadsheet('1AbC', { "Audit's log": rows, Other: [['x']] });
  const start = (allow = ['127.0.0.0/8'], everyMs = 0) => {
    const transport = createTransport({ guard: createAddressGuard({ allow }), userAgent: 'Bellwire/test' });
    const place = createGooglePlace({ fetch: fetchOver((request) => transport.send(request)), clock, everyMs });
    t.after(() => place.close());
    t.after(() => transport.close({ force: true }));
    return place;
  };
  const at = (
    over: Partial<Sheet> = {},
    { tab = "Audit's log", spreadsheet = '1AbC', account = google.account } = {},
  ) =>
    atHand(
      { kind: 'google', spreadsheet, tab, account: 'GOOGLE', api: google.url },
      { secrets: { GOOGLE: account }, ...over },
    );
  return { google, clock, start, place: start(), at, written: () => google.rows('1AbC', "Audit's log") };
}

const evt = (id: string, more: object = {}) => ({ key: 'k', cells: { id, ...more } });

test('R98 R99 a row goes to its tab below the titles, raw, in the chosen columns', async (t) => {
  const { place, at, written, google } = await furnish(t);
  assert.deepEqual(await place.append(at(), { key: 'k', cells: { A: 'evt-1', C: '=1+1' } }), { row: 1, added: true });
  assert.deepEqual(await place.append(at(), evt('evt-2', { user: 7 })), { row: 2, added: true });
  assert.deepEqual(written(), [
    ['id', 'user', 'text'],
    ['evt-1', '', '=1+1'],
    ['evt-2', 7],
  ]);
  assert.deepEqual(await place.lookup(at(), { match: { user: '7' }, limit: 3 }), [
    { row: 2, cells: { A: 'evt-2', B: 7, C: null } },
  ]);
  assert.equal(google.count('token'), 1);
});

test('R98 columns go where the tab has their titles; without titles by letters', async (t) => {
  const { place, at, written } = await furnish(t, [['text', 'id', 'user']]);
  await place.append(at(), evt('evt-1', { text: 'a' }));
  assert.deepEqual(written()[1], ['a', 'evt-1']);
  const bare = at({ columns: [], keyColumn: 'B' });
  assert.deepEqual(await place.append(bare, { key: 'k', cells: { B: 'evt-1' } }), { row: 2, added: false });
  assert.deepEqual(await place.append(bare, { key: 'k', cells: { B: 'evt-2', D: true } }), { row: 3, added: true });
  assert.deepEqual(written()[2], ['', 'evt-2', '', true]);
  const other = place.append(at({ columns: ['id', 'colour'] }), { key: 'k', cells: { id: 'evt-3', colour: 'red' } });
  await assert.rejects(other, failing(/no column with the title "colour"/, false));
});

test('R106 one row per key: many at once in few requests, a redelivery, a restart', async (t) => {
  const { start, place, at, written, google } = await furnish(t);
  const asked = Array.from({ length: 50 }, (_, n) => place.append(at(), evt(`evt-${n % 20}`)));
  const answers = await Promise.all(asked);
  assert.equal(answers.filter(({ added }) => added).length, 20);
  assert.ok(google.count('append') <= 3, `${google.count('append')} appends`);
  assert.deepEqual(await start().append(at(), evt('evt-3')), { row: 4, added: false });
  assert.equal(written().length, 21);
});

test('R106 the row is taken and the connection is cut: exactly one row after the retry', async (t) => {
  const { place, at, written, google } = await furnish(t);
  google.trouble('append', { cut: 'after' }, { cut: 'before' });
  await assert.rejects(place.append(at(), evt('evt-1')), failing(/^Google: /, true));
  assert.deepEqual(await place.append(at(), evt('evt-1')), { row: 1, added: false });
  await assert.rejects(place.append(at(), evt('evt-2')), failing(/^Google: /, true));
  assert.deepEqual(await place.append(at(), evt('evt-2')), { row: 2, added: true });
  google.trouble('append', { status: 500 });
  await assert.rejects(place.append(at(), evt('evt-3')), failing(/Google answered 500/, true));
  await place.append(at(), evt('evt-3'));
  assert.deepEqual(written().slice(1), [['evt-1'], ['evt-2'], ['evt-3']]);
});

test('R98 rows are updated where they stand; upsert appends once', async (t) => {
  const { place, at, written } = await furnish(t, [
    ['id', 'user', 'text'],
    ['evt-1', 'a', 'b'],
  ]);
  const change = { match: { id: 'evt-1' }, cells: { user: null, text: 'c' }, upsert: false, key: 'k' };
  assert.deepEqual(await place.update(at(), change), { updated: 1, added: false });
  const upsert = { match: { id: 'evt-2' }, cells: { text: 'd' }, upsert: true, key: 'k' };
  assert.deepEqual(await place.update(at(), upsert), { updated: 0, added: true });
  assert.deepEqual(await place.update(at(), upsert), { updated: 1, added: false });
  assert.deepEqual(written().slice(1), [
    ['evt-1', '', 'c'],
    ['evt-2', '', 'd'],
  ]);
});

test('R98 the token is kept until it expires, and asked for anew once when it was taken back', async (t) => {
  const { place, at, google, clock, written } = await furnish(t);
  google.spreadsheet('2', { Log: [] });
  const elsewhere = at({}, { spreadsheet: '2', tab: 'Log' });
  await Promise.all([place.append(at(), evt('evt-1')), place.append(elsewhere, evt('evt-1'))]);
  assert.equal(google.count('token'), 1);
  google.revoke();
  assert.equal((await place.append(at(), evt('evt-2'))).added, true);
  assert.equal(google.count('token'), 2);
  clock.at += 3_600_000;
  assert.equal((await place.append(at(), evt('evt-3'))).added, true);
  assert.equal(google.count('token'), 3);
  assert.equal(written().length, 4);
});

test('bad input: a Google answer of 401, 403, 404, 429 and 500 is told in words, and tried again where it may pass', async (t) => {
  const { place, at, google, written } = await furnish(t);
  const append = (over = at()) => place.append(over, evt('evt-1'));
  const cases: [number, RegExp, boolean][] = [
    [403, /does not let the account in \(403\): as told; share the spreadsheet with bellwire@project/, false],
    [500, /Google answered 500: as told/, true],
    [503, /Google answered 503/, true],
    [418, /Google answered 418/, false],
  ];
  for (const [status, words, retryable] of cases) {
    google.trouble('read', { status });
    await assert.rejects(append(), failing(words, retryable));
  }
  google.trouble('read', { status: 401 }, { status: 401 });
  await assert.rejects(append(), failing(/does not take the account’s access token \(401\)/, false));
  google.trouble('append', { status: 429, headers: { 'retry-after': '7' } }, { status: 429 });
  for (const waitMs of [7_000, 10_000]) {
    await assert.rejects(append(), (error) => {
      failing(/quota is used up \(429\)/, true)(error);
      assert.equal((error as ActionFailed).afterMs, waitMs);
      return true;
    });
  }
  await assert.rejects(append(at({}, { spreadsheet: 'gone' })), failing(/knows no spreadsheet "gone" \(404\)/, false));
  await assert.rejects(
    append(at({}, { tab: 'gone' })),
    failing(/Unable to parse range.*is there a tab "gone"\?/, false),
  );
  assert.equal((await append()).added, true);
  assert.equal(written().length, 2);
});

test('bad input: a row that Google refuses, or a cell too long, does not hold up the others of its round', async (t) => {
  const { place, at, written } = await furnish(t);
  const texts = ['a', 'what Google refuses', 'x'.repeat(50_001), 'b'];
  const asked = texts.map((text, n) => place.append(at(), evt(`evt-${n}`, { text })));
  const settled = await Promise.allSettled([
    ...asked,
    place.append(at(), evt('evt-1', { text: 'what Google refuses' })),
  ]);
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'rejected', 'fulfilled', 'rejected'],
  );
  assert.deepEqual(
    written()
      .slice(1)
      .map(([id]) => id),
    ['evt-0', 'evt-3'],
  );
});

test('bad input: a secret that is no key, a key that is another one, a token server in trouble', async (t) => {
  const { place, at, google, start } = await furnish(t);
  const append = (account: string) => place.append(at({}, { account }), evt('evt-1'));
  const key = JSON.parse(google.account) as Record<string, string>;
  const none = /^the secret is no JSON key of a service account: /;
  for (const account of ['no JSON', 'null', '{}', JSON.stringify({ ...key, private_key: 'x' })]) {
    await assert.rejects(append(account), failing(none, false));
  }
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' });
  const forged = JSON.stringify({ ...key, private_key: other });
  await assert.rejects(append(forged), failing(/gave no access token \(400\): invalid_grant: Invalid JWT/, false));
  google.trouble('token', { status: 503 }, { cut: 'after' });
  await assert.rejects(append(google.account), failing(/gave no access token \(503\)/, true));
  await assert.rejects(append(google.account), failing(/gave no access token: /, true));
  const refused = start([]).append(at(), evt('evt-1'));
  await assert.rejects(refused, failing(/gave no access token: .*loopback address/, true));
  assert.equal((await append(google.account)).added, true);
});
