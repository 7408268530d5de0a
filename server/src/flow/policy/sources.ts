// Where a rule's resources come from: one list per source, whatever the number of rules that look at it.
import { open } from 'node:fs/promises';
import { parseExpression, compileValue, type Json, type Scope } from '../../model/flow/expression/index.ts';
import type { HttpSource, Source } from '../../model/flow/definition.ts';
import { allowedFile, FileNotAllowed } from '../allowed-file.ts';
import type { Fetch } from '../fetch.ts';
import { textOf } from '../text-of.ts';
import { listAws } from './aws.ts';
import { MOST_RESOURCES, type Reading, type SourceParts } from './reading.ts';

const MOST_PAGES = 10_000;
const MOST_BYTES = 64 * 1024 * 1024;
const PAGE_BYTES = 16 * 1024 * 1024;
const PAGE_DEADLINE_MS = 60_000;

/** Reads all resources of a source. Throws in words. */
export async function listResources(source: Source, parts: SourceParts, reading: Reading): Promise<Json[]> {
  switch (source.kind) {
    case 'inline':
      return [...source.items];
    case 'file':
      return readJsonFile(source, parts, reading);
    case 'http':
      return readPages(source, parts, reading);
    case 'aws':
      return listAws(source, parts, reading);
  }
}

async function readJsonFile(
  { path, each }: { path: string; each: string | null },
  { folders }: SourceParts,
  { scope }: Reading,
): Promise<Json[]> {
  const where = `the file ${path}`;
  const content = parseJson(await readAllowed(path, folders), where);
  return listOf(each === null ? content : parseExpression(each).evaluate(scopeOf(content, scope)), where);
}

async function readAllowed(path: string, folders: readonly string[]): Promise<Uint8Array> {
  try {
    const handle = await open(await allowedFile(path, { folders, setting: 'flows.folders' }));
    try {
      const { size } = await handle.stat();
      if (size > MOST_BYTES) throw new Error(`it has more than ${MOST_BYTES} bytes`);
      return await handle.readFile();
    } finally {
      await handle.close();
    }
  } catch (error) {
    if (error instanceof FileNotAllowed) throw error;
    throw new Error(`the file ${path} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

async function readPages(source: HttpSource, { fetch }: SourceParts, { scope, signal }: Reading): Promise<Json[]> {
  const each = parseExpression(source.each);
  const next = source.next === null ? null : parseExpression(source.next);
  const headers = textsOf(compileValue(source.headers).evaluate(scope));
  const first = new URL(textOf(compileValue(source.url).evaluate(scope)));
  const found: Json[] = [];
  const visited = new Set<string>();
  for (let url: URL | null = first; url !== null;) {
    if (visited.has(url.href)) throw new Error(`the pages go round in a circle: ${shown(url)} came before`);
    visited.add(url.href);
    if (visited.size > MOST_PAGES) throw new Error(`there are more than ${MOST_PAGES} pages`);
    const page = await readPage(url, { fetch, headers, signal });
    const seen = scopeOf(page.body, { ...scope, ...page });
    for (const resource of listOf(each.evaluate(seen), shown(url))) found.push(resource);
    if (found.length > MOST_RESOURCES) throw new Error(`there are more than ${MOST_RESOURCES} resources`);
    url = next === null ? null : nextUrl(next.evaluate(seen), url, first);
  }
  return found;
}

async function readPage(
  url: URL,
  { fetch, headers, signal }: { fetch: Fetch; headers: Readonly<Record<string, string>>; signal: AbortSignal },
): Promise<{ status: number; headers: Json; body: Json }> {
  const answer = await fetch({
    method: 'GET',
    url: url.href,
    headers: { accept: 'application/json', ...headers },
    body: null,
    deadlineMs: PAGE_DEADLINE_MS,
    maxBytes: PAGE_BYTES,
    signal,
  });
  if (answer.status !== 200) throw new Error(`${shown(url)} answered ${answer.status}`);
  return { status: answer.status, headers: { ...answer.headers }, body: parseJson(answer.body, shown(url)) };
}

// The headers may carry a secret: they follow no page to another host.
function nextUrl(value: Json, from: URL, first: URL): URL | null {
  if (value === null || value === '' || value === false) return null;
  if (typeof value !== 'string') throw new Error('the URL of the next page is no text');
  const url = URL.parse(value, from);
  if (url === null) throw new Error(`the URL of the next page is none: ${value}`);
  if (url.origin !== first.origin)
    throw new Error(`the next page is on another host (${url.host}): it is not followed`);
  return url;
}

function shown({ origin, pathname }: URL): string {
  return `${origin}${pathname}`;
}

function scopeOf(content: Json, scope: Scope): Scope {
  const fields = content !== null && typeof content === 'object' && !Array.isArray(content) ? content : {};
  return { ...fields, ...scope, body: content };
}

function parseJson(bytes: Uint8Array, where: string): Json {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Json;
  } catch (error) {
    throw new Error(`${where} is not JSON: ${(error as Error).message}`, { cause: error });
  }
}

function listOf(value: Json, where: string): Json[] {
  if (!Array.isArray(value)) throw new Error(`there is no list of resources in ${where}`);
  if (value.length > MOST_RESOURCES) throw new Error(`there are more than ${MOST_RESOURCES} resources`);
  return value;
}

function textsOf(value: Json): Record<string, string> {
  return Object.fromEntries(Object.entries(value as Record<string, Json>).map(([name, text]) => [name, textOf(text)]));
}
