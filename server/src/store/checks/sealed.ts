// Checks of what is sealed in a store: does every secret open with the keys that are here?
import { X509Certificate } from 'node:crypto';
import type { TlsSettings } from '../../model/webhook.ts';
import { SEALED } from '../resealing.ts';
import type { StoreCheck } from './check.ts';

const DAY_MS = 86_400_000;
const SOON_MS = 30 * DAY_MS;
/** Secrets that are opened of one table; a page at a time, so that nothing large is held. */
const PAGE = 1_000;

/** The checks. */
export const SEALED_CHECKS: readonly StoreCheck[] = [
  {
    name: 'secrets.open',
    looksAt: 'every sealed value opens with the keys that are here',
    severity: 'fault',
    remedy:
      'put the key of that id back into secrets.keys or the key file; else set the secret anew: bellwire webhooks change NAME --secret-stdin, bellwire secret set NAME',
    async look({ store, opens }) {
      // That there are no keys is told by the check of them.
      if (opens === null) return [];
      const closed: string[] = [];
      const why = new Set<string>();
      const [canary] = await store.ask<{ value: string }>(`SELECT value FROM installation WHERE name = 'canary'`);
      const complaint = canary ? opens(canary.value, 'canary') : null;
      if (complaint !== null) return [`the keys here do not open this store: ${complaint}`];
      for (const { table, name, sealed, contextOf } of SEALED) {
        for (let offset = 0; ; offset += PAGE) {
          const rows = await store.ask<{ workspace: number; name: string | number; sealed: string }>(
            `SELECT workspace, ${name} AS name, ${sealed} AS sealed FROM ${table} ORDER BY workspace, ${name} LIMIT $1 OFFSET $2`,
            [PAGE, offset],
          );
          for (const row of rows) {
            if (row.sealed === '') continue;
            const fault = opens(row.sealed, contextOf(row.workspace, row.name));
            if (fault === null) continue;
            closed.push(`${table} ${row.name}`);
            why.add(fault);
          }
          if (rows.length < PAGE) break;
        }
      }
      if (closed.length === 0) return [];
      return [`${closed.length} secrets do not open (${closed.slice(0, 3).join(', ')}): ${[...why][0]}`];
    },
  },
  {
    name: 'certificates.webhooks',
    looksAt: 'client certificates and authorities of webhooks, 30 days ahead',
    severity: 'warning',
    remedy: 'give it a new one: bellwire webhooks change NAME --tls-certificate FILE --tls-key FILE, or --tls-ca FILE',
    async look({ store, now }) {
      const rows = await store.ask<{ name: string; tls: string }>(
        'SELECT name, tls FROM webhooks WHERE tls IS NOT NULL ORDER BY workspace, webhook',
      );
      return rows.flatMap(({ name, tls }) => {
        const { certificate, ca } = JSON.parse(tls) as TlsSettings;
        return [
          ...expiring(certificate, now).map((when) => `the client certificate of webhook "${name}" ${when}`),
          ...expiring(ca, now).map((when) => `an authority of webhook "${name}" ${when}`),
        ];
      });
    },
  },
];

/** What is to be said of the certificates of a text, those that end soon or have ended. */
function expiring(pem: string | null, now: number): string[] {
  const all = pem?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  return all.flatMap((one) => {
    const until = new X509Certificate(one).validToDate.getTime();
    if (until > now + SOON_MS) return [];
    const day = new Date(until).toISOString().slice(0, 10);
    return until < now ? [`ended on ${day}`] : [`ends on ${day}`];
  });
}
