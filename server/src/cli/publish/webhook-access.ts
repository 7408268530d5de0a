// What `webhooks add` and `webhooks change` say about protected endpoints: OAuth 2 clients, certificates, authorities.
import type { Command } from 'commander';
import type { WebhookOut, WebhookPatchIn } from '../../api/webhooks.ts';
import { readBytes } from '../input.ts';
import type { Session } from '../session.ts';

/** The options, as commander hands them over. */
export interface AccessOptions {
  tokenUrl?: string;
  clientId?: string;
  clientSecret?: string;
  clientSecretFile?: string;
  clientAuth?: string;
  scope?: string;
  audience?: string;
  resource?: string;
  tlsCertificate?: string;
  tlsKey?: string;
  tlsCa?: string;
}

/** Declares them. */
export function accessOptions(command: Command): Command {
  return command
    .option('--token-url <url>', 'Get access tokens here (OAuth 2 client credentials); "none" ends that')
    .option('--client-id <id>', 'The client that gets them')
    .option('--client-secret <secret>', 'Its secret; others on this machine may see it here')
    .option('--client-secret-file <file>', 'The file its secret is in; "-" is stdin')
    .option('--client-auth <way>', 'basic: the client shows itself in the header; body: in the form')
    .option('--scope <scopes>', 'What the tokens are for, parted by spaces; "none" takes it away')
    .option('--audience <audience>', 'The audience of the tokens; "none" takes it away')
    .option('--resource <uri>', 'The resource of the tokens (RFC 8707); "none" takes it away')
    .option('--tls-certificate <file>', 'The client certificate to show, PEM; "none" takes it away')
    .option('--tls-key <file>', 'Its private key, PEM without a passphrase')
    .option('--tls-ca <file>', 'Authorities to trust instead of the system’s, PEM; "none" takes them away');
}

/** What they say, in the API's fields. What a value may be is judged by the platform. */
export async function accessOf(
  options: AccessOptions,
  session: Session,
): Promise<Pick<WebhookPatchIn, 'oauth' | 'tls'>> {
  return { oauth: await oauthOf(options, session), tls: await tlsOf(options, session) };
}

async function oauthOf(options: AccessOptions, session: Session): Promise<WebhookPatchIn['oauth']> {
  if (options.tokenUrl === 'none') return null;
  const file = options.clientSecretFile;
  const secret = file === undefined ? undefined : (await readText(file, session)).replace(/\r?\n$/, '');
  return orUndefined({
    tokenUrl: options.tokenUrl,
    clientId: options.clientId,
    clientSecret: secret ?? options.clientSecret,
    auth: options.clientAuth as 'basic' | undefined,
    scope: orNone(options.scope),
    audience: orNone(options.audience),
    resource: orNone(options.resource),
  });
}

async function tlsOf(options: AccessOptions, session: Session): Promise<WebhookPatchIn['tls']> {
  const pem = async (file: string | undefined): Promise<string | null | undefined> =>
    file === undefined || file === 'none' ? orNone(file) : readText(file, session);
  const { tlsKey } = options;
  return orUndefined({
    certificate: await pem(options.tlsCertificate),
    privateKey: tlsKey === undefined ? undefined : await readText(tlsKey, session),
    ca: await pem(options.tlsCa),
  });
}

async function readText(file: string, { terminal, signal }: Session): Promise<string> {
  return (await readBytes(file, terminal, signal)).toString();
}

function orNone(text: string | undefined): string | null | undefined {
  return text === 'none' ? null : text;
}

function orUndefined<Fields extends object>(fields: Fields): Fields | undefined {
  return Object.values(fields).every((value) => value === undefined) ? undefined : fields;
}

/** What `webhooks show` tells of them. */
export function accessFacts({ oauth, tls }: WebhookOut): Record<string, string | null> {
  return {
    'access tokens': oauth === null ? null : `from ${oauth.tokenUrl} as ${oauth.clientId}`,
    scope: oauth?.scope ?? null,
    'client certificate': tls?.expiresAt ? `valid until ${tls.expiresAt}` : null,
    authorities: tls?.ca ? 'its own' : null,
  };
}
