// Marked secrets of flows: used by every action, in every form, and told by what goes wrong.
import type { TestContext } from 'node:test';
import { startGoogleSheets } from '../kit/google-sheets.ts';
import { eventually } from '../kit/handler.ts';
import { ask, must, type Ground, type Json } from './ground.ts';
import type { Marks } from './marks.ts';

/** Pushes them, and lets all run to their end. */
export async function automate(t: TestContext, ground: Ground): Promise<void> {
  const { api, marks, echo } = ground;
  const google = await startGoogleSheets(() => Date.now());
  t.after(() => google.stop());
  google.spreadsheet('1AbC', { Log: [] });
  marks.learn('GoogleKey', (JSON.parse(google.account) as { private_key: string }).private_key.split('\n')[1]!);
  const secrets = {
    CALLEE: marks.make('FlowSecret'),
    DATABASE: `postgres://bell:${marks.make('SqlPassword')}@127.0.0.1:1/shop?sslmode=disable`,
    GOOGLE: google.account,
    AWS_ID: marks.make('AwsId'),
    AWS_SECRET: marks.make('AwsSecret'),
  };
  for (const [name, value] of Object.entries(secrets))
    await ask(ground, `PUT /v1/secrets/${name}`, { body: { value } });
  const files = documents(echo.url, google.url).map((text, index) => ({ name: `d${index}.yaml`, text }));
  const pushed = await api.expect(200, 'PUT /v1/flows', { body: { files } });
  for (const flow of pushed['flows'] as Json[]) {
    const { trigger, hook } = flow as { trigger: { path: string; authorization: string } | null; hook: Json | null };
    if (trigger) learnTrigger(marks, trigger);
    if (hook) marks.learn('HookPath', String(hook['path']).replace('/hooks/', ''));
  }
  const draft = {
    body: 'scenario: open\nsteps: [{ fail: "${ secret.CALLEE }" }]\n',
    headers: { 'content-type': 'application/yaml' },
  };
  await ask(ground, 'PUT /v1/scenarios/open/draft', draft);
  const names = ['http', 'shapes', 'sql', 'google', 'kept', 'mail', 'command'];
  for (const name of names) await must(ground, `POST /v1/jobs/${name}/runs`, {});
  await must(ground, 'POST /v1/policy-sets/judged/evaluations', {});
  await eventually(
    'all runs have ended',
    async () => {
      const runs = (await api.expect(200, 'GET /v1/runs?limit=100'))['items'] as Json[];
      const evaluations = (await api.expect(200, 'GET /v1/evaluations'))['items'] as Json[];
      const all = [...runs, ...evaluations];
      return all.length > names.length && all.every(({ finishedAt }) => finishedAt !== null);
    },
    60_000,
  );
}

/** Resolves the token. */
export function learnTrigger(marks: Marks, { path, authorization }: { path: string; authorization: string }): string {
  marks.learn('TriggerPath', path.replace('/trigger/', ''));
  return marks.learn('MadeTriggerToken', authorization.replace('CAAuth ', ''));
}

function documents(echo: string, google: string): string[] {
  return [
    `job: http
on: { http: true }
after: { completed: [ops, mail], failed: [ops, mail] }
steps:
  - name: told
    onError: continue
    http: { url: "${echo}/flow?key=\${ secret.CALLEE }", method: POST, headers: { authorization: "Bearer \${ secret.CALLEE }" }, body: { say: "\${ secret.CALLEE }" } }
  - fail: "it said \${ json(steps.told) } to \${ secret.CALLEE }"
`,
    `job: shapes
steps:
  - set: { a: "\${ base64(secret.CALLEE) }", b: "\${ urlEncode(secret.CALLEE) }", c: "x\${ secret.CALLEE }y" }
  - set: { d: "\${ base64(secret.CALLEE + '!') }", e: "\${ a }" }
  - http: { url: "http://127.0.0.1:1/\${ secret.CALLEE }" }
`,
    'job: sql\nsteps: [{ sql: { connection: "${ secret.DATABASE }", query: "SELECT 1" } }]\n',
    `sheet: elsewhere\ncolumns: [id]\nkey: id\nin: { google: 1AbC, tab: Gone, account: GOOGLE, api: "${google}" }\n`,
    'sheet: kept\ncolumns: [id]\n',
    'job: kept\nsteps: [{ sheet.append: { to: kept, row: { id: "${ secret.CALLEE }" } } }]\n',
    'job: google\nsteps: [{ sheet.append: { to: elsewhere, row: { id: 1 } } }]\n',
    'job: mail\nsteps: [{ mail: { to: a@example.com, subject: "${ secret.CALLEE }", text: x } }]\n',
    `job: command
steps:
  - run: { shell: 'echo "$S"; echo "$S" >&2; echo "{\\"result\\": \\"$S\\"}"; exit 3', env: { S: "\${ secret.CALLEE }" } }
`,
    `policySet: judged
on: { http: true }
after: [ops]
rules:
  - { rule: listed, resources: { http: "${echo}/list", headers: { authorization: "\${ secret.CALLEE }" }, each: items, id: id }, compliant: true }
  - rule: aws
    resources: { aws: s3.bucket, regions: [eu-central-1], endpoint: "${echo}/aws", credentials: { accessKeyId: "\${ secret.AWS_ID }", secretAccessKey: "\${ secret.AWS_SECRET }" } }
    compliant: true
  - { rule: given, resources: [{ id: a }], compliant: "\${ resource.id == secret.CALLEE }", detail: "\${ secret.CALLEE }" }
`,
    'scenario: open\non: { hook: { verify: { preset: token, header: x-odd }, secret: SENDER } }\nsteps: [{ set: { got: "${ headers }" } }, { reply: { status: 200, body: "${ headers }" } }]\n',
    'scenario: known\non: { hook: { verify: basic, secret: BASIC } }\nsteps: [{ fail: "${ json(headers) }" }]\n',
    'scenario: signed\non: { hook: { verify: standard-webhooks, secret: SIGNING } }\nsteps: [{ reply: 204 }]\n',
  ];
}
