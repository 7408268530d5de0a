// No secret is told: the whole platform is used, and made to fail, with secrets that are marked; then everything it has
// said (log, answers, metrics, command line) and all that it keeps is searched for them, in every form they can take.
// A feature that is not used in test/marked/ is not searched.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import pg from 'pg';
import { testDatabase, withoutPostgres } from './kit/postgres.ts';
import { callHooks, knock } from './marked/callers.ts';
import { deliver, report } from './marked/deliveries.ts';
import { noteLine, noteStore, takeStoreAway, useCommandLine, walk } from './marked/everything.ts';
import { automate } from './marked/flows.ts';
import { start } from './marked/ground.ts';
import { createMarks, type Marks } from './marked/marks.ts';

/** Something that has an end. */
type Ending = Parameters<typeof testDatabase>[0];

/** Where a mark may stand, and why. Anything else is a leak. */
const ALLOWED: { mark: RegExp; place: RegExp; because: string }[] = [
  { mark: /^Made/, place: /^made: /, because: 'it is shown once, to whoever had it made' },
  {
    mark: /^(Trigger|Hook)Path$/,
    place: /^(made: trigger$|GET \/v1\/(jobs|policy-sets|scenarios)(\/\d+)? )/,
    because: 'who may read a flow may know where it is called; a trigger has a token beside it',
  },
  {
    mark: /^FlowSecret$/,
    place: /^(GET \/v1\/sheets\/kept\/rows|store (bellwire|sheet_rows))/,
    because: 'a document has it written into a sheet',
  },
  {
    mark: /^(Trigger|Hook)Path$/,
    place: /^store (bellwire|flows$)/,
    because: 'by these a request finds its flow; they open no more than that one',
  },
  {
    mark: /^(SenderToken|BasicPassword|SigningKey)$/,
    place: /^store (bellwire|hook_requests$|runs$)/,
    because: 'requests to hooks and replies are kept byte for byte, to be worked at again; they are masked when shown',
  },
];

const engines: [string, string | false, (t: Ending, marks: Marks) => Promise<string>][] = [
  ['SQLite', false, async () => 'sqlite'],
  ['PostgreSQL', withoutPostgres, markedDatabase],
];
for (const [engine, skip, addressOf] of engines) {
  test(
    `no secret is in a line of the log, a metric, an answer, an error or, unsealed, the store, on ${engine}`,
    { skip },
    async (t) => {
      const marks = createMarks();
      // The store goes after the platform.
      const ends: (() => Promise<void>)[] = [];
      const address = await addressOf({ after: (end) => void ends.push(end) }, marks);
      const ground = await start(t, marks, address);
      t.after(async () => {
        for (const end of ends) await end();
      });
      await deliver(t, ground);
      await report(ground);
      await automate(t, ground);
      await callHooks(ground);
      await knock(ground);
      await walk(ground);
      await noteStore(marks, address, ground.folder);
      await useCommandLine(ground);
      if (address !== 'sqlite') await takeStoreAway(ground, address);
      // What is to be traced is sent by then.
      await ground.api.platform.stop();
      for (const { body } of ground.collector.requests) marks.note('trace', body);
      for (const line of ground.api.lines) noteLine(marks, line);
      const leaks = marks
        .leaks()
        .filter(({ mark, place }) => !ALLOWED.some((of) => of.mark.test(mark) && of.place.test(place)));
      assert.ok(marks.count(/^log/) > 100 && marks.count(/^GET/) > 60 && marks.count(/^trace/) > 0);
      assert.deepEqual(leaks.slice(0, 40), []);
    },
  );
}

/** A database that is entered by a marked password. */
async function markedDatabase(t: Ending, marks: Marks): Promise<string> {
  const url = new URL(await testDatabase(t));
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  const [user, password] = [`marked_${process.pid}`, marks.make('StorePassword')];
  await admin.query(`CREATE ROLE ${user} LOGIN SUPERUSER PASSWORD '${password}'`);
  await admin.end();
  // By then the database is gone, and with it all that the role owns.
  const elsewhere = new URL(url);
  elsewhere.pathname = '/postgres';
  t.after(async () => {
    const last = new pg.Client({ connectionString: elsewhere.href });
    await last.connect();
    await last.query(`DROP ROLE ${user}`);
    await last.end();
  });
  url.username = user;
  url.password = password;
  return url.href;
}
