// Changing a webhook: what a wish comes to, and how it is written although others write, too.
import type { Format, Signing, Verification } from '../model/webhook.ts';
import {
  StoreRefusal,
  type Store,
  type Webhook,
  type WebhookPatch,
  type WebhookSecrets,
  type Workspace,
} from '../store/contract.ts';
import { checkOneAuthorization, oauthAfter, type OAuthPatchIn } from './webhook-oauth.ts';
import { checkBatching, policyAfter, type PolicyIn } from './webhook-policy.ts';
import { replaceSecret, resign, type Generated, type Secrets } from './webhook-secrets.ts';
import { checkTlsUrl, tlsAfter, type TlsIn } from './webhook-tls.ts';
import { absent, numberOf } from './wire.ts';

/** A change of a webhook: the fields, why when the state changes, and whether it must prove itself again. */
export interface Change {
  patch: WebhookPatch;
  reason: string | null;
  again: boolean;
}

/** How often a change is tried against others at the same time. */
const TRIES = 5;

/**
 * Reads a webhook, decides its change and writes that; when somebody else was faster, all of it again. A decision of
 * null changes nothing. Refuses `not-found`, and `changed-meanwhile` after some tries.
 */
export async function updateWebhook(
  { id, workspace, now }: { id: string; workspace: Workspace; now: number },
  { settings }: Pick<Store, 'settings'>,
  decide: (before: Webhook, secrets: WebhookSecrets) => Change | null,
): Promise<{ webhook: Webhook; again: boolean }> {
  const key = { workspace: workspace.workspace, target: numberOf('wh', workspace, id) };
  for (let tries = 1; ; tries++) {
    const found = await settings.target(key);
    if (found === null || found.report) throw absent('wh', id);
    const change = decide(found.webhook, found.secrets);
    if (change === null) return { webhook: found.webhook, again: false };
    const { patch, reason, again } = change;
    try {
      const { revision } = found.webhook;
      const webhook = await settings.updateWebhook({ ...key, revision, patch, reason, now });
      return { webhook, again };
    } catch (error) {
      const isLost = error instanceof StoreRefusal && error.code === 'changed-meanwhile';
      if (!isLost || tries === TRIES) throw error;
    }
  }
}

/** Fields somebody wants changed; absent ones stay. Checked already, the URL judged. */
export interface Edit {
  name?: string;
  description?: string;
  url?: string;
  secret?: string;
  verification?: Verification;
  signing?: Signing[];
  authorization?: string | null;
  headers?: Record<string, string>;
  format?: Format;
  policy?: PolicyIn;
  oauth?: OAuthPatchIn | null;
  tls?: TlsIn | null;
}

/** What lets us in at the endpoint, and into what. */
export interface Access extends Pick<Webhook, 'url' | 'oauth' | 'tls'> {
  secrets: WebhookSecrets;
}

/**
 * What an edit makes of the OAuth 2 client and the TLS identity, their secrets among the webhook's. Refuses `invalid-oauth` and `invalid-tls`.
 */
export function accessAfter(edit: Pick<Edit, 'oauth' | 'tls'>, before: Access, now: number): Omit<Access, 'url'> {
  const { url, secrets } = before;
  const { oauth, clientSecret } = oauthAfter(edit.oauth, { oauth: before.oauth, clientSecret: secrets.clientSecret });
  const { tls, privateKey } = tlsAfter(edit.tls, { tls: before.tls, privateKey: secrets.privateKey }, now);
  checkOneAuthorization(oauth, secrets.authorization);
  checkTlsUrl(tls, url);
  return { oauth, tls, secrets: { ...secrets, clientSecret, privateKey } };
}

/**
 * What an edit comes to. A URL, a secret or a kind of verification that is another one has to be proved again
 * (R113; wire facts, section 1); everything else leaves the state alone.
 */
export function changeOf(
  edit: Edit,
  { before, secrets, now }: { before: Webhook; secrets: WebhookSecrets; now: number },
  bytes: (count: number) => Uint8Array,
): Change & { generated: Generated } {
  const turned = secretsAfter(edit, { secrets, signing: before.signing, publicKey: before.publicKey }, bytes);
  const patch: WebhookPatch = {
    ...pick(edit, ['name', 'description', 'url', 'verification', 'headers', 'format']),
    ...(edit.policy === undefined ? {} : policyAfter(edit.policy, before)),
    ...(turned === null ? {} : pick(turned, ['secrets', 'signing', 'publicKey'])),
  };
  checkBatching({ ...before, ...patch });
  const { url = before.url } = edit;
  const access = accessAfter(
    edit,
    { url, oauth: before.oauth, tls: before.tls, secrets: turned?.secrets ?? secrets },
    now,
  );
  if (edit.oauth !== undefined || edit.tls !== undefined) Object.assign(patch, access);
  const generated = turned?.generated ?? {};
  const isNewSecret = edit.secret !== undefined && edit.secret !== secrets.secret;
  if (isNewSecret) patch.secondaryUntil = null;
  const isNewUrl = edit.url !== undefined && edit.url !== before.url;
  const verification = edit.verification ?? before.verification;
  const what = isNewUrl ? 'URL' : isNewSecret ? 'secret' : verification !== before.verification ? 'verification' : null;
  if (what === null) return { patch, reason: null, again: false, generated };
  // What the former endpoint allowed or asked for says nothing about this one.
  if (isNewUrl) Object.assign(patch, { allowedRate: null, quietUntil: null });
  Object.assign(patch, { challenge: null, provedAt: null });
  const again = verification !== 'none';
  return {
    patch: { ...patch, health: again ? 'pending' : 'active', streak: 0 },
    reason: `the ${what} was changed`,
    again,
    generated,
  };
}

/** The secrets after an edit, or null when it does not touch them. */
function secretsAfter(
  { secret, signing, authorization }: Edit,
  before: Omit<Secrets, 'generated'>,
  bytes: (count: number) => Uint8Array,
): Secrets | null {
  if (secret === undefined && signing === undefined && authorization === undefined) return null;
  let turned: Secrets = { ...before, generated: {} };
  // The list of signatures first: a key that is generated for it must fit the secret that comes after.
  if (signing !== undefined) turned = { ...turned, signing };
  turned =
    secret === undefined || secret === before.secrets.secret
      ? resign(turned, turned.signing, bytes)
      : replaceSecret(turned, secret, bytes);
  return authorization === undefined ? turned : { ...turned, secrets: { ...turned.secrets, authorization } };
}

function pick<T extends object, K extends keyof T>(from: T, names: readonly K[]): Partial<Pick<T, K>> {
  const there = names.filter((name) => from[name] !== undefined).map((name) => [name, from[name]]);
  return Object.fromEntries(there) as Partial<Pick<T, K>>;
}
