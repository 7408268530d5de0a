// The store's contract, part six: webhooks, their secrets, their history, their end.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import {
  BUCKETS,
  type NewWebhook,
  type Unproved,
  type Webhook,
  type WebhookPatch,
  type WebhookSecrets,
} from '../src/store/index.ts';
import {
  addWebhook,
  addWorkspace,
  furnish,
  mustPublish,
  newWebhook,
  NOON,
  openOf,
  someEvents,
} from './store-furniture.ts';
import { refusal } from './store-contract-settings.ts';
import type { Ground, Prepare } from './store-ground.ts';

/** Everything the database keeps, as bytes: the files of SQLite, all tables of PostgreSQL. */
async function everything({ engine, address, query }: Ground): Promise<string> {
  if (engine === 'sqlite') {
    const files = [address, `${address}-wal`].filter((file) => existsSync(file));
    return files.map((file) => readFileSync(file, 'latin1')).join('');
  }
  const tables = await query<{ name: string }>(
    `SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()`,
  );
  const rows = await Promise.all(tables.map(({ name }) => query(`SELECT row_to_json(t)::text FROM ${name} t`)));
  return JSON.stringify(rows);
}

/** Runs this part on an engine. */
export function exerciseWebhooks(engine: string, prepare: Prepare): void {
  test(`${engine}: a webhook is made with all it is made of, and found again`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const workspace = await addWorkspace(store);
    const told: number[] = [];
    store.on({ webhook: (_workspace, number) => told.push(number) });
    const fresh = newWebhook(workspace, 'all', {
      description: 'what it is for',
      headers: { 'x-team': 'ops' },
      signing: ['standard-v1', 'hpe'],
      retryDelaysMs: [1000, 2000],
      timeoutMs: 5000,
      publicKey: 'whpk_x',
      verification: 'options',
      format: 'binary',
      batch: { events: 7, waitMs: 1000, bytes: 4096 },
      health: 'pending',
      reason: 'registered',
    });
    const made = await settings.createWebhook(fresh);
    const { secrets, now, headers, ...rest } = fresh;
    const token = (await settings.workspace({ workspace }))!.token;
    const expected: Webhook = {
      ...rest,
      batch: { events: 7, waitMs: 1000, bytes: 4096 },
      headers: { 'x-team': '•••' },
      mode: 'push',
      listener: null,
      webhook: made.webhook,
      token,
      bucket: made.bucket,
      allowedRate: null,
      quietUntil: null,
      intent: 'enabled',
      streak: 0,
      lastSuccessAt: null,
      secondaryUntil: null,
      challenge: null,
      provedAt: null,
      createdAt: now,
      updatedAt: now,
      revision: 1,
    };
    assert.deepEqual(made, expected);
    assert.ok(made.bucket >= 0 && made.bucket < BUCKETS);
    assert.deepEqual(await settings.webhook(workspace, made.webhook), expected);
    assert.deepEqual(await settings.webhooks(workspace), [expected]);
    assert.deepEqual(await settings.target({ workspace, target: made.webhook }), {
      webhook: { ...expected, headers },
      secrets,
    });
    assert.deepEqual(told, [made.webhook]);
    const changes = await settings.webhookChanges(workspace, made.webhook, 10);
    assert.deepEqual(
      changes.map((change) => ({ ...change })),
      [{ at: NOON, intent: 'enabled', health: 'pending', reason: 'registered' }],
    );
  });

  test(`${engine}: R108 names are unique in their workspace, also when they race; numbers are limited`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const workspace = await addWorkspace(store, 'one', { webhooks: 3 });
    const racing = await Promise.allSettled(
      Array.from({ length: 5 }, () => settings.createWebhook(newWebhook(workspace, 'same'))),
    );
    assert.equal(racing.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of racing) if (result.status === 'rejected') refusal('name-taken')(result.reason);
    const place = { store, workspace };
    const [second, third] = [await addWebhook(place, 'second'), await addWebhook(place, 'third')];
    await assert.rejects(settings.createWebhook(newWebhook(workspace, 'fourth')), refusal('limit-reached'));
    await settings.createWebhook(newWebhook(await addWorkspace(store, 'two'), 'same'));
    const rename = ({ webhook, revision }: Webhook, name: string): Promise<Webhook> =>
      settings.updateWebhook({ workspace, target: webhook, revision, patch: { name }, reason: null, now: NOON });
    const renamed = await Promise.allSettled([rename(second, 'wanted'), rename(third, 'wanted')]);
    assert.deepEqual(renamed.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
    for (const result of renamed) if (result.status === 'rejected') refusal('name-taken')(result.reason);
    const holder = (await settings.webhooks(workspace)).find(({ name }) => name === 'wanted')!;
    assert.equal((await rename(holder, 'wanted')).name, 'wanted');
  });

  test(`${engine}: R71 secrets are sealed: nothing of them is in the database, and they open in their own row only`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const { settings } = store;
    const workspace = await addWorkspace(store);
    const secrets = {
      secret: 'SECRET-one-in-the-clear',
      secondarySecret: 'SECRET-two-in-the-clear',
      proved: 'secondarySecret' as const,
      standardKeys: ['whsec_SECRETthreeintheclear'],
      signingKey: 'whsk_SECRETfourintheclear',
      authorization: 'Bearer SECRET-five-in-the-clear',
      clientSecret: 'SECRET-seven-in-the-clear',
      privateKey: 'SECRET-eight-in-the-clear',
    };
    const { webhook } = await settings.createWebhook(
      newWebhook(workspace, 'sealed', { secrets, headers: { 'x-api-key': 'SECRET-header' } }),
    );
    const other = await settings.createWebhook(newWebhook(workspace, 'other'));
    await settings.updateWebhook({
      workspace,
      target: other.webhook,
      revision: other.revision,
      patch: { secrets: { ...secrets, secret: 'SECRET-six-in-the-clear' } },
      reason: null,
      now: NOON,
    });
    assert.deepEqual((await settings.target({ workspace, target: webhook }))!.secrets, secrets);
    assert.equal(
      (await settings.target({ workspace, target: other.webhook }))!.secrets.secret,
      'SECRET-six-in-the-clear',
    );
    const bytes = await everything(ground);
    assert.ok(bytes.includes('sealed'), 'the name must be found, or the search proves nothing');
    assert.doesNotMatch(bytes, /SECRET/);
    for (const text of Object.values(secrets).flat()) {
      assert.ok(!bytes.includes(Buffer.from(text).toString('base64').slice(0, -4)), text);
    }
    await ground.query(
      'UPDATE webhooks SET secrets = (SELECT secrets FROM webhooks WHERE webhook = $1) WHERE webhook = $2',
      [webhook, other.webhook],
    );
    await assert.rejects(settings.target({ workspace, target: other.webhook }), /belongs to another place/);
    assert.deepEqual((await settings.target({ workspace, target: webhook }))!.secrets, secrets);
  });

  test(`${engine}: R113 a change needs the revision it was made for; changes of state are recorded with their reason`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const { workspace, webhook, target } = await furnish(store);
    const update = (patch: WebhookPatch, revision: number, reason: string | null = null): Promise<Webhook> =>
      settings.updateWebhook({ workspace, target, revision, patch, reason, now: NOON + revision });
    const { secrets: _, ...patch } = {
      name: 'renamed',
      description: 'new',
      url: 'https://new.example/hook',
      verification: 'none',
      signing: ['hpe'],
      format: 'binary',
      headers: { a: 'b' },
      retryDelaysMs: [1],
      timeoutMs: 9,
      allowedRate: 60,
      streak: 4,
      lastSuccessAt: NOON,
      publicKey: 'whpk_y',
      secondaryUntil: NOON + 9,
      challenge: { at: NOON, error: 'no', attempt: 1, attempts: 3, nextAt: NOON + 5, secret: null },
      provedAt: NOON,
      secrets: null,
    } as const;
    const second = await update(patch, 1);
    assert.deepEqual(second, { ...webhook, ...patch, headers: { a: '•••' }, revision: 2, updatedAt: NOON + 1 });
    const nulls = {
      retryDelaysMs: null,
      timeoutMs: null,
      allowedRate: null,
      lastSuccessAt: null,
      secondaryUntil: null,
      publicKey: null,
      challenge: null,
      provedAt: null,
    };
    const third = await update(nulls, 2);
    assert.deepEqual(third, { ...second, ...nulls, revision: 3, updatedAt: NOON + 2 });
    assert.equal((await settings.webhookChanges(workspace, target, 10)).length, 1);
    await update({ intent: 'paused' }, 3, 'paused by hand');
    await update({ intent: 'enabled', health: 'pending' }, 4, 'enabled by hand');
    await update({ health: 'pending' }, 5, 'nothing changed');
    await assert.rejects(update({ name: 'late' }, 5), refusal('changed-meanwhile'));
    const racing = await Promise.allSettled(['a', 'b', 'c'].map((description) => update({ description }, 6)));
    assert.equal(racing.filter(({ status }) => status === 'fulfilled').length, 1);
    for (const result of racing) if (result.status === 'rejected') refusal('changed-meanwhile')(result.reason);
    const changes = await settings.webhookChanges(workspace, target, 2);
    assert.deepEqual(
      changes.map((change) => ({ ...change })),
      [
        { at: NOON + 4, intent: 'enabled', health: 'pending', reason: 'enabled by hand' },
        { at: NOON + 3, intent: 'paused', health: 'active', reason: 'paused by hand' },
      ],
    );
    await assert.rejects(
      settings.updateWebhook({ workspace, target: 999, revision: 1, patch: {}, reason: null, now: NOON }),
      refusal('not-found'),
    );
  });

  test(`${engine}: R118 deleting needs force while subscribed, and leaves what was open as dead letters`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings, log } = store;
    const place = await furnish(store);
    const { workspace, target } = place;
    const other = await addWebhook(place, 'other', 'com.example.made');
    await mustPublish(place, someEvents(1_200));
    const told: number[] = [];
    store.on({ webhook: (_workspace, number) => told.push(number) });
    await assert.rejects(settings.deleteWebhook({ workspace, target }, false, NOON), refusal('in-use'));
    assert.equal((await openOf(place, target)).length, 1_200);
    assert.equal((await settings.subscriptions(workspace, target)).length, 1);
    assert.deepEqual(told, []);
    await settings.deleteWebhook({ workspace, target }, true, NOON + 7);
    assert.deepEqual(told, [target]);
    assert.equal(await settings.webhook(workspace, target), null);
    assert.deepEqual(await settings.subscriptions(workspace, target), []);
    assert.deepEqual(await settings.webhookChanges(workspace, target, 10), []);
    assert.equal((await openOf(place, target)).length, 0);
    const { rows } = await log.deliveries({ workspace, webhook: target, state: 'dead', cursor: null, limit: 2_000 });
    assert.equal(rows.length, 1_200);
    assert.deepEqual([rows[0]!.endedAt, rows[0]!.reason], [NOON + 7, 'the webhook was deleted']);
    assert.equal((await openOf(place, other.webhook)).length, 1_200);
    await assert.rejects(settings.deleteWebhook({ workspace, target }, true, NOON), refusal('not-found'));
    await mustPublish(place, someEvents(1, 'after'));
    assert.equal((await openOf(place, target)).length, 0);
    const bare = await addWebhook(place, 'bare');
    await settings.deleteWebhook({ workspace, target: bare.webhook }, false, NOON);
  });

  test(`${engine}: R118 what a deletion does not bury at once is buried later, also after a crash`, async (t) => {
    const ground = await prepare(t);
    const store = await ground.open();
    const place = await furnish(store);
    const { workspace, target } = place;
    await mustPublish(place, someEvents(5_500));
    await store.settings.deleteWebhook({ workspace, target }, true, NOON + 7);
    assert.equal((await openOf(place, target)).length, 500);
    await store.close();
    const { log } = await ground.open();
    for (let rounds = 0; await log.bury(300); rounds++) assert.ok(rounds < 3);
    const { rows } = await log.deliveries({ workspace, webhook: target, state: 'dead', cursor: null, limit: 6_000 });
    assert.equal(rows.length, 5_500);
    assert.ok(rows.every(({ endedAt, reason }) => endedAt === NOON + 7 && reason === 'the webhook was deleted'));
    assert.equal(await log.bury(300), false);
  });

  test(`${engine}: R112 a note of a challenge is no change of the webhook, and never one about a former form of it`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const { workspace, target, webhook } = await furnish(store);
    const note = { at: NOON, error: 'answered 500', attempt: 1, attempts: 3, nextAt: NOON + 5000, secret: null };
    await settings.noteChallenge({ workspace, target, revision: 1, note });
    const noted = { ...webhook, challenge: note };
    assert.deepEqual(await settings.webhook(workspace, target), noted);
    await settings.noteChallenge({ workspace, target, revision: 2, note: { ...note, error: 'of another form' } });
    assert.deepEqual(await settings.webhook(workspace, target), noted);
  });

  test(`${engine}: R71 rotations that are over end: former secrets and keys are erased, once`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const workspace = await addWorkspace(store);
    const [present, former] = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', 'whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD'];
    const rotate = async (
      name: string,
      over: Partial<NewWebhook>,
      proved: WebhookSecrets['proved'],
    ): Promise<number> => {
      const secrets = {
        ...newWebhook(0, name).secrets,
        secondarySecret: 'before',
        standardKeys: [present, former],
        proved,
      };
      const { webhook: target } = await settings.createWebhook(newWebhook(workspace, name, { ...over, secrets }));
      const patch = { secondaryUntil: NOON + 10 };
      await settings.updateWebhook({ workspace, target, revision: 1, patch, reason: null, now: NOON });
      return target;
    };
    const known = await rotate('known', {}, 'secret');
    const unknown = await rotate('unknown', {}, 'secondarySecret');
    const trusted = await rotate('trusted', { verification: 'options' }, 'secondarySecret');
    assert.equal(await settings.endRotations(NOON + 9, 100), 0);
    const told: number[] = [];
    store.on({ webhook: (_workspace, number) => told.push(number) });
    assert.equal(await settings.endRotations(NOON + 10, 2), 2);
    assert.equal(await settings.endRotations(NOON + 10, 2), 1);
    assert.equal(await settings.endRotations(NOON + 10, 2), 0);
    assert.deepEqual(new Set(told), new Set([known, unknown, trusted]));
    for (const [target, health] of [
      [known, 'active'],
      [unknown, 'pending'],
      [trusted, 'active'],
    ] as const) {
      const { webhook, secrets } = (await settings.target({ workspace, target }))!;
      assert.deepEqual([webhook.health, webhook.secondaryUntil], [health, null]);
      assert.deepEqual([secrets.secondarySecret, secrets.proved, secrets.standardKeys], [null, 'secret', [present]]);
    }
  });

  test(`${engine}: R110 those that have to prove themselves are found: pending ones, and critical ones that once did`, async (t) => {
    const store = await (await prepare(t)).open();
    const { settings } = store;
    const workspace = await addWorkspace(store);
    const make = async (name: string, over: Partial<NewWebhook>, patch: WebhookPatch = {}): Promise<Unproved> => {
      const { webhook: target, bucket } = await settings.createWebhook(newWebhook(workspace, name, over));
      await settings.updateWebhook({ workspace, target, revision: 1, patch, reason: null, now: NOON });
      return { workspace, target, bucket, health: over.health as 'pending' };
    };
    const pending = await make('pending', { health: 'pending' });
    await make('active', { health: 'active' });
    await make('paused', { health: 'pending' }, { intent: 'paused' });
    await make('trusted', { health: 'pending', verification: 'none' });
    await make('stranger', { health: 'critical' });
    const critical = await make('critical', { health: 'critical' }, { provedAt: NOON });
    assert.deepEqual(plain(await settings.unproved(NOON)), [pending]);
    assert.deepEqual(plain(await settings.unproved(NOON + 1)), [pending, critical]);
  });
}

function plain<Row extends object>(rows: readonly Row[]): Row[] {
  return rows.map((row) => ({ ...row }));
}
