// Webhook URLs by tables.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { judgeWebhookUrl, type WebhookUrlRules } from './webhook-url.ts';

const STRICT: WebhookUrlRules = { https: 'required', host: 'fqdn' };
const DEV: WebhookUrlRules = { https: 'optional', host: 'any' };

function code(text: string, rules = STRICT): string {
  const verdict = judgeWebhookUrl(text, rules);
  return verdict.ok ? 'ok' : verdict.code;
}

function normalised(text: string, rules = STRICT): string {
  const verdict = judgeWebhookUrl(text, rules);
  return verdict.ok ? verdict.url : verdict.code;
}

test('R59 R60 an https URL with a fully qualified name is taken, in one spelling', () => {
  const table: [string, string][] = [
    ['https://hooks.example.com', 'https://hooks.example.com/'],
    ['HTTPS://Hooks.Example.COM/Path?Q=1', 'https://hooks.example.com/Path?Q=1'],
    ['https://hooks.example.com:443/', 'https://hooks.example.com/'],
    ['https://hooks.example.com:8443/a', 'https://hooks.example.com:8443/a'],
    ['https://hooks.example.com./a', 'https://hooks.example.com/a'],
    ['https://b\u00fccher.example/', 'https://xn--bcher-kva.example/'],
    ['https://xn--bcher-kva.example/', 'https://xn--bcher-kva.example/'],
    ['https://\uff45xample.com/', 'https://example.com/'],
    ['https://my_app.example.com/', 'https://my_app.example.com/'],
    ['https://a.example.com/%0d%0a?x=%00', 'https://a.example.com/%0d%0a?x=%00'],
    ['https://a.example.com/\u00e9', 'https://a.example.com/%C3%A9'],
    ['https://a.example.com/x/../y', 'https://a.example.com/y'],
    ['https://a.example.com/@b:c', 'https://a.example.com/@b:c'],
  ];
  for (const [text, url] of table) assert.equal(normalised(text), url, text);
});

test('R60 http is refused unless the operator allows it', () => {
  assert.equal(code('http://hooks.example.com/'), 'url-not-https');
  assert.equal(
    normalised('HTTP://hooks.example.com/', { https: 'optional', host: 'fqdn' }),
    'http://hooks.example.com/',
  );
});

test('R10 wire 6: every other scheme, and none at all, is refused', () => {
  for (const text of [
    'ftp://a.example.com/',
    'javascript:alert(1)',
    'file:///etc/passwd',
    'data:,x',
    'ws://a.example.com',
    'gopher://a.example.com/',
    'a.example.com/x',
    '//a.example.com/',
    '/x',
    'x',
  ]) {
    assert.equal(code(text, DEV), 'url-scheme', text);
  }
});

test('R59 IP literals are refused in every spelling', () => {
  const hosts =
    '127.0.0.1 8.8.8.8 127.1 127.0.1 2130706433 0x7f000001 0x7f.0.0.1 0177.0.0.1 017700000001 0 127.0.0.1. 0x7f.1 \uff11\uff12\uff17.0.0.1 127\u30020\u30020\u30021 1.1.1.1:443 [::1] [::] [2606:4700::1] [::ffff:127.0.0.1] [::ffff:7f00:1] [64:ff9b::1] [0:0:0:0:0:0:0:1]'.split(
      ' ',
    );
  for (const host of hosts) assert.equal(code(`https://${host}/x`), 'url-ip-literal', host);
  for (const host of ['256.0.0.1', '1.2.3.4.5', '0x7g.1', '[::1', '[::1%25eth0]', '1..2']) {
    assert.equal(code(`https://${host}/x`), 'url-malformed', host);
  }
});

test('R59 localhost, single labels and names of local networks are refused', () => {
  for (const host of [
    'localhost',
    'LOCALHOST',
    'localhost.',
    'api.localhost',
    'localhost.localdomain',
    'printer.local',
    'metadata.google.internal',
    'nas.home.arpa',
    'internal',
    'l\u24decalhost',
  ]) {
    assert.equal(code(`https://${host}/x`), 'url-local-name', host);
  }
  for (const host of [
    'intranet',
    'a',
    'com',
    'example.',
    '-a.example.com',
    'a-.example.com',
    'a..example.com',
    'example.com..',
    '.example.com',
    `${'x'.repeat(64)}.example.com`,
    `${'x.'.repeat(130)}com`,
    '*.example.com',
  ]) {
    assert.match(code(`https://${host}/x`), /^url-(not-fqdn|malformed)$/, host);
  }
  assert.equal(code('https://notlocal.example.com/'), 'ok');
  assert.equal(code('https://mylocalhost.com/'), 'ok');
});

test('wire 6: user names and passwords are refused, however empty', () => {
  for (const text of [
    'https://u:p@a.example.com/',
    'https://u@a.example.com/',
    'https://@a.example.com/',
    'https://:@a.example.com/',
    'https://a.example.com@evil.example.com/',
    'https://a.example.com%40b@c.example.com/',
  ]) {
    assert.equal(code(text, DEV), 'url-userinfo', text);
  }
});

test('white space, control characters and backslashes are refused, never dropped', () => {
  for (const text of [
    ' https://a.example.com/',
    'https://a.example.com/ ',
    'https://a.example.com/a b',
    'https://a.exa\nmple.com/',
    'https://a.example.com/\r\nHost: b',
    'ht\ttps://a.example.com/',
    'https://a.example.com/\0',
    'https:\\\\a.example.com\\',
    'https://a.example.com\\@b.example.com/',
    'https://a.example.com/\u00a0',
    'https://a.example.com/\u2028',
    'https://a.example.com/\u0085',
    'https://a.example.com/\ud800',
    '\ufeffhttps://a.example.com/',
  ]) {
    assert.equal(code(text, DEV), 'url-character', JSON.stringify(text));
  }
});

test('what the parser would repair is refused', () => {
  for (const text of [
    'https:a.example.com',
    'https:/a.example.com',
    'https:///a.example.com',
    'https://',
    'https://?x',
    'http://:80/',
  ]) {
    assert.equal(code(text, DEV), 'url-malformed', text);
  }
  assert.equal(code('https://a.example.com/#top'), 'url-fragment');
  assert.equal(code('https://a.example.com/#'), 'url-fragment');
  assert.equal(code(''), 'url-missing');
});

test('ports of other protocols are refused', () => {
  for (const port of [0, 22, 25, 110, 6667])
    assert.equal(code(`https://a.example.com:${port}/`), 'url-port', `${port}`);
  for (const port of [80, 443, 444, 3000, 8080, 8443, 65_535])
    assert.equal(code(`https://a.example.com:${port}/`), 'ok', `${port}`);
  assert.equal(code('https://a.example.com:65536/'), 'url-malformed');
});

test('R11 2,048 characters are taken, 2,049 refused, counted as code points', () => {
  const fill = (length: number, filler: string): string => {
    const head = 'https://a.example.com/';
    return head + filler.repeat(length - head.length);
  };
  assert.deepEqual([code(fill(2_048, 'x')), code(fill(2_049, 'x'))], ['ok', 'url-too-long']);
  assert.deepEqual([code(fill(2_048, '\u{1f600}')), code(fill(2_049, '\u{1f600}'))], ['ok', 'url-too-long']);
  assert.equal(code('x'.repeat(10_000_000)), 'url-too-long');
});

test('R60 where the operator allows it, http, IP literals, localhost and single labels are taken', () => {
  const table: [string, string][] = [
    ['http://localhost:8080/hook', 'http://localhost:8080/hook'],
    ['http://127.0.0.1:3000', 'http://127.0.0.1:3000/'],
    ['http://2130706433/', 'http://127.0.0.1/'],
    ['http://[::1]:3000/', 'http://[::1]:3000/'],
    ['https://handler/x', 'https://handler/x'],
  ];
  for (const [text, url] of table) assert.equal(normalised(text, DEV), url, text);
});

test('the sentences are for people', () => {
  const messages = ['', 'http://a.example.com', 'https://10.0.0.1/', 'https://localhost/', 'ftp://x'].map((text) => {
    const verdict = judgeWebhookUrl(text, STRICT);
    return verdict.ok ? '' : verdict.message;
  });
  assert.deepEqual(messages, [
    'A URL is required.',
    'The URL must begin with https://, so that deliveries are encrypted.',
    'The host must be a fully qualified domain name, not the IP address 10.0.0.1.',
    'localhost names a machine of a local network; a public name is needed.',
    'The URL must begin with https://, not ftp:.',
  ]);
  const open = judgeWebhookUrl('url', DEV);
  assert.equal(
    open.ok ? '' : open.message,
    'The URL must begin with https:// or http://.',
    'R60: what is allowed here',
  );
});
