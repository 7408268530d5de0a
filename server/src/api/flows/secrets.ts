// Secrets of flows, by name: written here, read by the flow engine alone, never shown.
import { Type, type Static } from 'typebox';
import { refuse } from '../../model/problem.ts';
import { done, ok, operation } from '../kernel.ts';
import { pageThrough } from '../paging.ts';
import { Instant, instant, pageOf, PageQuery } from '../wire.ts';

/** A value. */
export const SecretIn = Type.Object(
  {
    value: Type.String({
      minLength: 1,
      maxLength: 65_536,
      description: 'Kept encrypted; nothing gives it back. Masked in logs and steps.',
    }),
  },
  { additionalProperties: false, examples: [{ value: 'hunter2' }] },
);
export type SecretIn = Static<typeof SecretIn>;

/** A secret as it is shown: that it is there. */
export const SecretOut = Type.Object(
  { name: Type.String(), updatedAt: Instant },
  { examples: [{ name: 'GREENLAKE', updatedAt: '2026-11-22T09:30:00.000Z' }] },
);
export type SecretOut = Static<typeof SecretOut>;

export const SecretsOut = pageOf(SecretOut);
export type SecretsOut = Static<typeof SecretsOut>;

export const SecretsQuery = Type.Object({ ...PageQuery }, { additionalProperties: false });
export const SecretParams = Type.Object({
  secret: Type.String({
    pattern: '^[A-Za-z_][A-Za-z0-9_]{0,63}$',
    description: 'As expressions say it: `secret.NAME`.',
  }),
});

export const putSecret = operation<SecretIn, SecretOut>()({
  summary: 'Set a secret',
  description: 'Runs that begin from now on see it.',
  params: SecretParams,
  async handle({ body, params, workspace, now }, { store }) {
    await store.flows.putSecret({ workspace: workspace.workspace, name: params.secret, value: body.value }, now);
    return ok({ name: params.secret, updatedAt: instant(now) });
  },
});

export const listSecrets = operation<null, SecretsOut>()({
  summary: 'List the names of the secrets',
  query: SecretsQuery,
  async handle({ query, workspace }, { store }) {
    const all = await store.flows.secretNames(workspace.workspace);
    const { items, next } = pageThrough(
      { list: `secrets ${workspace.token}`, items: all, keyOf: ({ name }) => name },
      query,
    );
    return ok({ items: items.map(show), next });
  },
});

export const getSecret = operation<null, SecretOut>()({
  summary: 'Show that a secret is there, and since when',
  params: SecretParams,
  async handle({ params, workspace }, { store }) {
    const all = await store.flows.secretNames(workspace.workspace);
    const found = all.find(({ name }) => name === params.secret);
    if (found === undefined) throw refuse('not-found', `There is no secret ${params.secret} here.`);
    return ok(show(found));
  },
});

export const deleteSecret = operation<null, null>()({
  summary: 'Delete a secret; what names it fails from its next run on',
  params: SecretParams,
  success: { 204: 'It is gone.' },
  async handle({ params, workspace, now }, { store }) {
    await store.flows.deleteSecret(workspace.workspace, params.secret, now);
    return done();
  },
});

function show({ name, updatedAt }: { name: string; updatedAt: number }): SecretOut {
  return { name, updatedAt: instant(updatedAt) };
}
