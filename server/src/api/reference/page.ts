// The reference at /docs: one page of HTML out of the OpenAPI document, readable without a script, printable.
import { problemCodes } from '../../model/problem.ts';
import { curlOf } from './curl.ts';
import type { ApiDocument, MediaObject, OperationObject, ParameterObject } from './document.ts';
import { markup, prose, type Markup } from './markup.ts';
import { SCRIPT } from './script.ts';
import { createShapes, typeInWords, type Place, type Shapes } from './shape.ts';
import { STYLE } from './style.ts';

/** One entry of the page. */
interface Entry {
  methods: readonly string[];
  path: string;
  operation: OperationObject;
}

/** Where an entry is, and what shows its shapes. */
interface Context {
  place: Place;
  shapes: Shapes;
}

/** The page as HTML. */
export function pageOf({ info, paths }: ApiDocument): string {
  const groups = [...Map.groupBy(entriesOf(paths), ({ operation }) => operation.tags[0])];
  const shapes = createShapes();
  const sections = groups.map(([tag, entries]) => {
    const articles = entries.map((one) => articleOf(one, shapes));
    return markup`<section class="group"><h2 id="${tag}">${titled(tag)}</h2>${articles}</section>\n`;
  });
  const page = markup`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${info.title} ${info.version}: API reference</title><link rel="icon" href="data:,">
<style>${{ html: STYLE }}</style></head><body>
<nav><p class="home"><a href="#top">${info.title}</a> <small>${info.version}</small></p>
<input type="search" placeholder="Search (press /)" aria-label="Search operations" hidden>
${groups.map(([tag, entries]) => menuOf(tag, entries))}<p><a href="#problems">Problem codes</a></p></nav>
<main id="top">${introductionOf(info)}${sections}${problemTable()}</main>
<script>${{ html: SCRIPT }}</script></body></html>
`;
  return page.html;
}

/** Methods of one path that are the same thing are one entry. */
function entriesOf(paths: ApiDocument['paths']): Entry[] {
  return Object.entries(paths).flatMap(([path, methods]) => {
    const same = Map.groupBy(Object.entries(methods), ([, { summary, description }]) => `${summary}\n${description}`);
    return [...same.values()].map((some) => ({
      methods: some.map(([method]) => method.toUpperCase()),
      path,
      operation: (some.find(([method]) => method === 'post') ?? some[0])?.[1] as OperationObject,
    }));
  });
}

function titled(tag: string): string {
  return `${tag.slice(0, 1).toUpperCase()}${tag.slice(1).replaceAll('-', ' ')}`;
}

function menuOf(tag: string, entries: readonly Entry[]): Markup {
  const items = entries.map(({ methods, path, operation }) => {
    return markup`<li><a href="#${operation.operationId}">${badge(methods)} ${path.replace('/v1/', '')}</a></li>`;
  });
  return markup`<details><summary>${titled(tag)}</summary><ul>${items}</ul></details>\n`;
}

function badge(methods: readonly string[]): Markup {
  const [method = ''] = methods.length === 1 ? methods : ['ANY'];
  return markup`<span class="method ${method.toLowerCase()}">${method}</span>`;
}

function introductionOf({ title, version, summary, description }: ApiDocument['info']): Markup {
  return markup`<header><h1>${title} API <small>${version}</small></h1><p>${summary}</p><p>${prose(description)}</p>
<p>Every example runs in a shell that knows the platform’s address and a key. Beside its data folder these are:</p>
<pre>API=$(cat data/address)
KEY=$(cat data/admin-key)</pre>
<p>The document behind this page, for tools: <a href="/openapi.json">openapi.json</a> (OpenAPI 3.1).</p></header>\n`;
}

function articleOf({ methods, path, operation }: Entry, shapes: Shapes): Markup {
  const { operationId, summary, description, parameters, requestBody } = operation;
  const place = { anchor: operationId, title: `${methods.length === 1 ? methods[0] : 'ANY'} ${path}` };
  const method = methods.includes('POST') ? 'POST' : (methods[0] ?? 'GET');
  const list = markup`<h4>Parameters</h4><ul class="fields">${parameters.map(parameterOf)}</ul>`;
  return markup`<article id="${operationId}"><h3>${badge(methods)} <a href="#${operationId}">${path}</a></h3>
<p class="summary">${prose(summary)}</p><p>${prose(description)}</p>
<pre>${curlOf(method, path, operation)}</pre>
${parameters.length === 0 ? null : list}${requestBody === undefined ? null : bodyOf(requestBody, { place, shapes })}
${answersOf(operation, { place, shapes })}</article>\n`;
}

function parameterOf({ name, in: where, required, description, schema, example }: ParameterObject): Markup {
  const needed = required ? markup` <b>required</b>` : null;
  const isClear = example === undefined || schema.enum !== undefined;
  const sample = isClear ? null : markup`<small>, such as <code>${String(example)}</code></small>`;
  const words = description === undefined ? null : markup`<span class="words">${prose(description)}</span>`;
  return markup`<li><code>${name}</code> <i>${where}, ${typeInWords(schema)}</i>${needed}${sample}${words}</li>`;
}

function bodyOf(
  { content, required }: NonNullable<OperationObject['requestBody']>,
  { place, shapes }: Context,
): Markup {
  const media = Object.entries(content).map(([type, { schema }]) => {
    return markup`<p class="media"><code>${type}</code></p>${shapes(schema, place)}`;
  });
  return markup`<h4>Body${required ? null : markup` <small>may be left out</small>`}</h4>${media}`;
}

function answersOf({ responses }: OperationObject, context: Context): Markup {
  const all = Object.entries(responses);
  const successes = all
    .filter(([status]) => Number(status) < 400)
    .map(([status, response], at) => {
      const media = Object.entries(response.content ?? {}).map(([type, one]) => {
        // Two statuses with one and the same body show it once.
        return at > 0 ? markup`<p class="media"><code>${type}</code>, as above</p>` : mediaOf(type, one, context);
      });
      return markup`<li><b class="good">${status}</b> ${prose(response.description)}${media}</li>`;
    });
  const refusals = all
    .filter(([status]) => Number(status) >= 400)
    .map(([status, { description }]) => {
      return markup`<span><b class="bad">${status}</b> ${codesIn(description)}</span> `;
    });
  return markup`<h4>Answers</h4><ul class="answers">${successes}<li class="refusals">${refusals}</li></ul>`;
}

function mediaOf(type: string, { schema, example }: MediaObject, { shapes, place }: Context): Markup {
  const text = typeof example === 'string' ? example : JSON.stringify(example, null, 2);
  const sample = example === undefined ? null : markup`<pre>${text}</pre>`;
  return markup`<details><summary><code>${type}</code></summary>${shapes(schema, place)}${sample}</details>`;
}

/** The codes that a refusal lists, each a link to its meaning. */
function codesIn(description: string): readonly Markup[] {
  return Array.from(description.matchAll(/`([^`]+)`/g), ([, code = '']) => {
    return markup`<a href="#code-${code}"><code>${code}</code></a> `;
  });
}

function problemTable(): Markup {
  const rows = Object.entries(problemCodes).map(([code, { status, title }]) => {
    return markup`<tr id="code-${code}"><td><code>${code}</code></td><td>${status}</td><td>${prose(title)}</td></tr>\n`;
  });
  return markup`<section><h2 id="problems">Problem codes</h2>
<p>A refusal is an <code>application/problem+json</code> document with a stable <code>code</code>, a <code>detail</code> in
words, and <code>errors</code> where several things are wrong at once.</p>
<table><thead><tr><th>code</th><th>status</th><th>meaning</th></tr></thead><tbody>${rows}</tbody></table></section>`;
}
