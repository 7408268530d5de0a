import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileSubscriptions, isPattern, type CompiledSubscription } from './catalog.ts';

function event(type: string, data: unknown = null) {
  return { type, attributes: { source: '/s' }, data };
}

function to(webhook: number, type: string, matches: CompiledSubscription['matches'] = null): CompiledSubscription {
  return { webhook, type, matches };
}

test('R51 R117 an exact type matches itself, to the letter', () => {
  const targets = compileSubscriptions([to(1, 'com.example.made'), to(2, 'com.example.Made')]);
  assert.deepEqual(targets(event('com.example.made')), [1]);
  assert.deepEqual(targets(event('com.example.Made')), [2]);
  for (const type of ['com.example', 'com.example.made.x', 'com.example.made ', 'toString', '__proto__']) {
    assert.deepEqual(targets(event(type)), [], type);
  }
});

test('R50 a pattern stands for one or more further segments', () => {
  const targets = compileSubscriptions([to(1, 'com.example.*')]);
  for (const type of ['com.example.made', 'com.example.made.again']) assert.deepEqual(targets(event(type)), [1], type);
  for (const type of ['com.example', 'com.examples.made', 'org.com.example.made']) {
    assert.deepEqual(targets(event(type)), [], type);
  }
  assert.deepEqual([isPattern('com.*'), isPattern('com'), isPattern('com*')], [true, false, false]);
});

test('R118 a webhook is a target once, however many of its subscriptions match; targets ascend', () => {
  const targets = compileSubscriptions([
    to(9, 'a.b'),
    to(2, 'a.*'),
    to(9, 'a.*'),
    to(2, 'a.b', () => true),
    to(10, 'a.b'),
  ]);
  assert.deepEqual(targets(event('a.b')), [2, 9, 10]);
});

test('R50 a filter decides for its own subscription only, and is not asked once the webhook is a target', () => {
  const asked: string[] = [];
  const says = (answer: boolean, name: string) => (): boolean => {
    asked.push(name);
    return answer;
  };
  const targets = compileSubscriptions([
    to(1, 'a.b', says(false, 'no')),
    to(1, 'a.*', says(true, 'yes')),
    to(1, 'a.*', says(true, 'again')),
  ]);
  assert.deepEqual(targets(event('a.b')), [1]);
  assert.deepEqual(asked, ['no', 'yes']);
});

test('R51 the matcher finds what looking at every subscription finds', () => {
  const segment = fc.constantFrom('a', 'b', 'c');
  const type = fc.array(segment, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('.'));
  const wanted = fc.oneof(
    type,
    type.map((prefix) => `${prefix}.*`),
  );
  const subscriptions = fc.array(
    fc.record({ webhook: fc.integer({ min: 1, max: 5 }), type: wanted, matches: fc.constant(null) }),
  );
  fc.assert(
    fc.property(subscriptions, type, (all, published) => {
      const fits = ({ type: of }: CompiledSubscription): boolean =>
        of.endsWith('.*') ? published.startsWith(of.slice(0, -1)) : of === published;
      const expected = [...new Set(all.filter(fits).map(({ webhook }) => webhook))].toSorted((a, b) => a - b);
      assert.deepEqual(compileSubscriptions(all)(event(published)), expected);
    }),
  );
});
