// Verdicts: what a rule says about a resource, and about one that is gone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Json, Rule } from '../flow/definition.ts';
import { compileRule, conclude, GONE, judge, type Judged, type KnownResource } from './judge.ts';

const RULE: Rule = {
  name: 'buckets-have-owner',
  description: '',
  resources: { from: { kind: 'inline', items: [] }, id: 'arn', name: 'name' },
  applies: "state == 'active'",
  compliant: 'exists(tags.Owner)',
  detail: 'OWNER_TAG_MISSING',
};

function judged(resources: readonly Json[], of: Partial<Rule> = {}, scope = {}): Judged {
  const found: Judged = new Map();
  judge(compileRule({ ...RULE, ...of }), resources, { judged: found, scope });
  return found;
}

const bucket = (arn: string, of: Record<string, Json> = {}): Json => ({
  arn,
  name: `bucket ${arn}`,
  state: 'active',
  ...of,
});

test('R42 a resource is COMPLIANT, NON_COMPLIANT with its detail code, or NOT_APPLICABLE', () => {
  const found = judged([bucket('a', { tags: { Owner: 'ops' } }), bucket('b'), bucket('c', { state: 'deleting' })]);
  assert.deepEqual(
    [...found.values()],
    [
      { id: 'a', name: 'bucket a', compliance: 'COMPLIANT', detail: null },
      { id: 'b', name: 'bucket b', compliance: 'NON_COMPLIANT', detail: 'OWNER_TAG_MISSING' },
      { id: 'c', name: 'bucket c', compliance: 'NOT_APPLICABLE', detail: null },
    ],
  );
});

test('R42 a resource that cannot be judged is INSUFFICIENT_DATA, and keeps none of the others from being judged', () => {
  const rule = { applies: null, compliant: 'size * 2 < 20' };
  const found = judged([bucket('a', { size: 3 }), bucket('b', { size: 'much' }), bucket('c', { size: 30 })], rule);
  assert.deepEqual(
    [...found.values()].map(({ compliance }) => compliance),
    ['COMPLIANT', 'INSUFFICIENT_DATA', 'NON_COMPLIANT'],
  );
  const neither = judged([bucket('a', { encrypted: 'yes' })], { compliant: 'encrypted' });
  assert.equal(neither.get('a')!.compliance, 'INSUFFICIENT_DATA');
});

test('R42 a resource that was known before and is gone is NOT_APPLICABLE', () => {
  const known: KnownResource[] = [
    { id: 'a', name: 'bucket a', compliance: 'NON_COMPLIANT' },
    { id: 'gone', name: 'bucket gone', compliance: 'COMPLIANT' },
    { id: 'deleting', name: 'deleting', compliance: 'NOT_APPLICABLE' },
  ];
  const { resources } = conclude('owner', judged([bucket('a', { tags: { Owner: 'ops' } }), bucket('new')]), known);
  assert.deepEqual(resources, [
    { id: 'a', name: 'bucket a', compliance: 'COMPLIANT', detail: null, before: 'NON_COMPLIANT' },
    { id: 'new', name: 'bucket new', compliance: 'NON_COMPLIANT', detail: 'OWNER_TAG_MISSING', before: null },
    { id: 'gone', name: 'bucket gone', compliance: 'NOT_APPLICABLE', detail: GONE, before: 'COMPLIANT' },
    { id: 'deleting', name: 'deleting', compliance: 'NOT_APPLICABLE', detail: GONE, before: 'NOT_APPLICABLE' },
  ]);
});

test('R42 ids and names are texts: a number becomes one, a missing name is the id, a missing id is refused in words', () => {
  const found = judged([{ arn: 7, state: 'active' }]);
  assert.deepEqual([...found.keys()], ['7']);
  assert.equal(found.get('7')!.name, '7');
  assert.throws(() => judged([{ name: 'x' }]), /a resource has no id: arn gives nothing for \{"name":"x"\}/);
});

test('what all resources see (params, run) is not hidden by a field of theirs', () => {
  const rule = { applies: null, compliant: "tags.Owner == params.owner && resource.params == 'mine'", detail: null };
  const found = judged([bucket('a', { params: 'mine', tags: { Owner: 'ops' } })], rule, { params: { owner: 'ops' } });
  assert.equal(found.get('a')!.compliance, 'COMPLIANT');
});

test('a list that moves while it is paged may show a resource twice: the later one counts', () => {
  const found = judged([bucket('a'), bucket('a', { tags: { Owner: 'ops' } })]);
  assert.equal(found.size, 1);
  assert.equal(found.get('a')!.compliance, 'COMPLIANT');
});
