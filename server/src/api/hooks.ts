// The door of hooks: a request goes to its scenario as it came, and what that replies goes back as it is (R55, R78, R90).
import { Type } from 'typebox';
import { refuse } from '../model/problem.ts';
import { operation } from './kernel.ts';

/** 24 random bytes in base64url. */
const TOKEN = /^[A-Za-z0-9_-]{32}$/;

export const receiveByHook = operation<null, null>()({
  summary: 'Call the hook of a scenario',
  description:
    'Any client may call it, with any body; who must prove himself, and how, says the scenario (docs/scenarios.md). The request is on disk before it is answered. What is answered is the scenario’s to say; where it says nothing, the answers are those below.',
  params: Type.Object({ token: Type.String({ description: 'The last part of the hook’s URL.' }) }),
  success: {
    200: 'What the scenario replied; `Accepted` where it replies nothing. Any status from 200 to 599 may come from it.',
    202: 'The run goes on: `{ "run": … }` is its number.',
  },
  anything: (config) => config.hooks.bodyBytes,
  quiet: true,
  errors: [
    'deleted',
    'unverified',
    'method-not-allowed',
    'request-too-large',
    'unreadable-request',
    'unfit-request',
    'unsupported-media-type',
    'queue-full',
    'hook-closed',
    'run-failed',
  ],
  async handle(
    { params, method, search: query, rawHeaders: headers, bytes: body, cutAt, from, trace, tell },
    { receive },
  ) {
    const { token } = params;
    if (!TOKEN.test(token)) throw refuse('not-found', 'There is no such hook.');
    const reply = await receive({ token, method, query, headers, body, cutAt, from, trace }, tell);
    return { status: reply.status, rawHeaders: reply.headers, bytes: reply.body };
  },
});
