// XML bodies: what they become, and what is refused, bombs among it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BODY_LIMITS } from './reading.ts';
import type { BodyLimits } from './reading.ts';
import { readXml } from './xml.ts';

function body(xml: string | Buffer, charset?: string): unknown {
  const result = readXml(Buffer.from(xml as string), charset, BODY_LIMITS);
  assert.ok(result.ok, result.ok ? '' : result.reason);
  return result.body;
}

function reason(xml: string | Buffer, limits: Partial<BodyLimits> = {}): string {
  const result = readXml(Buffer.from(xml as string), undefined, { ...BODY_LIMITS, ...limits });
  assert.ok(!result.ok, 'it was taken');
  return result.reason;
}

test('R91 XML becomes attributes, texts and elements, repeated ones an array', () => {
  const rows: [string, unknown][] = [
    ['<a/>', { a: '' }],
    ['<a> x </a>', { a: ' x ' }],
    ['<a b="1" c=\'"2"\'/>', { a: { '@b': '1', '@c': '"2"' } }],
    ['<a b="1">x</a>', { a: { '@b': '1', '#text': 'x' } }],
    ['<a><b>1</b><c/><b>2</b></a>', { a: { b: ['1', '2'], c: '' } }],
    ['<a>\n  <b>1</b>\n</a>\n', { a: { b: '1' } }],
    ['<p>so <b>it</b> is</p>', { p: { b: 'it', '#text': 'so  is' } }],
    ['<s:E xmlns:s="urn:x"><s:B/></s:E>', { 's:E': { '@xmlns:s': 'urn:x', 's:B': '' } }],
    ['<a>&lt;&amp;&gt;&quot;&apos;&#65;&#x1F989;</a>', { a: '<&>"\'A🦉' }],
    ['<a b="x&#10;y\nz"/>', { a: { '@b': 'x\ny z' } }],
    ['<a><![CDATA[<b>&amp;]]>&amp;</a>', { a: '<b>&amp;&' }],
    ['<?xml version="1.0" encoding="UTF-8"?>\r\n<!-- x --><?pi y?><a>1\r\n2</a ><!-- z -->', { a: '1\n2' }],
    ['<größe ſ="1"/>', { größe: { '@ſ': '1' } }],
  ];
  for (const [xml, expected] of rows) assert.deepEqual(body(xml), expected, xml);
  const proto = body('<a><__proto__>1</__proto__></a>') as { a: object };
  assert.deepEqual(Object.entries(proto.a), [['__proto__', '1']]);
});

test('R91 the charset of XML is that of the content type, the byte order mark or the declaration', () => {
  assert.deepEqual(body(Buffer.from([0x3c, 0x61, 0x3e, 0xe9, 0x3c, 0x2f, 0x61, 0x3e]), 'latin1'), { a: 'é' });
  assert.deepEqual(body(Buffer.from('<?xml version="1.0" encoding="ISO-8859-1"?><a>é</a>', 'latin1')), { a: 'é' });
  assert.deepEqual(body(Buffer.from('\ufeff<a>é</a>', 'utf16le')), { a: 'é' });
  assert.deepEqual(body('\ufeff<a>é</a>'), { a: 'é' });
});

test('R56 R58 what is not XML, or more of it than is taken, is refused with its place', () => {
  const rows: [string, string][] = [
    ['', 'there is no element (line 1, column 1)'],
    ['a', 'text outside of the root element (line 1, column 1)'],
    ['{"a":1}', 'text outside of the root element (line 1, column 1)'],
    ['<a>\n<b></a>', 'the end of a, but b is open (line 2, column 4)'],
    ['</a>', 'the end of a, but nothing is open (line 1, column 1)'],
    ['<a>', 'the element a has no end (line 1, column 1)'],
    ['<a/><b/>', 'a second root element (line 1, column 5)'],
    ['<a/>x', 'text outside of the root element (line 1, column 5)'],
    ['<a b=1/>', 'the attribute b is not in quotes (line 1, column 6)'],
    ['<a b/>', 'no "=" behind the attribute b (line 1, column 5)'],
    ['<a b="1"c="2"/>', 'no ">" where the tag should end (line 1, column 9)'],
    ['<a b="1" b="2"/>', 'the attribute b comes twice (line 1, column 10)'],
    ['<a b="<"/>', '"<" in the attribute b (line 1, column 7)'],
    ['<a b="1', 'the attribute b has no end (line 1, column 7)'],
    ['<a>&nbsp;</a>', '& names no character that is known (line 1, column 4)'],
    ['<a>&#0;</a>', '&#0; names no character that is known (line 1, column 4)'],
    ['<a>&#xD800;</a>', '&#xD800; names no character that is known (line 1, column 4)'],
    ['<a>]]></a>', '"]]>" outside of a CDATA section (line 1, column 4)'],
    ['<a>\u0001</a>', 'a character that XML does not have (line 1, column 4)'],
    ['<a><!-- -- --></a>', 'a comment without an end, or with "--" in it (line 1, column 4)'],
    [' <?xml version="1.0"?><a/>', 'an XML declaration that is none, or not where the body begins (line 1, column 2)'],
    ['<1/>', 'no name where an element should have one (line 1, column 2)'],
  ];
  for (const [xml, expected] of rows) {
    assert.equal(reason(xml), `The body is not XML as it is taken here: ${expected}.`, xml);
  }
  assert.match(reason(Buffer.from([0x3c, 0xff])), /not valid UTF-8 \(byte 2\)/);
});

test('R56 R58 XML bombs: no document type, no entity, nothing external, bounded depth and number', () => {
  const laughs = '<!DOCTYPE z [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><z>&b;</z>';
  const outside = '<!DOCTYPE z [<!ENTITY x SYSTEM "file:///etc/passwd">]><z>&x;</z>';
  for (const xml of [laughs, outside, '<!doctype z><z/>']) assert.match(reason(xml), /a document type is not taken/);
  assert.match(reason('<a>'.repeat(1_000_000)), /more than 128 levels \(line 1, column 385\)/);
  assert.match(reason(`<a>${'<b/>'.repeat(10)}</a>`, { nodes: 10 }), /more than 10 elements and attributes/);
  assert.match(reason('<a b="" c="" d=""/>', { nodes: 3 }), /more than 3 elements and attributes/);
});

test('R91 what is written as XML is read as it was', () => {
  const name = fc.constantFrom('a', 'b', 'x:y', '_z');
  const text = fc.string({ unit: fc.constantFrom('x', ' ', '<', '&', '"', "'", ']', '>', '\n', 'é', '🦉') });
  const escaped = (value: string): string =>
    value.replace(/[<>&"'\n]/g, (character) => `&#${character.codePointAt(0)};`);
  fc.assert(
    fc.property(fc.tuple(name, name, text, text), ([root, attribute, value, content]) => {
      const xml = `<${root} ${attribute}="${escaped(value)}"><i>${escaped(content)}</i></${root}>`;
      assert.deepEqual(body(xml), { [root]: { [`@${attribute}`]: value, i: content } });
    }),
  );
});
