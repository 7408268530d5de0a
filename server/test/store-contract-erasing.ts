// The store's contract, part eight: the payloads of a subject can be erased, and nothing of them is found afterwards.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NewEvent, Store } from '../src/store/index.ts';
import {
  addWebhook,
  furnish,
  mustPublish,
  newEvent,
  NOON,
  openOf,
  settle,
  settlementOf,
  someEvents,
  type Place,
} from './store-furniture.ts';
import type { Ground, Prepare } from './store-ground.ts';

/** What must be found nowhere afterwards. */
export const MARKER = 'MARKER-of-a-person';
const LATER = NOON + 60_000;

/** An event about a subject, whose envelope says so in one of the ways JSON has. */
export function about(id: string, subject: string, { escaped = false, size = 0 } = {}): NewEvent {
  const said = escaped ? `"\\u0073ubject":${JSON.stringify(subject)}` : `"subject":${JSON.stringify(subject)}`;
  const data = JSON.stringify(`${MARKER} ${'x'.repeat(size)}${MARKER}`);
  const envelope = `{"specversion":"1.0","id":"${id}","source":"/tests","type":"com.example.made",${said},"data":${data}}`;
  return newEvent(id, { envelope: Buffer.from(envelope), note: `found ${MARKER}` });
}

/** Runs every erasure to its end. */
export async function eraseAll(store: Store): Promise<void> {
  for (const now of [NOON, LATER, LATER]) while (await store.erasures.advance(now));
}

/** An attempt that kept the marker wherever an attempt keeps anything. */
function telltale(delivery: Parameters<typeof settlementOf>[0]): ReturnType<typeof settlementOf> {
  const { attempt, ...rest } = settlementOf(delivery);
  return {
    ...rest,
    next: { state: 'dead', tries: 1, dueAt: NOON, endedAt: NOON, reason: `it said ${MARKER}` },
    attempt: {
      ...attempt,
      error: MARKER,
      requestHeaders: JSON.stringify({ 'ce-subject': MARKER }),
      responseHeaders: JSON.stringify([['x', MARKER]]),
      response: Buffer.from(MARKER.repeat(300)),
    },
  };
}

/** In which tables and columns the marker stands. */
export async function foundIn({ engine, query }: Ground): Promise<string[]> {
  const columns = await query<{ table: string; column: string }>(
    engine === 'postgres'
      ? `SELECT table_name AS "table", 'a row' AS "column" FROM information_schema.tables
         WHERE table_schema = current_schema()`
      : `SELECT m.name AS "table", c.name AS "column" FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'`,
  );
  const found: string[] = [];
  for (const { table, column } of columns) {
    const text = engine === 'postgres' ? `${table}::text` : `CAST(${column} AS TEXT)`;
    const inHex = engine === 'postgres' ? ` OR ${table}::text LIKE '%${Buffer.from(MARKER).toString('hex')}%'` : '';
    const rows = await query(`SELECT 1 AS one FROM ${table} WHERE ${text} LIKE '%${MARKER}%'${inHex}`);
    if (rows.length > 0) found.push(`${table}.${column}`);
  }
  return found;
}

/** Runs this part on an engine. */
export function exerciseErasing(engine: string, prepare: Prepare): void {
  test(`${engine}: erasing takes every payload of a subject out of every table, and nothing of anybody else`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await furnish(store);
    const { workspace, target } = place;
    const theirs = [about('a', MARKER), about('b', MARKER, { escaped: true }), about('c', MARKER, { size: 9000 })];
    const others = [about('d', 'somebody'), ...someEvents(150)].map((event) => ({ ...event, note: null }));
    others[0]!.envelope = Buffer.from(Buffer.from(others[0]!.envelope).toString().replaceAll(MARKER, 'nobody'));
    await mustPublish(place, [...theirs, ...others]);
    const open = await openOf(place, target);
    await settle(store, telltale(open[0]!), settlementOf(open[3]!));
    assert.notDeepEqual(await foundIn(ground), []);
    const told: number[] = [];
    store.on({ erased: (of) => told.push(of) });
    const { erasure, state } = await store.erasures.begin({ workspace, subject: MARKER }, NOON);
    assert.equal(state, 'running');
    await eraseAll(store);
    assert.deepEqual(await foundIn(ground), []);
    assert.ok(told.includes(workspace));
    const done = (await store.erasures.one(workspace, erasure))!;
    assert.deepEqual([done.state, done.erased, done.progress], ['done', 3, 1]);
    assert.deepEqual(await store.erasures.list({ workspace, cursor: null, limit: 9 }), [done]);
    // What is left says what it is; the others are as they were.
    const { rows } = await store.log.events({ workspace, order: 'oldest-first', cursor: null, limit: 500 });
    const erased = rows.filter(({ erasedAt }) => erasedAt !== null);
    assert.deepEqual(
      erased.map(({ id, type, envelope, note }) => [id, type, envelope.length, note]),
      ['a', 'b', 'c'].map((id) => [id, 'com.example.made', 0, null]),
    );
    assert.equal(rows.length, 154);
    assert.deepEqual(
      rows.filter(({ erasedAt }) => erasedAt === null).map(({ envelope }) => Buffer.from(envelope).toString()),
      others.map(({ envelope }) => Buffer.from(envelope).toString()),
    );
    const dead = await store.log.deliveries({ workspace, state: 'dead', cursor: null, limit: 9 });
    assert.deepEqual(
      dead.rows.map(({ eventId, reason }) => [eventId, reason]),
      ['c', 'b', 'a'].map((id) => [id, 'erased']),
    );
    const other = await store.log.delivery(open[3]!);
    assert.deepEqual([other!.delivery.state, other!.attempts[0]!.status], ['delivered', 200]);
    assert.equal((await openOf(place, target)).length, 150);
    // It cannot be sent again by any door, and is still known for a duplicate.
    assert.equal(await store.log.pending(open[0]!), null);
    assert.equal((await mustPublish(place, [about('a', MARKER)]))[0]!.duplicate, true);
    assert.deepEqual(await foundIn(ground), []);
  });

  test(`${engine}: erasing goes on where it was after a restart; what comes later is somebody's own`, async (t) => {
    const ground = await prepare(t);
    let store = await ground.open();
    const place = await furnish(store);
    const { workspace } = place;
    const events = Array.from({ length: 250 }, (_, i) => (i % 2 ? about(`e${i}`, MARKER) : newEvent(`e${i}`)));
    await mustPublish(place, events);
    await store.erasures.begin({ workspace, subject: MARKER }, NOON);
    await mustPublish(place, [about('later', MARKER)]);
    await store.erasures.advance(NOON);
    await store.close();
    store = await ground.open();
    await eraseAll(store);
    const { rows } = await store.log.events({ workspace, order: 'oldest-first', cursor: null, limit: 500 });
    assert.deepEqual(
      rows.filter(({ erasedAt }) => erasedAt !== null).map(({ id }) => id),
      events.map(({ id }) => id).filter((_, i) => i % 2),
    );
    assert.ok(Buffer.from(rows.at(-1)!.envelope).includes(MARKER));
  });

  test(`${engine}: erasing also reaches what was under way: late attempts, fan-outs not yet expanded, redrives`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open({ limits: { fanout: 1, group: 1000 } });
    const place: Place & { target: number } = await furnish(store);
    const { workspace, target } = place;
    const second = await addWebhook(place, 'second', 'com.example.made');
    await mustPublish(place, [about('a', MARKER)]);
    const [underWay] = await openOf(place, target);
    await store.erasures.begin({ workspace, subject: MARKER }, NOON);
    await store.erasures.advance(NOON);
    // An attempt that had begun before comes to its end.
    await settle(store, telltale(underWay!));
    while (await store.log.expandFanouts(10, NOON));
    await eraseAll(store);
    assert.deepEqual(await foundIn(ground), []);
    assert.deepEqual(await openOf(place, second.webhook), []);
    const { rows } = await store.log.deliveries({ workspace, cursor: null, limit: 9 });
    assert.deepEqual(
      rows.map(({ state, reason }) => [state, reason]),
      [
        ['dead', 'erased'],
        ['dead', 'erased'],
      ],
    );
    const kept = await store.log.delivery(underWay!);
    assert.deepEqual(
      kept!.attempts.map(({ error, requestHeaders, response }) => [error, requestHeaders, response]),
      [['erased', '{}', null]],
    );
  });
}
