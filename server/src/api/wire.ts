// The parts that the wire types of several resources share: instants, spans, ids, pages, problems.
import { Type, type Static, type TSchema } from 'typebox';
import { parseId, type IdKind } from '../model/ids.ts';
import { refuse, type Refused } from '../model/problem.ts';
import type { Workspace } from '../store/contract.ts';

/** An instant on the wire: RFC 3339 in UTC with milliseconds. */
export const Instant = Type.String({
  format: 'date-time',
  pattern: '^\\d{4,6}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z$',
  examples: ['2026-11-22T09:30:00.000Z'],
});

/** Writes an instant. */
export function instant(ms: number): string {
  return new Date(ms).toISOString();
}

/** Writes an instant that may be absent. */
export function instantOrNull(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}

/** A span of time on the wire: whole milliseconds. */
export function spanMs(description: string, bounds: { minimum?: number; maximum?: number } = {}) {
  return Type.Integer({ minimum: 0, maximum: 31_622_400_000, ...bounds, description });
}

/** A value that may be `null`. */
export function orNull<S extends TSchema>(schema: S) {
  return Type.Union([schema, Type.Null()]);
}

/** A public id of one kind (model/ids.ts). */
export function idOf(kind: IdKind) {
  return Type.String({ pattern: `^${kind}_[0-9a-z_]+$`, maxLength: 80, examples: [ID_EXAMPLES[kind]] });
}

const ID_EXAMPLES: Record<IdKind, string> = {
  ws: 'ws_k3v9x2m4q7',
  evt: 'evt_k3v9x2m4q7_2s',
  wh: 'wh_k3v9x2m4q7_7',
  sub: 'sub_k3v9x2m4q7_8',
  dlv: 'dlv_k3v9x2m4q7_2s_7',
  bat: 'bat_k3v9x2m4q7_7_3',
  att: 'att_k3v9x2m4q7_2s_7_1',
  key: 'key_k3v9x2m4q7',
  op: 'op_k3v9x2m4q7_c',
  ers: 'ers_k3v9x2m4q7_c',
  grp: 'grp_k3v9x2m4q7_9',
  pp: 'pp_k3v9x2m4q7_a',
  req: 'req_k3v9x2m4q7_2t',
};

/**
 * The numbers of an id, if it is of this kind and of this workspace. Anything else is refused `not-found`, an id of
 * another workspace exactly as one that never was.
 */
export function numbersOf(kind: IdKind, workspace: Workspace, text: string): number[] {
  const id = parseId(text);
  if (id?.kind === kind && id.token === workspace.token) return id.numbers;
  throw absent(kind, text);
}

const KIND_NAMES: Record<IdKind, string> = {
  ws: 'workspace',
  evt: 'event',
  wh: 'webhook',
  sub: 'subscription',
  dlv: 'delivery',
  bat: 'batch',
  att: 'attempt',
  key: 'key',
  op: 'operation',
  ers: 'erasure',
  grp: 'group',
  pp: 'post-processing',
  req: 'request',
};

/** The refusal of an id that is nobody's here. */
export function absent(kind: IdKind, id: string): Refused {
  return refuse('not-found', `There is no ${KIND_NAMES[kind]} ${id} here.`);
}

/** The same for an id of a single number. */
export function numberOf(kind: IdKind, workspace: Workspace, text: string): number {
  return numbersOf(kind, workspace, text)[0] as number;
}

/** What one request to an endpoint came to: a challenge, or a try by hand. */
export const OutcomeOut = Type.Object({
  ok: Type.Boolean(),
  status: orNull(Type.Integer({ description: 'HTTP status; null without an answer.' })),
  durationMs: Type.Number(),
  error: orNull(Type.String({ description: 'What went wrong, in words.' })),
});
export type OutcomeOut = Static<typeof OutcomeOut>;

/** One page of a list. `next` is the `cursor` that continues it; `null` when the end was reached. */
export function pageOf<S extends TSchema>(item: S) {
  return Type.Object({
    items: Type.Array(item),
    next: orNull(Type.String({ description: 'The `cursor` of the next page; null at the end.' })),
  });
}

/** The query of every list. */
export const PageQuery = {
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 2048, description: 'The `next` of the page before; opaque.' }),
  ),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 500, description: 'Items per page; 100 when left out.' })),
};

/** The workspace a request acts on, for keys that may act for several: part of every query that reaches into one. */
export const WorkspaceQuery = {
  workspace: Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'Id or name of the workspace, for keys of several; as the header `Bellwire-Workspace`.',
    }),
  ),
};

/** A refusal (RFC 9457, `application/problem+json`). */
export const ProblemOut = Type.Object(
  {
    type: Type.String({ description: 'URN of the code.' }),
    title: Type.String({ description: 'The same for every problem of this code.' }),
    status: Type.Integer({ description: 'The HTTP status.' }),
    code: Type.String({ description: 'Stable: programs compare it. All are listed in docs/errors.md.' }),
    detail: Type.String({ description: 'What is wrong with this request, for people.' }),
    instance: Type.Optional(
      Type.String({ description: 'URN under which the log has it; on faults that are not of the request.' }),
    ),
    errors: Type.Optional(
      Type.Array(
        Type.Object({
          index: Type.Optional(Type.Integer({ description: 'Place of the event in its batch, from 0.' })),
          pointer: Type.Optional(
            Type.String({ description: 'JSON pointer of the member, or the name of the header or query parameter.' }),
          ),
          code: Type.String(),
          detail: Type.String(),
        }),
        { description: 'The faults one by one, where there can be several.' },
      ),
    ),
  },
  {
    examples: [
      {
        type: 'urn:bellwire:problem:unknown-type',
        title: 'The event type is not in the catalog.',
        status: 422,
        code: 'unknown-type',
        detail: 'There is no event type "com.example.order.creatd". Did you mean "com.example.order.created"?',
      },
    ],
  },
);
/** See {@link ProblemOut}. */
export type ProblemOut = Static<typeof ProblemOut>;
