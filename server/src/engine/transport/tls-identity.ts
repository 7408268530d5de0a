// Who a webhook's connections are: the certificate they show, and the authorities they trust.
import { createHash } from 'node:crypto';
import { createSecureContext, type SecureContext } from 'node:tls';

/** What makes a TLS identity, as PEM. */
export interface TlsMaterial {
  /** The client certificate, followed by what leads from it to its authority; null shows none. */
  certificate: string | null;
  privateKey: string | null;
  /** The authorities that are trusted instead of the system's; null is the system's. */
  ca: string | null;
  /** Until when the certificate is valid, epoch ms; null without one. */
  expiresAt: number | null;
}

/**
 * A TLS identity. Connections and TLS sessions are shared by its name only: what one webhook's certificate opened must
 * never carry another's request, and what its authority vouches for proves nothing to others.
 */
export interface TlsIdentity extends TlsMaterial {
  /** The same for the same material, and only for that. */
  name: string;
}

/** Gives the material its name. */
export function nameTlsIdentity(material: TlsMaterial): TlsIdentity {
  const { certificate, privateKey, ca } = material;
  const name = createHash('sha256')
    .update(JSON.stringify([certificate, privateKey, ca]))
    .digest('base64url');
  return { ...material, name };
}

/** What OpenSSL connects with. Throws on material it cannot use. */
export function secureContextOf({ certificate, privateKey, ca }: TlsMaterial): SecureContext {
  return createSecureContext({
    ...(certificate === null ? {} : { cert: certificate }),
    ...(privateKey === null ? {} : { key: privateKey }),
    ...(ca === null ? {} : { ca }),
  });
}
