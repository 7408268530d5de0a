// Post-processings: where jobs and policy sets report to, by webhook or by e-mail (R4–R19, R44–R47).
import { Type, type Static } from 'typebox';
import { formatId } from '../model/ids.ts';
import { DIALECTS, MAX_AUTHORIZATION_LENGTH, MOST_RECIPIENTS, REPORT_KINDS } from '../model/post-processing.ts';
import type { Workspace } from '../store/contract.ts';
import type { PostProcessing } from '../store/post-processings/contract.ts';
import { Name } from './groups.ts';
import { created, done, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { settingAfter } from './post-processing-rules.ts';
import { absent, idOf, Instant, instant, numberOf, orNull, OutcomeOut, pageOf, PageQuery, spanMs } from './wire.ts';

const Kind = Type.Enum([...REPORT_KINDS], { description: 'By which service it reports (R8).' });
const Success = Type.Enum(['exactly-200', '2xx'], { description: 'Which answers are a success (R22).' });
const DialectName = Type.Enum([...DIALECTS], {
  description:
    '`cloud-automator` sends the User-Agent of Cloud Automator (R25); `bellwire` that of this installation, and a `webhook-id` that is the same over all sends. The body is the same.',
});
const Address = Type.String({
  maxLength: 254,
  pattern: '^[^\\s@<>(),;:"\\\\\\[\\]]{1,64}@[^\\s@<>(),;:"\\\\]{1,255}$',
  examples: ['oncall@example.com'],
});

const FIELDS = {
  group: Type.Optional(
    Type.String({ minLength: 1, maxLength: 300, description: 'Id or name of the group it belongs to (R6).' }),
  ),
  universal: Type.Optional(
    Type.Boolean({ description: 'Instead of a group: it is for all of them. Only an e-mail may be (R7).' }),
  ),
  url: Type.Optional(
    Type.String({
      maxLength: 8_192,
      description:
        'Of a webhook: http or https, up to 2,048 characters (R9–R11). Where it may lead is the operator’s setting.',
    }),
  ),
  authorization: Type.Optional(
    orNull(
      Type.String({
        maxLength: MAX_AUTHORIZATION_LENGTH,
        description: 'Of a webhook: sent as Authorization, unchanged (R13, R14); null or empty sends none (R15).',
      }),
    ),
  ),
  recipients: Type.Optional(
    Type.Array(Address, { minItems: 1, maxItems: MOST_RECIPIENTS, uniqueItems: true, description: 'Of an e-mail.' }),
  ),
  success: Type.Optional(Success),
  intervalMs: Type.Optional(
    orNull(
      spanMs('From the beginning of one send to the next, where none is answered (R27); null is the installation’s.', {
        minimum: 100,
        maximum: 86_400_000,
      }),
    ),
  ),
  timeoutMs: Type.Optional(
    orNull(
      spanMs('One deadline over connect, headers and body; null is the installation’s.', {
        minimum: 1,
        maximum: 120_000,
      }),
    ),
  ),
  dialect: Type.Optional(DialectName),
};

const EXAMPLE = {
  name: 'ops-hook',
  group: 'operations',
  kind: 'webhook' as const,
  url: 'https://ops.example.com/runs',
};

/** What a post-processing is made of. */
export const PostProcessingIn = Type.Object(
  { name: Name, kind: Kind, ...FIELDS },
  { additionalProperties: false, examples: [EXAMPLE] },
);
export type PostProcessingIn = Static<typeof PostProcessingIn>;

/** What may change; absent fields stay. */
export const PostProcessingPatchIn = Type.Object(
  { name: Type.Optional(Name), kind: Type.Optional(Kind), ...FIELDS },
  { additionalProperties: false, examples: [{ url: 'https://ops.example.com/v2/runs' }] },
);
export type PostProcessingPatchIn = Static<typeof PostProcessingPatchIn>;

/** A post-processing as it is shown; its Authorization value never is. */
export const PostProcessingOut = Type.Object(
  {
    id: idOf('pp'),
    name: Name,
    group: orNull(idOf('grp')),
    universal: Type.Boolean(),
    kind: Kind,
    url: orNull(Type.String({ description: 'Null for an e-mail.' })),
    hasAuthorization: Type.Boolean(),
    recipients: Type.Array(Type.String()),
    success: Success,
    intervalMs: orNull(Type.Integer()),
    timeoutMs: orNull(Type.Integer()),
    dialect: DialectName,
    createdAt: Instant,
    updatedAt: Instant,
  },
  {
    examples: [
      {
        id: 'pp_k3v9x2m4q7_a',
        ...EXAMPLE,
        group: 'grp_k3v9x2m4q7_9',
        universal: false,
        hasAuthorization: true,
        recipients: [],
        success: 'exactly-200',
        intervalMs: null,
        timeoutMs: null,
        dialect: 'cloud-automator',
        createdAt: '2026-11-22T09:30:00.000Z',
        updatedAt: '2026-11-22T09:30:00.000Z',
      },
    ],
  },
);
export type PostProcessingOut = Static<typeof PostProcessingOut>;

export const PostProcessingsOut = pageOf(PostProcessingOut);
export type PostProcessingsOut = Static<typeof PostProcessingsOut>;

/** What a test request says it is. */
export const TestReportIn = Type.Object(
  {
    as: Type.Optional(
      Type.Enum(['job', 'policy'], { description: 'The end of a job (R46, the default) or of a policy (R47).' }),
    ),
  },
  { additionalProperties: false, examples: [{ as: 'job' }] },
);
export type TestReportIn = Static<typeof TestReportIn>;

/** What it came to. */
export const TestReportOut = Type.Object(
  { outcome: OutcomeOut },
  { examples: [{ outcome: { ok: false, status: 500, durationMs: 12, error: 'answered 500' } }] },
);
export type TestReportOut = Static<typeof TestReportOut>;

export const PostProcessingsQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const PostProcessingParams = Type.Object({ postProcessing: idOf('pp') });

const REFUSALS = ['name-taken', 'unknown-group', 'invalid-post-processing', 'refused-url', 'refused-header'] as const;

export const createPostProcessing = operation<PostProcessingIn, PostProcessingOut>()({
  summary: 'Add a post-processing',
  success: { 201: 'It was made.' },
  errors: REFUSALS,
  async handle({ body, workspace, now }, tools) {
    const setting = { authorization: null, ...(await settingAfter(body, { before: null, workspace, tools })) };
    return created(show(await tools.store.postProcessings.create(workspace.workspace, setting, now), workspace));
  },
});

export const listPostProcessings = operation<null, PostProcessingsOut>()({
  summary: 'List the post-processings',
  query: PostProcessingsQuery,
  async handle({ query, workspace }, { store }) {
    const all = await store.postProcessings.list(workspace.workspace);
    const { items, next } = pageThrough(
      { list: `post-processings ${workspace.token}`, items: all, keyOf: ({ target }) => target },
      query,
    );
    return ok({ items: items.map((one) => show(one, workspace)), next });
  },
});

export const getPostProcessing = operation<null, PostProcessingOut>()({
  summary: 'Show a post-processing',
  params: PostProcessingParams,
  async handle({ params, workspace }, tools) {
    return ok(show(await find(params.postProcessing, workspace, tools), workspace));
  },
});

export const changePostProcessing = operation<PostProcessingPatchIn, PostProcessingOut>()({
  summary: 'Change a post-processing',
  description: 'What is open for it is sent as it is now.',
  params: PostProcessingParams,
  errors: [...REFUSALS, 'changed-meanwhile'],
  async handle({ params, body, workspace, now }, tools) {
    const before = await find(params.postProcessing, workspace, tools);
    const patch = await settingAfter(body, { before, workspace, tools });
    const { target, revision } = before;
    const key = { workspace: workspace.workspace, target };
    const changed = await tools.store.postProcessings.change({ ...key, revision, patch, now });
    return ok(show(changed, workspace));
  },
});

export const deletePostProcessing = operation<null, null>()({
  summary: 'Delete a post-processing that no job or policy set reports to',
  params: PostProcessingParams,
  success: { 204: 'It is gone; what was open for it is given up.' },
  errors: ['in-use'],
  async handle({ params, workspace, now }, { store }) {
    const target = numberOf('pp', workspace, params.postProcessing);
    await store.postProcessings.delete({ workspace: workspace.workspace, target }, now);
    return done();
  },
});

export const testPostProcessing = operation<TestReportIn, TestReportOut>()({
  summary: 'Send a test request now (the button “Send test request”)',
  description:
    'One send, answered here: success, or the status or network error, and the time it took (R45). An e-mail gets a test mail. It stands in no log.',
  params: PostProcessingParams,
  optionalBody: true,
  async handle({ params, body, workspace }, tools) {
    const target = numberOf('pp', workspace, params.postProcessing);
    const key = { workspace: workspace.workspace, target };
    return ok({ outcome: await tools.engine.testReport(key, body.as ?? 'job') });
  },
});

async function find(id: string, workspace: Workspace, { store }: Tools): Promise<PostProcessing> {
  const target = numberOf('pp', workspace, id);
  const found = await store.postProcessings.one({ workspace: workspace.workspace, target });
  if (found === null) throw absent('pp', id);
  return found;
}

function show(of: PostProcessing, { token }: Workspace): PostProcessingOut {
  const { name, kind, url, hasAuthorization, recipients, success, intervalMs, timeoutMs, dialect } = of;
  return {
    id: formatId('pp', token, of.target),
    name,
    group: of.group === null ? null : formatId('grp', token, of.group),
    universal: of.group === null,
    kind,
    url: kind === 'email' ? null : url,
    hasAuthorization,
    recipients: [...recipients],
    success,
    intervalMs,
    timeoutMs,
    dialect,
    createdAt: instant(of.createdAt),
    updatedAt: instant(of.updatedAt),
  };
}
