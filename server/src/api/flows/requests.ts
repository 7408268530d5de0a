// Requests to the hooks of scenarios: those that started runs, and those that were refused, with why.
import { Type, type Static } from 'typebox';
import type { Masker } from '../../model/flow/mask.ts';
import { formatId } from '../../model/ids.ts';
import { refuse } from '../../model/problem.ts';
import type { Workspace } from '../../store/contract.ts';
import type { RequestHead, StoredRequest } from '../../store/hooks/contract.ts';
import { ok, operation, type Tools } from '../kernel.ts';
import { PAGE, readMark, writeCursor } from '../paging.ts';
import { absent, idOf, Instant, instant, numberOf, orNull, PageQuery, pageOf } from '../wire.ts';
import { findFlow, namedIn, ScenarioParams } from './flows.ts';
import { maskerOf, shownHeaders } from './shown-secrets.ts';

const State = Type.Enum(['taken', 'repeated', 'challenge', 'refused', 'unreadable', 'misfit'], {
  description:
    'What became of it: `taken` has started a run, `repeated` was done before, `challenge` was answered by the hook; the others were turned away.',
});

const EXAMPLE = {
  id: 'req_k3v9x2m4q7_2t',
  scenario: 12,
  run: null,
  state: 'refused',
  reason: 'bad-signature: the signature is not that of the body',
  status: 401,
  method: 'POST',
  bytes: 214,
  receivedAt: '2026-11-22T09:30:00.000Z',
};

/** A request, as lists show it. */
export const RequestOut = Type.Object(
  {
    id: idOf('req'),
    scenario: Type.Integer({ description: 'The id of the scenario whose hook it came to.' }),
    run: orNull(Type.Integer({ description: 'The run that it started, or was found to belong to.' })),
    state: State,
    reason: orNull(Type.String({ description: 'Why it started no run, or would not have where that is observed.' })),
    status: orNull(Type.Integer({ description: 'What the hook answered by itself; null where that was the run’s.' })),
    method: Type.String(),
    bytes: Type.Integer({ description: 'Of its body.' }),
    receivedAt: Instant,
  },
  { examples: [EXAMPLE] },
);
export type RequestOut = Static<typeof RequestOut>;

const HeaderOut = Type.Object({ name: Type.String(), value: Type.String() });

/** A request with all that it said. */
export const RequestDetailOut = Type.Object(
  {
    ...RequestOut.properties,
    from: orNull(Type.String({ description: 'The address it came from.' })),
    query: Type.String({ description: 'What stood behind the `?`.' }),
    headers: Type.Array(HeaderOut, {
      description: 'In their order. Values by which callers prove who they are, and those of secrets, are ••• here.',
    }),
    body: Type.Object({
      text: orNull(Type.String({ description: 'Where it is UTF-8; secrets are ••• here.' })),
      base64: orNull(Type.String({ description: 'Where it is not.' })),
    }),
    erased: Type.Boolean({ description: 'What it said was erased: nothing of it can be done again.' }),
  },
  {
    examples: [
      {
        ...EXAMPLE,
        from: '192.0.2.7',
        query: '',
        headers: [{ name: 'content-type', value: 'application/json' }],
        body: { text: '{"id":"1"}', base64: null },
        erased: false,
      },
    ],
  },
);
export type RequestDetailOut = Static<typeof RequestDetailOut>;

export const RequestsOut = pageOf(RequestOut);
export type RequestsOut = Static<typeof RequestsOut>;

export const RequestsQuery = Type.Object(
  { ...PageQuery, state: Type.Optional(State) },
  { additionalProperties: false },
);
export const RequestParams = Type.Object({
  request: Type.String({ maxLength: 80, description: 'The id of a request.' }),
});

export const listScenarioRequests = operation<null, RequestsOut>()({
  summary: 'List the requests to the hook of a scenario, the newest first',
  description: 'Of those that started no run the latest thousand or so are kept, up to 64 MiB.',
  params: ScenarioParams,
  query: RequestsQuery,
  async handle({ params, query, workspace }, tools) {
    const { flow } = await findFlow('scenario', { named: namedIn(params), workspace }, tools);
    const { state, cursor, limit } = query;
    const list = `requests ${workspace.token} ${flow}`;
    const { rows, next } = await tools.store.hooks.requests({
      workspace: workspace.workspace,
      flow,
      ...(state === undefined ? {} : { state }),
      cursor: readMark(list, cursor),
      limit: limit ?? PAGE,
    });
    const items = rows.map((row) => showRequest(row, workspace));
    return ok({ items, next: next === null ? null : writeCursor(list, next) });
  },
});

export const getRequest = operation<null, RequestDetailOut>()({
  summary: 'Show a request to a hook: its headers and its body, secrets masked',
  params: RequestParams,
  async handle({ params, workspace }, tools) {
    const request = await findRequest(params.request, workspace, tools);
    return ok(showDetail(request, { workspace, masker: await maskerOf(workspace.workspace, tools) }));
  },
});

/** A request by its id; refused `not-found`. */
export async function findRequest(
  id: string,
  workspace: Workspace,
  { store }: Pick<Tools, 'store'>,
): Promise<StoredRequest> {
  const request = numberOf('req', workspace, id);
  const found = await store.hooks.request({ workspace: workspace.workspace, request });
  if (found) return found;
  throw absent('req', id);
}

/** Is nothing left of what it said? A request over HTTP has headers. */
function isErased({ content }: StoredRequest): boolean {
  return content.headers.length === 0;
}

/** Refuses a request of which there is not all that it said: it was erased, or too large to be taken in. */
export function checkWhole(request: StoredRequest): void {
  if (isErased(request)) throw refuse('erased', 'What the request said was erased.');
  const { status, content } = request;
  if (status === 413 && content.body.length === 0) {
    throw refuse('wrong-state', 'Its body was too large to be kept: there is nothing to work at.');
  }
}

function showRequest(head: RequestHead, { token }: Workspace): RequestOut {
  const { request, flow, run, state, reason, status, method, bytes, receivedAt } = head;
  const id = formatId('req', token, request);
  return { id, scenario: flow, run, state, reason, status, method, bytes, receivedAt: instant(receivedAt) };
}

function showDetail(
  request: StoredRequest,
  { workspace, masker }: { workspace: Workspace; masker: Masker },
): RequestDetailOut {
  const { query, headers, from } = request.content;
  const said = { from, query: masker.text(query), headers: shownHeaders(headers, masker) };
  return { ...showRequest(request, workspace), ...said, body: showBody(request, masker), erased: isErased(request) };
}

function showBody({ content }: StoredRequest, masker: Masker): RequestDetailOut['body'] {
  try {
    return { text: masker.text(UTF8.decode(content.body)), base64: null };
  } catch {
    return { text: null, base64: Buffer.from(content.body).toString('base64') };
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
