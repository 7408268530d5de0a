// Header lines by tables.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { customHeaderFault, headerFault } from './headers.ts';

test('R13 R14 any value HTTP can carry is taken as it is', () => {
  for (const value of [
    '',
    'Bearer x',
    'CAAuth abc',
    'Basic dTpw',
    'a\tb',
    '~!@#$%^&*()',
    'caf\u00e9',
    'x'.repeat(8_192),
  ]) {
    assert.equal(headerFault('Authorization', value), null, value);
  }
});

test('R13 CR, LF, NUL and what is not Latin-1 are refused by name', () => {
  const table: [string, RegExp][] = [
    ['a\rb', /a line break/],
    ['a\nX-Evil: 1', /a line break/],
    ['a\0b', /a NUL/],
    ['a\u007fb', /U\+007F/],
    ['a\u0085b', null as never],
    ['5 \u20ac', /U\+20AC/],
    ['\u{1f600}', /U\+1F600/],
    ['\ud800', /U\+D800/],
    ['a ', /white space/],
    [' a', /white space/],
    ['x'.repeat(8_193), /longer than 8192/],
  ];
  for (const [value, words] of table) {
    const fault = headerFault('X-Note', value);
    if (words === null) assert.equal(fault, null);
    else assert.match(fault ?? '', words);
  }
});

test('a header name is a token', () => {
  for (const name of ['X-A', 'x_b', 'a.b', "!#$%&'*+-.^_`|~"]) assert.equal(headerFault(name, ''), null, name);
  for (const name of ['', 'a b', 'a:b', 'a\r\nb', 'caf\u00e9', 'a\0', '(a)', 'x'.repeat(257)]) {
    assert.match(headerFault(name, '') ?? '', /is not the name of an HTTP header$/, JSON.stringify(name));
  }
});

test('custom headers may not set what the platform sets', () => {
  for (const name of [
    'Host',
    'CONTENT-LENGTH',
    'Transfer-Encoding',
    'Connection',
    'Webhook-Signature',
    'ce-id',
    'HPE-Webhook-Signature',
    'Expect',
    'Proxy-Authorization',
    'Content-Type',
    'Traceparent',
    'tracestate',
  ]) {
    assert.equal(customHeaderFault(name, 'x'), `${name} is set by the platform`);
  }
  for (const name of ['Authorization', 'X-Api-Key', 'User-Agent', 'Accept'])
    assert.equal(customHeaderFault(name, 'x'), null);
  assert.match(customHeaderFault('X-A', 'a\nb') ?? '', /a line break/);
});
