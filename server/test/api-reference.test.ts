// The reference at /docs: complete, one page that asks for nothing, whose examples run; and as a real browser shows it.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { problemCodes } from '../src/model/problem.ts';
import { startApi } from './api-ground.ts';
import { chromium, onPath, startTab } from './browser.ts';

const execute = promisify(execFile);

interface Operation {
  operationId: string;
  summary: string;
  description: string;
  parameters: { name: string; description?: string; example?: unknown }[];
  requestBody?: { content: Record<string, { example?: unknown }> };
  responses: Record<string, object>;
}

type Paths = Record<string, Record<string, Operation>>;

const curl = onPath('curl');

test('OpenAPI: each operation is told in words, with its parameters, an example of its body, and its refusals', async (t) => {
  const api = await startApi(t);
  const { paths } = (await api.expect(200, 'GET /openapi.json', { key: null })) as unknown as { paths: Paths };
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const name = `${method} ${path}`;
      assert.ok(operation.summary.length > 5 && operation.description.length > 10, name);
      for (const one of operation.parameters) assert.ok(one.description, `${name}: ${one.name}`);
      const bodies = Object.values(operation.requestBody?.content ?? {});
      assert.ok(bodies.length === 0 || bodies.some(({ example }) => example !== undefined), `${name} has a body`);
      assert.ok(
        Object.keys(operation.responses).some((status) => status >= '400'),
        name,
      );
    }
  }
});

test('/docs: every operation and every problem code is there, under a policy that lets nothing in', async (t) => {
  const api = await startApi(t);
  const page = await api.ask('GET /docs', { key: null });
  assert.equal(page.status, 200);
  assert.equal(page.headers.get('content-type'), 'text/html; charset=utf-8');
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; style-src 'sha256-/);
  const { paths } = (await api.expect(200, 'GET /openapi.json', { key: null })) as unknown as { paths: Paths };
  const anchors = new Set(Array.from(page.text.matchAll(/ id="([^"]+)"/g), ([, id]) => id));
  for (const [path, methods] of Object.entries(paths)) {
    assert.ok(
      Object.values(methods).some(({ operationId }) => anchors.has(operationId)),
      path,
    );
  }
  for (const code of Object.keys(problemCodes)) assert.ok(anchors.has(`code-${code}`), code);
  for (const [, target = ''] of page.text.matchAll(/href="#([^"]*)"/g)) assert.ok(anchors.has(target), target);
  assert.doesNotMatch(page.text, /(src|href)="(https?:)?\/\//);
  assert.doesNotMatch(page.text, /\(R\d|undefined|\[object/);

  const etag = page.headers.get('etag')!;
  const again = await api.ask('GET /docs', { key: null, headers: { 'if-none-match': etag } });
  assert.deepEqual([again.status, again.text], [304, '']);
  const index = await fetch(api.url, { headers: { accept: 'text/html,*/*' }, redirect: 'manual' });
  assert.deepEqual([index.status, index.headers.get('location')], [302, '/docs']);
});

test('/docs: its examples run as they stand', { skip: !curl && 'there is no curl on this machine' }, async (t) => {
  const api = await startApi(t);
  const { text } = await api.ask('GET /docs', { key: null });
  const examples = Array.from(text.matchAll(/<pre>(curl [^<]*)<\/pre>/g), ([, command = '']) => unescaped(command));
  assert.ok(examples.length > 100);
  // Of what is asked without naming something that would have to be there: everything but the stream, which does not end.
  const lists = examples.filter(
    (one) => /^curl -sS "\$API\/(v1(\/[a-z-]+)?|healthz|readyz)"/.test(one) && !/stream/.test(one),
  );
  const made = examples.filter((one) =>
    /^curl -sS -X PUT "\$API\/v1\/(jobs|scenarios|policy-sets|sheets|event-types)\/[^/]+"/.test(one),
  );
  const service = examples.filter((one) => one.startsWith('curl -sS -X POST "$API/v1/services"'));
  assert.deepEqual([lists.length > 15, made.length, service.length], [true, 5, 1]);
  const script = [...service, ...made, ...lists]
    .map((one) => `${one} -o /dev/null -w '%{http_code} %{url}\\n'`)
    .join('\n');
  const env = { ...process.env, API: api.url, KEY: api.platform.adminKey, NO_PROXY: '*' };
  const { stdout } = await execute('sh', ['-c', script], { env });
  assert.deepEqual(
    stdout.split('\n').filter((line) => line !== '' && !/^20[01] /.test(line)),
    [],
  );
});

function unescaped(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
}

test(
  '/docs: in Chromium it asks for nothing else, says nothing on the console, fits a phone, turns dark, and is searched',
  { skip: !chromium && 'there is no Chromium on this machine' },
  async (t) => {
    const api = await startApi(t);
    const tab = await startTab(t);
    await tab.open(`${api.url}/docs`);
    const background = () => tab.value('getComputedStyle(document.body).backgroundColor');
    assert.equal(await background(), 'rgb(255, 255, 255)');
    const visible = `[...document.querySelectorAll('article')].filter((one) => one.offsetHeight > 0).length`;
    const all = (await tab.value(visible)) as number;
    assert.ok(all > 100);
    const search = (words: string) => `(() => { const field = document.querySelector('input');
      field.value = '${words}'; field.dispatchEvent(new Event('input')); return ${visible}; })()`;
    const found = (await tab.value(search('webhook rotate'))) as number;
    assert.ok(found >= 1 && found < all / 4, `${found} of ${all}`);
    assert.equal(await tab.value(search('')), all);

    await tab.open(`${api.url}/docs`, { width: 390, dark: true });
    assert.notEqual(await background(), 'rgb(255, 255, 255)');
    assert.equal(await tab.value('document.documentElement.scrollWidth'), 390, 'nothing is wider than the phone');
    assert.deepEqual(tab.said, []);
    assert.deepEqual(new Set(tab.asked), new Set([`${api.url}/docs`]));
  },
);
