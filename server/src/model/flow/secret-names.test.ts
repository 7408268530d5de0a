// Which secrets a flow reads, wherever in it an expression stands.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readFlows } from './document/index.ts';
import { secretNamesOf } from './secret-names.ts';

function secretsIn(text: string): string[] {
  const read = readFlows([{ name: 'f.yaml', text }]);
  assert.ok(read.ok, JSON.stringify(read));
  return secretNamesOf(read.documents[0]!.flow).toSorted();
}

test('Secrets: a job reads those that its expressions name, wherever they stand and however they are written', () => {
  const names = secretsIn(`job: x
description: a secret.OF_NOBODY is only spoken of
steps:
  - if: secret.IN_IF != ''
    http:
      url: https://a.example/
      headers: { authorization: "Bearer \${ secret.IN_HEADER }", x: "\${ secret [ 'IN_BRACKETS' ] }" }
      body: { note: "secret.IN_TEXT", literal: "$\${ secret.NOT_MEANT }", deep: [{ key: "\${ secret . SPACED }" }] }
    onError:
      - set: { a: "\${ secret.IN_ON_ERROR }" }
  - route:
      - name: one
        if: secret.IN_BRANCH == 'a'
        steps:
          - each:
              of: split(secret.IN_EACH, ',')
              as: part
              steps:
                - set: { b: "\${ part }\${ secret.IN_LOOP }" }
      - name: other
        else: true
        steps: [noop]
`);
  const all = 'IN_BRACKETS IN_BRANCH IN_EACH IN_HEADER IN_IF IN_LOOP IN_ON_ERROR SPACED';
  assert.deepEqual(names, all.split(' '));
});

test('Secrets: a policy set reads those of its sources and rules', () => {
  const names = secretsIn(`policySet: x
rules:
  - rule: http
    resources:
      http: https://a.example/\${ secret.IN_URL }
      headers: { authorization: "\${ secret.IN_HEADER }" }
      next: "\${ next }"
    applies: secret.IN_APPLIES == owner
    compliant: "\${ tags.secret.NOT_MEANT }"
    detail: "\${ secret.IN_DETAIL }"
  - rule: aws
    resources:
      aws: ec2.volume
      regions: [eu-central-1]
      credentials: { accessKeyId: "\${ secret.IN_ID }", secretAccessKey: "\${ secret.IN_KEY }" }
    compliant: Encrypted
`);
  assert.deepEqual(names, ['IN_APPLIES', 'IN_DETAIL', 'IN_HEADER', 'IN_ID', 'IN_KEY', 'IN_URL']);
});
