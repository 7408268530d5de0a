// Erasures: the payloads of one subject are taken out of the log, by a task that survives restarts.
import { Type, type Static } from 'typebox';
import { formatId } from '../model/ids.ts';
import type { StoredErasure, Workspace } from '../store/contract.ts';
import { ok, operation } from './kernel.ts';
import { PAGE, readPosition, writeCursor } from './paging.ts';
import { absent, idOf, Instant, instant, instantOrNull, numberOf, orNull, PageQuery, pageOf } from './wire.ts';

/** Whose payloads go. */
export const ErasureIn = Type.Object(
  {
    subject: Type.String({
      minLength: 1,
      maxLength: 2048,
      description: 'The CloudEvents `subject`, exactly. It is forgotten when the erasure is done, and never shown.',
    }),
  },
  { additionalProperties: false, examples: [{ subject: 'user-4711' }] },
);
export type ErasureIn = Static<typeof ErasureIn>;

/** An erasure, and how far it is. */
export const ErasureOut = Type.Object(
  {
    id: idOf('ers'),
    state: Type.Enum(['running', 'done']),
    erased: Type.Integer({ description: 'Events erased so far.' }),
    progress: Type.Number({ description: 'From 0 to 1.' }),
    createdAt: Instant,
    endedAt: orNull(Instant),
  },
  {
    examples: [
      {
        id: 'ers_k3v9x2m4q7_c',
        state: 'done',
        erased: 12,
        progress: 1,
        createdAt: '2026-11-22T09:30:00.000Z',
        endedAt: '2026-11-22T09:30:19.000Z',
      },
    ],
  },
);
export type ErasureOut = Static<typeof ErasureOut>;

export const ErasuresOut = pageOf(ErasureOut);
export type ErasuresOut = Static<typeof ErasuresOut>;

export const ErasuresQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const ErasureParams = Type.Object({ erasure: idOf('ers') });

export const eraseSubject = operation<ErasureIn, ErasureOut>()({
  summary: 'Erase the payloads of a subject',
  description:
    'Every event of the subject that is accepted by now keeps its number, type, source and id, and loses its payload; so do the attempts at its deliveries. What was still to be delivered becomes a dead letter with the reason `erased`.',
  success: { 202: 'It was begun; it goes on by itself.' },
  async handle({ body, workspace, now }, { store }) {
    const begun = await store.erasures.begin({ workspace: workspace.workspace, subject: body.subject }, now);
    return { status: 202, body: show(begun, workspace) };
  },
});

export const listErasures = operation<null, ErasuresOut>()({
  summary: 'List erasures, the newest first',
  query: ErasuresQuery,
  errors: ['invalid-cursor'],
  async handle({ query, workspace }, { store }) {
    const list = `erasures ${workspace.token}`;
    const limit = query.limit ?? PAGE;
    const cursor = readPosition(list, query.cursor);
    const rows = await store.erasures.list({ workspace: workspace.workspace, cursor, limit: limit + 1 });
    const page = rows.slice(0, limit);
    const next = rows.length > limit ? writeCursor(list, page.at(-1)!.erasure) : null;
    return ok({ items: page.map((row) => show(row, workspace)), next });
  },
});

export const getErasure = operation<null, ErasureOut>()({
  summary: 'Show an erasure and how far it is',
  params: ErasureParams,
  async handle({ params, workspace }, { store }) {
    const row = await store.erasures.one(workspace.workspace, numberOf('ers', workspace, params.erasure));
    if (row === null) throw absent('ers', params.erasure);
    return ok(show(row, workspace));
  },
});

function show(
  { erasure, state, erased, progress, createdAt, endedAt }: StoredErasure,
  { token }: Workspace,
): ErasureOut {
  const times = { createdAt: instant(createdAt), endedAt: instantOrNull(endedAt) };
  return { id: formatId('ers', token, erasure), state, erased, progress, ...times };
}
