// Every command once, against a running platform: what people read, and what --json gives.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { eventually } from '../../test/kit/handler.ts';
import { issueCertificate } from './certificates.ts';
import { AUDIT_LOG, bellwire, documents, EXPIRING, startGround, startHandler, type Handler } from './cli-ground.ts';

let ground: Awaited<ReturnType<typeof startGround>>;
let handler: Handler;

before(async () => {
  ground = await startGround();
  handler = await startHandler('s3cr3tKey');
});
after(async () => {
  await ground.stop();
  await handler.stop();
});

/** Runs a command that must succeed. */
async function ok(args: string, stdin = ''): Promise<string> {
  const { code, stdout, stderr } = await bellwire(split(args), { folder: ground.folder, stdin });
  assert.deepEqual([code, stderr], [0, ''], `${args}: ${stderr}`);
  return stdout;
}

async function json(args: string, stdin = ''): Promise<Record<string, unknown>[]> {
  return documents({ stdout: await ok(`${args} --json`, stdin) });
}

async function fails(args: string): Promise<[number | null, string]> {
  const { code, stdout, stderr } = await bellwire(split(args), { folder: ground.folder });
  assert.equal(stdout, '');
  return [code, stderr];
}

/** Words; those with spaces stand in single quotes. */
function split(line: string): string[] {
  return Array.from(line.matchAll(/'([^']*)'|(\S+)/g), ([, quoted, word]) => quoted ?? word ?? '');
}

test('R49 R115 services and types: list, add, show, put from a file, rm', async () => {
  assert.equal(await ok('services add shop --description Orders'), 'shop is registered\n');
  assert.match(await ok('services list'), /^SERVICE +DESCRIPTION\n(.*\n)*shop +Orders\n/);
  writeFileSync(join(ground.folder, 'schema.json'), JSON.stringify({ type: 'object', required: ['order'] }));
  writeFileSync(
    join(ground.folder, 'type.yaml'),
    'service: shop\ndescription: An order was made.\nexample: { order: 7 }\n',
  );
  assert.equal(
    await ok('types put shop.order.created type.yaml --schema schema.json --check block'),
    'shop.order.created is in the catalog\n',
  );
  const [type] = await json('types show shop.order.created');
  assert.deepEqual([type?.['service'], type?.['schemaCheck'], type?.['example']], ['shop', 'block', { order: 7 }]);
  const shown = await ok('types show shop.order.created');
  assert.match(shown, /description +An order was made\./);
  assert.match(shown, /"order": 7/);
  assert.equal((await json('types list')).length, 21);
  assert.equal((await json('types list --service shop')).length, 1);
  assert.equal(
    (await json('types put shop.order.deleted -', '{"deprecation":"use created"}'))[0]?.['deprecation'],
    'use created',
  );
  assert.match((await fails('services rm shop'))[1], /\(in-use\)/);
  assert.equal(await ok('types rm shop.order.created'), 'shop.order.created is gone\n');
  assert.deepEqual(await json('types rm shop.order.deleted'), [{ deleted: 'shop.order.deleted' }]);
  assert.equal(await ok('services rm shop'), 'shop is gone\n');
  const [code, stderr] = await fails('types put x missing.json');
  assert.deepEqual([code, stderr], [2, 'bellwire: cannot read missing.json: there is no such file\n']);
});

test('a protected endpoint: certificates and secrets come from files, "none" takes them away', async () => {
  const authority = issueCertificate({ name: 'authority', isAuthority: true });
  const { certificate, privateKey } = issueCertificate({ name: 'client', issuer: authority });
  const files = { 'client.pem': certificate, 'client.key': privateKey, 'ca.pem': authority.certificate, secret: 'c\n' };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(ground.folder, name), text);
  const access =
    "--token-url http://127.0.0.1:8009/token --client-id me --client-secret-file secret --scope 'a b' --client-auth body";
  const tls = '--tls-certificate client.pem --tls-key client.key --tls-ca ca.pem';
  const [made] = await json(`webhooks add guarded https://127.0.0.1:8009/ --verification none ${access} ${tls}`);
  const oauth = { tokenUrl: 'http://127.0.0.1:8009/token', clientId: 'me', auth: 'body', scope: 'a b' };
  assert.deepEqual(made!['oauth'], { ...oauth, audience: null, resource: null });
  assert.equal((made!['tls'] as { ca: string }).ca, authority.certificate);
  const shown = await ok('webhooks show guarded');
  assert.match(
    shown,
    /access tokens +from http:\/\/127\.0\.0\.1:8009\/token as me\n[^]*client certificate +valid until /,
  );
  const [less] = await json('webhooks change guarded --token-url none --tls-certificate none');
  assert.deepEqual(
    [less?.['oauth'], less?.['tls']],
    [null, { certificate: null, ca: authority.certificate, expiresAt: null }],
  );
  const [code, words] = await fails('webhooks change guarded --tls-certificate client.pem');
  assert.equal(code, 1);
  assert.match(words, /A certificate needs its private key\./);
  await ok('webhooks rm guarded');
});

test('R108 R110 R113 R118 webhooks and subscriptions by name, from registration to the end', async () => {
  assert.equal(await ok('webhooks list'), 'There is no webhook yet: bellwire webhooks add <name> <url>\n');
  const added = await ok(`webhooks add audit ${handler.url} --secret-stdin --description Sheet`, 's3cr3tKey\n');
  assert.match(added, /^audit \(wh_\w+\) is active: the challenge was answered rightly\n$/);
  assert.match(await ok('webhooks test audit'), /^✔ the right answer after \d+ ms; the webhook is active\n$/);
  assert.match(await ok('webhooks list'), /^ID +NAME +STATE +URL\nwh_\w+ +audit +active +http:/);
  const [webhook] = await json('webhooks show audit');
  assert.deepEqual([webhook?.['state'], webhook?.['description'], webhook?.['signing']], ['active', 'Sheet', ['hpe']]);
  assert.match(await ok('webhooks show audit'), /state +active: the challenge was answered rightly/);

  assert.match(
    await ok(`subscribe audit ${AUDIT_LOG} --filter 'data/id eq ''`.replace("eq ''", "ne 1'")),
    /^audit gets com\.hpe/,
  );
  const [first] = await json(`subscribe audit ${EXPIRING}`);
  const [again] = await json(`subscribe audit ${EXPIRING}`);
  assert.deepEqual(again, first);
  assert.equal((await json('subscriptions')).length, 2);
  assert.match(await ok('subscriptions list --webhook audit'), /FILTER[^]*data\/id ne 1/);
  assert.match(await ok(`unsubscribe ${String(first?.['id'])}`), /is gone; events accepted before are still delivered/);
  assert.equal((await json(`unsubscribe audit ${AUDIT_LOG}`)).length, 1);
  assert.deepEqual((await fails(`unsubscribe audit ${AUDIT_LOG}`))[0], 5);

  assert.match(await ok('webhooks pause audit'), /is paused: paused by hand/);
  assert.match(await ok('webhooks resume audit'), /is active: resumed by hand/);
  assert.match(await ok('webhooks disable audit'), /is disabled/);
  assert.match(await ok('webhooks enable audit'), /is active: the challenge was answered rightly/);
  const changed = await json(
    "webhooks change audit --name 'audit two' --timeout 5s --retry-delays 1s,1m --rate 60 --order fifo:subject --on-failure skip --tries 3 --header x-a:b --authorization 'Bearer x' --signing hpe,standard-v1",
  );
  assert.deepEqual(changed[0]?.['policy'], {
    retryDelaysMs: [1_000, 60_000],
    timeoutMs: 5_000,
    rate: 60,
    recovery: 'in-order',
    order: { kind: 'fifo', key: 'subject', onFailure: 'skip', tries: 3 },
    batch: null,
  });
  const [batched] = await json("webhooks change 'audit two' --order fifo --batch 20,5s,64KiB");
  const batch = { events: 20, waitMs: 5_000, bytes: 65_536 };
  assert.deepEqual((batched!['policy'] as { batch: object }).batch, batch);
  assert.match(await ok("webhooks show 'audit two'"), /batches +up to 20 events, 5s, 65536 bytes\n/);
  assert.match(
    (await fails("webhooks change 'audit two' --batch 20,soon"))[1],
    /--batch takes bounds such as 10,60s,1MiB/,
  );
  await ok("webhooks change 'audit two' --batch none");
  assert.deepEqual([changed[0]?.['name'], changed[0]?.['headers']], ['audit two', { 'x-a': '•••' }]);
  assert.match(String(changed[0]?.['standardKey']), /^whsec_/);
  const rotated = await ok("webhooks rotate 'audit two' --grace 1h");
  assert.match(rotated, /^audit two \(wh_\w+\) is active: /);
  const former =
    /answered with the former secret, which is valid until \S+Z; give its handler the new one, then: bellwire webhooks test 'audit two'\n/;
  assert.match(rotated, former);
  assert.match(rotated, /secret +whsec_\S+[^]*Keep it now: it is not shown again\./);
  assert.match(await ok("webhooks test 'audit two'"), former);
  assert.match(await ok("webhooks show 'audit two'"), /challenge +answered rightly at \S+Z with the former secret\n/);
  assert.match(await ok("webhooks changes 'audit two'"), /AT +STATE +REASON\n[^]*registered/);
  await ok(`subscribe 'audit two' ${AUDIT_LOG}`);
  const [code, refusal] = await fails("webhooks rm 'audit two'");
  assert.equal(code, 1);
  assert.match(refusal, /has 1 subscription[^\n]*bellwire webhooks rm 'audit two' --force \(in-use\)\n$/);
  assert.equal(await ok("webhooks rm 'audit two' --force"), 'audit two is gone\n');
});

test('R109 R113 a wrong answer is exit code 1 and says why; a secret is never trimmed', async () => {
  const run = (args: string) => bellwire(split(args), { folder: ground.folder });
  const wrong = /✖ answered with a wrong value: the registered secret begins or ends with white space/;
  const more = (count: string) => new RegExp(`\n${count}, the next one at \\S+Z; if none is answered rightly, the`);
  const added = await run(`webhooks add wrong ${handler.url} --secret 's3cr3tKey '`);
  assert.equal(added.code, 1);
  assert.match(added.stdout, /^wrong \(wh_\w+\) is pending: registered\n/);
  assert.match(added.stdout, wrong);
  assert.match(added.stdout, more('2 more attempts follow by themselves'));
  assert.match(await ok('webhooks show wrong'), /challenge +attempt 1 of 3 failed at \S+: answered with a wrong value/);
  const second = await run('webhooks test wrong');
  assert.equal(second.code, 1);
  assert.match(second.stdout, wrong);
  assert.match(second.stdout, /the webhook is pending\n/);
  assert.match(second.stdout, more('One more attempt follows by itself'));
  const third = await run('webhooks test wrong');
  assert.match(
    third.stdout,
    /the webhook is critical\nNothing is sent to it; once its handler answers challenges rightly: bellwire webhooks test wrong\n$/,
  );
  assert.match(
    await ok('webhooks show wrong'),
    /to do +once its handler answers challenges rightly: bellwire webhooks/,
  );
  const fixed = await run(`webhooks change wrong --secret s3cr3tKey`);
  assert.deepEqual([fixed.code, /is active: the challenge was answered rightly/.test(fixed.stdout)], [0, true]);
  assert.match(await ok('webhooks change wrong --description anew'), /is active/);
  assert.match(
    await ok(`webhooks change wrong --secret 's3cr3tKey ' --no-wait`),
    /is pending: the secret was changed\nIt has not answered its challenge yet; see: bellwire webhooks show wh_\w+\n$/,
  );
  await ok('webhooks rm wrong');
});

test('R124 events and deliveries: list, show, exact bytes, retry by hand', async () => {
  await ok(`webhooks add sink ${handler.url} --secret s3cr3tKey --retry-delays 1h --authorization 'Bearer x'`);
  await ok('webhooks test sink');
  await ok(`subscribe sink ${AUDIT_LOG}`);
  handler.fail(true);
  const [accepted] = await json(`publish --example ${AUDIT_LOG} --id ex-1`);
  assert.deepEqual([accepted?.['id'], accepted?.['duplicate']], ['ex-1', false]);
  const [delivery] = await failed();
  const id = String(delivery?.['id']);
  await failing(id);
  const still = await bellwire(['deliveries', 'retry', id], { folder: ground.folder });
  assert.deepEqual([still.code, /^✖ .*500/.test(still.stdout)], [1, true]);
  handler.fail(false);
  assert.match(await ok(`deliveries retry ${id}`), /^✔ 200 after \d+ ms; the delivery is delivered\n$/);
  const shown = await ok(`deliveries show ${id}`);
  assert.match(shown, /✖ attempt 1\n[^]*✖ attempt 2 \(by hand\)\n[^]*✔ attempt 3 \(by hand\)/);
  const [detail] = await json(`deliveries show ${id}`);
  assert.equal((detail?.['attempts'] as unknown[] | undefined)?.length, 3);
  assert.match(
    await ok('deliveries list'),
    /^DELIVERY +STATE +WEBHOOK +TYPE +ATTEMPTS +ACCEPTED\ndlv_\w+ +delivered +sink +\S+ +3 /,
  );
  assert.match(shown, /^webhook +sink \(wh_\w+\), /m);
  assert.ok(!shown.includes('webhook-id'), 'headers only where they are asked for');
  const verbose = await ok(`deliveries show ${id} --verbose`);
  assert.match(verbose, /^ {2}sent\n {4}[^]*^ {4}webhook-id: dlv_\w+$[^]*^ {2}received\n {4}/m);
  assert.match(verbose, /^ {4}authorization: •••$/m);
  assert.ok(!verbose.includes('Bearer'), 'R13: masked as it is stored');
  assert.equal((await json('deliveries list --state dead')).length, 0);
  assert.equal(
    (await json(`deliveries list --webhook sink --event ${String(accepted?.['event'])} --limit 1`)).length,
    1,
  );

  const event = String(accepted?.['event']);
  assert.match(await ok(`events show ${event}`), /"description": "User john\.doe@hpedev\.io logged out"/);
  const bytes = await ok(`events show ${event} --bytes`);
  assert.equal((JSON.parse(bytes) as { id: string }).id, 'ex-1');
  for (let i = 2; i <= 4; i++) await ok(`publish --example ${AUDIT_LOG} --id ex-${i}`);
  const ids = async (options: string) => (await json(`events list ${options}`)).map((one) => one['id']);
  assert.deepEqual(await ids('--limit 2'), ['ex-4', 'ex-3']);
  assert.deepEqual(await ids('--oldest-first --limit 1'), ['ex-1']);
  assert.equal((await ids(`--all --type ${AUDIT_LOG}`)).length, 4);
  assert.deepEqual(await ids('--source //nobody'), []);
  assert.match(await ok('events list'), /^EVENT +ACCEPTED +TYPE +ID\nevt_/);
  await ok('webhooks rm sink --force');
});

/** On 80 columns a table tells which webhook failed, why, and when it is tried again. */
async function failing(id: string): Promise<void> {
  const { stdout } = await bellwire(['deliveries', 'list'], { folder: ground.folder, env: { COLUMNS: '80' } });
  assert.match(stdout, /^DELIVERY +STATE +WEBHOOK +NEXT TRY +REASON/);
  assert.match(stdout, new RegExp(`^${id} +scheduled +sink +in \\d+ (?:min|h) +answered 500`, 'm'));
  assert.ok(
    stdout.split('\n').every((line) => line.length <= 80),
    stdout,
  );
}

/** The first attempt is written down a little after it failed. */
async function failed(): Promise<Record<string, unknown>[]> {
  for (;;) {
    const found = await json('deliveries list');
    if (found[0]?.['attemptCount'] === 1) return found;
  }
}

test('keys: made once, listed without themselves, gone when removed', async () => {
  const added = await ok('keys add reader --scope read');
  const key = /key +(bw_\S+)/.exec(added)?.[1] ?? assert.fail(added);
  assert.match(added, /Keep it now: it is not shown again\./);
  assert.match(await ok(`webhooks list --key ${key}`), /There is no webhook yet/);
  const { code } = await bellwire(['services', 'add', 'x', '--key', key], { folder: ground.folder });
  assert.equal(code, 4);
  const [made] = await json('keys add publisher --scope publish,read --for default --service hpe-greenlake-platform');
  assert.deepEqual([made?.['scopes'], made?.['service']], [['publish', 'read'], 'hpe-greenlake-platform']);
  const all = await ok('keys list');
  assert.match(all, /admin +publish read manage pull +all/);
  assert.ok(!all.includes(key));
  assert.match(await ok(`keys rm ${String(made?.['id'])}`), /who uses it is refused from now on/);
});

test('workspaces: add, limit, list, act in one, rm only when it is meant', async () => {
  assert.match(
    await ok('workspaces add acme --events-per-day 1000 --bytes-per-day 10MB --subscriptions none'),
    /^acme \(ws_\w+\) is there/,
  );
  assert.match(
    await ok('workspaces retain acme --events 7d --idempotency default'),
    /events +7d\n[^]*idempotency +as the installation\n/,
  );
  assert.deepEqual((await fails('workspaces retain acme'))[0], 2);
  assert.deepEqual((await fails('workspaces retain acme --events soon'))[0], 2);
  assert.match(await ok('workspaces limit acme --webhooks 2 --events-per-day none'), /webhooks +2\n/);
  const acme = (await json('workspaces list')).find((one) => one['name'] === 'acme');
  assert.deepEqual(acme?.['limits'], {
    eventsPerDay: null,
    bytesPerDay: 10_000_000,
    webhooks: 2,
    subscriptions: null,
    eventTypes: 1000,
  });
  assert.match(await ok('workspaces list'), /acme +– +10000000 +2 +–/);
  await ok(`webhooks add there ${handler.url} --workspace acme --no-wait`);
  assert.equal((await json('webhooks list --workspace acme')).length, 1);
  assert.equal((await json('webhooks list')).length, 0);
  assert.deepEqual((await fails('workspaces rm acme'))[0], 2);
  assert.equal(await ok('workspaces rm acme --yes'), 'acme is gone\n');
  assert.deepEqual((await fails('workspaces limit default'))[0], 2);
});

const CHALLENGE = '8cbecfea-d708-4706-bba3-669225084a10';

test('R66 R70 verify-hash computes the value of the handler’s answer', async () => {
  const vectors: [string, string][] = [
    ['s3cr3tKey', '085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d'],
    ['ключ-Ωµ-🔑', 'a092c14a3d39a3fcf594b70bcde4bc46af2c764ea13ec9ae8549dc432af1c282'],
    ['a b c', '3cf26391ebc5de81389cc59c735a614ac96896c1fba83b65b0c8b18d94b20429'],
  ];
  for (const [secret, hash] of vectors) {
    assert.equal(await ok(`verify-hash '${secret}' ${CHALLENGE}`), `${hash}\n`);
    assert.equal(await ok(`verify-hash ${CHALLENGE}`, secret), `${hash}\n`);
    assert.equal(
      await ok(`verify-hash ${CHALLENGE}`, `${secret}\n`),
      `${hash}\n`,
      'one line break at the end does not count',
    );
    assert.deepEqual(await json(`verify-hash '${secret}' ${CHALLENGE}`), [{ verification: hash }]);
  }
  assert.notEqual(await ok(`verify-hash ${CHALLENGE}`, 's3cr3tKey \n'), `${vectors[0]?.[1]}\n`, 'R109: a space counts');
  assert.deepEqual(await fails(`verify-hash ${CHALLENGE}`), [2, 'bellwire: the secret is empty\n']);
});

test('the CLI needs nothing but what it says: the manual lists every command and exit code', () => {
  const manual = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const about = ['serve', 'demo', 'verify-hash', 'challenge'];
  const settings = ['services', 'types', 'webhooks', 'subscribe', 'unsubscribe', 'subscriptions', 'keys', 'workspaces'];
  const flows = ['push', 'test', 'job', 'policy', 'secret', 'group', 'post-processing'];
  const log = ['publish', 'events', 'deliveries', 'pull', 'operations', 'erase', 'erasures'];
  for (const name of [...about, ...settings, ...flows, ...log]) {
    assert.ok(manual.includes(`\`${name}`), name);
  }
  for (const code of [0, 1, 2, 3, 4, 5, 6, 130]) assert.ok(manual.includes(`| ${code} |`), String(code));
});

test('R62 R67 R90 R91 R92 challenge asks any handler what the platform would ask, and judges the answer', async () => {
  const right = await ok(`challenge ${handler.url} --secret s3cr3tKey --request ${CHALLENGE}`);
  assert.match(right, /answer +\{"verification":"085b6a2ea9034fa67de9bba59e667a0bf63c341e7d50ab8015567205cf736e3d"\}/);
  assert.match(right, /✔ the right answer after \d+ ms\n$/);
  const [fromStdin] = await json(`challenge ${handler.url}`, 's3cr3tKey\n');
  assert.deepEqual([fromStdin?.['ok'], fromStdin?.['status']], [true, 200]);
  const wrong = await bellwire(['challenge', handler.url, '--secret', 'another'], { folder: ground.folder });
  assert.deepEqual([wrong.code, /✖ answered with a wrong value: it is not HMAC-SHA256/.test(wrong.stdout)], [1, true]);
  const nobody = await bellwire(['challenge', 'http://127.0.0.1:9/', '--secret', 'x'], { folder: ground.folder });
  assert.equal(nobody.code, 1);
  assert.match(nobody.stdout, /✖ /);
  assert.deepEqual(await fails('challenge ftp://x --secret y'), [2, 'bellwire: ftp://x is no http or https address\n']);
});

test('the CLI: tables give way from the right: what names a thing stays whole the longest', async () => {
  await ok("types put com.example.one --description 'A description that is much longer than there is room for'");
  const at = async (columns: string) => {
    const { stdout } = await bellwire(['types', 'list'], { folder: ground.folder, env: { COLUMNS: columns } });
    return stdout.split('\n');
  };
  const wide = await at('200');
  assert.match(wide[0] ?? '', /^TYPE +SERVICE +CHECK +DESCRIPTION$/);
  const narrow = await at('80');
  assert.match(narrow[0] ?? '', /^TYPE +SERVICE +CHECK$/);
  assert.ok(
    narrow.some((line) => line.startsWith(`${EXPIRING}  hpe-`)),
    narrow.join('\n'),
  );
  const tiny = await at('40');
  assert.ok(tiny.every((line) => line.length <= 40) && tiny.some((line) => line.startsWith('…')), tiny.join('\n'));
});

test('operations: recover, redrive and replay show how far they are; list, show, cancel', async () => {
  await json(`webhooks add mended ${handler.url} --secret s3cr3tKey`);
  await json(`subscribe mended ${AUDIT_LOG}`);
  await ok(`publish --example ${AUDIT_LOG} --id to-be-mended`);
  const { code, stdout, stderr } = await bellwire(split('webhooks recover mended --since 1h'), {
    folder: ground.folder,
  });
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^done: recover 100 %, \d+ released, \d+ skipped, at most 500 per second\n$/);
  assert.match(stderr, /op_\w+: Ctrl-C leaves it running; bellwire operations cancel op_\w+ ends it\n$/);
  const [begun] = await json('webhooks replay mended --type com.nothing.* --pace 7 --detach');
  assert.deepEqual([begun?.['kind'], begun?.['pace']], ['replay', 7]);
  const id = String(begun?.['id']);
  const [shown] = documents(await bellwire(split(`operations show ${id} --follow --json`), { folder: ground.folder }));
  assert.deepEqual([shown?.['state'], shown?.['released']], ['done', 0]);
  assert.match(await ok(`operations show ${id}`), /type +com\.nothing\.\*\n/);
  assert.match(
    await ok('operations list --webhook mended'),
    /^OPERATION +KIND +STATE .*\n(op_\w+ +re\w+ +done .*\n){2}$/,
  );
  assert.match((await fails(`operations cancel ${id}`))[1], /It is done: there is nothing to cancel/);
  const all = await bellwire(split('webhooks redrive --all --since 1h --json'), { folder: ground.folder });
  assert.deepEqual([all.code, documents(all)[0]?.['webhook']], [0, null]);
  assert.match((await fails('webhooks redrive'))[1], /needs a webhook, or --all/);
  assert.match((await fails('webhooks recover mended'))[1], /needs --since/);
  assert.match((await fails('webhooks recover mended --since 2099-01-01T00:00:00Z'))[1], /since lies in the future/);
});

test('erase begins at once and goes on by itself; erasures list and show it, and never the subject', async () => {
  await ok(`publish --example ${AUDIT_LOG} --subject jane.doe`);
  const [begun] = await json('erase jane.doe --detach');
  assert.match(String(begun?.['id']), /^ers_/);
  assert.equal(
    (await ok('erase jane.doe --detach')).replaceAll(/ers_\w+/g, 'ers_x'),
    'ers_x goes on by itself: bellwire erasures show ers_x --follow\n',
  );
  const list = await ok('erasures list');
  assert.match(list, /^ERASURE +STATE +DONE +ERASED +BEGUN\n(ers_\w+ +running +\d+ % +\d+ +\d+ s ago\n){2}$/);
  const shown = await ok(`erasures show ${String(begun?.['id'])}`);
  assert.match(shown, /^erasure +ers_\w+\nstate +running\n/);
  assert.ok(!`${list}${shown}`.includes('jane'));
  assert.equal((await fails('erasures show ers_0000000000_1'))[0], 5);
});

test('webhooks list says why one is in trouble', async () => {
  const failing = await startHandler('s3cr3tKey');
  try {
    await ok(`webhooks add troubled ${failing.url} --secret s3cr3tKey --retry-delays ''`);
    await ok(`subscribe troubled ${AUDIT_LOG}`);
    failing.fail(true);
    await ok(`publish --example ${AUDIT_LOG}`);
    const line = await eventually('it is critical', async () => {
      const lines = (await ok('webhooks list')).split('\n');
      return lines.find((one) => / critical /.test(one));
    });
    assert.match(String(line), / troubled +critical +.*500.* http:/);
    await ok('webhooks rm troubled --force');
  } finally {
    await failing.stop();
  }
});

test('R118 webhooks rm says what becomes of what is still open', async () => {
  await ok(`webhooks add leaving ${handler.url} --secret s3cr3tKey`);
  await ok(`subscribe leaving ${AUDIT_LOG}`);
  await ok('webhooks pause leaving');
  await ok(`publish --example ${AUDIT_LOG}`);
  assert.equal(
    await ok('webhooks rm leaving --force'),
    'leaving is gone; 1 open delivery is a dead letter now: bellwire deliveries list --state dead\n',
  );
});

test('pull: a webhook without a URL, fetched line by line, acknowledged', async () => {
  assert.match((await fails('webhooks add nowhere'))[1], /needs a URL, or --pull/);
  assert.match(
    await ok('webhooks add nightly --pull'),
    /^nightly \(wh_\w+\) is active: registered; its deliveries are/,
  );
  await json(`subscribe nightly ${AUDIT_LOG}`);
  for (const id of ['night-1', 'night-2']) await ok(`publish --example ${AUDIT_LOG} --id ${id}`);
  const [first] = await json('pull nightly --limit 1 --lease 1h');
  assert.equal((first!['envelope'] as { id: string }).id, 'night-1');
  const [second, ...none] = (await ok('pull nightly --ack --wait 1s')).trim().split('\n');
  assert.deepEqual([(JSON.parse(second!) as { id: string }).id, none], ['night-2', []]);
  const empty = await bellwire(split('pull nightly'), { folder: ground.folder });
  assert.deepEqual([empty.code, empty.stdout, empty.stderr], [0, '', 'nothing is due\n']);
  const states = await json('deliveries list --webhook nightly');
  assert.deepEqual(
    states.map(({ state }) => state),
    ['delivered', 'scheduled'],
  );
});
