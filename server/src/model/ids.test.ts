import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { deliveryId, formatId, makeToken, parseId, TOKEN_LENGTH, type IdKind } from './ids.ts';

const token = fc.uint8Array({ minLength: TOKEN_LENGTH, maxLength: 20 }).map(makeToken);
const number = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const kinds: [IdKind, number, number][] = [
  ['ws', 0, 0],
  ['evt', 1, 1],
  ['wh', 1, 1],
  ['sub', 1, 1],
  ['dlv', 2, 3],
  ['bat', 2, 2],
  ['att', 3, 4],
  ['key', 1, 1],
  ['op', 1, 1],
];

for (const [kind, fewest, most] of kinds) {
  test(`an id of the kind ${kind} reads back as it was written`, () => {
    const numbers = fc.array(number, { minLength: fewest, maxLength: most });
    fc.assert(
      fc.property(token, numbers, (of, values) => {
        assert.deepEqual(parseId(formatId(kind, of, ...values)), { kind, token: of, numbers: values });
      }),
    );
  });

  test(`an id of the kind ${kind} with another count of numbers is none`, () => {
    for (const count of [0, 1, 2, 3, 4, 5]) {
      const id = formatId(kind, makeToken(new Uint8Array(10)), ...Array.from({ length: count }, () => 7));
      assert.equal(parseId(id) !== null, count >= fewest && count <= most, id);
    }
  });
}

test('no id is spelled in two ways: whatever reads as one is what would have been written', () => {
  const text = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'evtdlwhs_0123456789abciloz A'.split('')) }),
    fc
      .tuple(
        fc.constantFrom('evt', 'dlv', 'wh'),
        fc.string({ unit: fc.constantFrom(...'0123abcz_'.split('')), maxLength: 30 }),
      )
      .map((p) => p.join('_')),
    fc.tuple(token, number, number).map(([of, a, b]) => `dlv_${of}_0${a.toString(36)}_${b.toString(36)}`),
  );
  fc.assert(
    fc.property(text, (given) => {
      const parsed = parseId(given);
      if (parsed) assert.equal(formatId(parsed.kind, parsed.token, ...parsed.numbers), given);
    }),
    { numRuns: 2000 },
  );
});

test('what is no id', () => {
  const of = '0123456789';
  const beyond = (2 ** 53).toString(36);
  const none = ['', 'evt', `evt_${of}`, `evt_${of}_`, `evt_${of}_1 `, ` evt_${of}_1`, `evt_${of}_1\n`, `EVT_${of}_1`];
  none.push(
    `evt_${of}_01`,
    `evt_${of}_A`,
    `evt_${of}_-1`,
    `evt_${of}_${beyond}`,
    `evt_012345678i_1`,
    `evt_012345678_1`,
  );
  none.push(`run_${of}_1`, `evt_${of}_1_2`, `evt_${of}_${'z'.repeat(11)}`, `evt_${of}_${'1'.repeat(500)}`);
  for (const text of none) assert.equal(parseId(text), null, text);
});

test('a token uses the low five bits of ten bytes, in letters that cannot be taken for one another', () => {
  assert.equal(makeToken(Uint8Array.from([0, 1, 31, 32, 255, 10, 18, 19, 20, 21])), '01z0zajkmn');
  fc.assert(fc.property(token, (made) => assert.match(made, /^[0-9a-hjkmnp-tv-z]{10}$/)));
});

test('Standard Webhooks 1.0: the id of a delivery is the same over all tries, and another for a copy', () => {
  const key = { workspace: 1, event: 100, target: 7, copy: 0 };
  assert.equal(deliveryId('k3v9x2m4q7', key), 'dlv_k3v9x2m4q7_2s_7');
  assert.equal(deliveryId('k3v9x2m4q7', { ...key, copy: 2 }), 'dlv_k3v9x2m4q7_2s_7_2');
});
