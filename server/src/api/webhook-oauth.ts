// A webhook whose endpoint asks for access tokens: the OAuth 2 client that gets them (RFC 6749 4.4). Pure.
import { Type, type Static } from 'typebox';
import { problemOf, Refused } from '../model/problem.ts';
import type { OAuthClient } from '../model/webhook.ts';
import { orNull } from './wire.ts';

// RFC 6749, appendix A: what an id, a secret and a scope are made of.
const VISIBLE = '^[ -~]+$';
const SCOPES = '^[!#-\\[\\]-~]+( [!#-\\[\\]-~]+)*$';

const ClientAuth = Type.Enum(['basic', 'body'], {
  description: 'How the client shows itself: in the `Authorization` header, or in the form. `basic` when left out.',
});
const OPTIONAL = {
  scope: orNull(Type.String({ maxLength: 2048, pattern: SCOPES, description: 'Scopes, parted by single spaces.' })),
  audience: orNull(Type.String({ maxLength: 2048, pattern: VISIBLE })),
  resource: orNull(Type.String({ maxLength: 2048, pattern: '^[!"$-~]+$', description: 'A URI (RFC 8707).' })),
};
const FIELDS = {
  tokenUrl: Type.String({
    minLength: 1,
    maxLength: 4096,
    description: 'The token endpoint; as a webhook’s URL may be.',
  }),
  clientId: Type.String({ maxLength: 512, pattern: VISIBLE }),
  clientSecret: Type.String({ maxLength: 1024, pattern: VISIBLE, description: 'Write-only.' }),
  scope: Type.Optional(OPTIONAL.scope),
  audience: Type.Optional(OPTIONAL.audience),
  resource: Type.Optional(OPTIONAL.resource),
  auth: Type.Optional(ClientAuth),
};
const DESCRIPTION =
  'Access tokens by OAuth 2 client credentials, sent as `Authorization: Bearer` with challenges and deliveries.';

/** The client of a new webhook. */
export const OAuthIn = Type.Object(FIELDS, { additionalProperties: false, description: DESCRIPTION });

/** A change of it: what is left out stays; the secret must come again with another token endpoint or client id. */
export const OAuthPatchIn = Type.Partial(OAuthIn, { additionalProperties: false, description: DESCRIPTION });
export type OAuthPatchIn = Static<typeof OAuthPatchIn>;

/** The client as it is shown: without its secret. */
export const OAuthOut = Type.Object({
  tokenUrl: Type.String(),
  clientId: Type.String(),
  ...OPTIONAL,
  auth: ClientAuth,
});

/** The client after a change, and its secret. */
export interface OAuthAfter {
  oauth: OAuthClient | null;
  clientSecret: string | null;
}

const NONE: OAuthClient = { tokenUrl: '', clientId: '', auth: 'basic', scope: null, audience: null, resource: null };

/**
 * What a wish makes of the client; null takes it away, undefined leaves it. Its token URL is judged already. Refuses
 * `invalid-oauth`.
 */
export function oauthAfter(wish: OAuthPatchIn | null | undefined, before: OAuthAfter): OAuthAfter {
  if (wish === undefined) return before;
  if (wish === null) return { oauth: null, clientSecret: null };
  const { clientSecret: given, ...fields } = wish;
  const oauth: OAuthClient = { ...(before.oauth ?? NONE), ...fields };
  for (const name of ['tokenUrl', 'clientId'] as const) if (oauth[name] === '') throw refused(name, 'It is needed.');
  // Whoever may change a webhook must not learn its secrets by having them sent elsewhere.
  const isSameClient = before.oauth?.tokenUrl === oauth.tokenUrl && before.oauth.clientId === oauth.clientId;
  const clientSecret = given ?? (isSameClient ? before.clientSecret : null);
  if (clientSecret === null) {
    throw refused('clientSecret', 'It is needed, and again when tokenUrl or clientId becomes another one.');
  }
  return { oauth, clientSecret };
}

/** Refuses two values for one header. */
export function checkOneAuthorization(oauth: OAuthClient | null, authorization: string | null): void {
  if (oauth === null || authorization === null) return;
  throw refused(
    '',
    'Authorization carries the fixed value or an access token: set `authorization` or `oauth` to null.',
  );
}

function refused(field: string, detail: string): Refused {
  const pointer = field === '' ? '/oauth' : `/oauth/${field}`;
  return new Refused(problemOf([{ pointer, code: 'invalid-oauth', detail }]));
}
