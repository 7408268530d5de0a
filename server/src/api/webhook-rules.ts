// What a webhook may be: its URL, its headers, how it may prove itself.
import { escapePointer } from '../model/json-bytes.ts';
import { customHeaderFault, headerFault } from '../model/headers.ts';
import { problemOf, refuse, Refused, type ProblemFault } from '../model/problem.ts';
import { judgeWebhookUrl, type WebhookUrlRules } from '../model/webhook-url.ts';
import type { Verification } from '../model/webhook.ts';
import type { ApiParts } from './parts.ts';

/** The URL as it is stored. Refuses `refused-url` (R59, R60, wire facts section 6); `pointer` says where it stood. */
export async function judgeUrl(text: string, { config, engine }: ApiParts, pointer = '/url'): Promise<string> {
  const { httpsRequired, publicNamesRequired } = config.targets;
  const rules = {
    https: httpsRequired ? 'required' : 'optional',
    host: publicNamesRequired ? 'fqdn' : 'any',
  } as const;
  return judge(text, { rules, engine, pointer });
}

/**
 * The URL of a post-processing as it is stored: http is a legal value here whatever is required of webhooks, and so is an
 * address (R10); where it leads is judged all the same. Refuses `refused-url`.
 */
export function judgeReportUrl(text: string, { engine }: ApiParts): Promise<string> {
  return judge(text, { rules: { https: 'optional', host: 'any' }, engine, pointer: '/url' });
}

async function judge(
  text: string,
  { rules, engine, pointer }: { rules: WebhookUrlRules; engine: ApiParts['engine']; pointer: string },
): Promise<string> {
  const verdict = judgeWebhookUrl(text, rules);
  if (!verdict.ok) throw refusedUrl(verdict.message, pointer);
  // An IPv6 literal stands in brackets in a URL, and without them everywhere else.
  const reason = await engine.judgeHost(new URL(verdict.url).hostname.replace(/^\[|\]$/g, ''));
  if (reason !== null) throw refusedUrl(reason, pointer);
  return verdict.url;
}

/** The OAuth 2 client with its token URL as it is stored: that one is connected to on a user's word, too. */
export async function judgeTokenUrl<Wish extends { tokenUrl?: string }>(
  wish: Wish | null | undefined,
  parts: ApiParts,
): Promise<Wish | null | undefined> {
  if (!wish || wish.tokenUrl === undefined) return wish;
  return { ...wish, tokenUrl: await judgeUrl(wish.tokenUrl, parts, '/oauth/tokenUrl') };
}

/** Refuses `verification-required` where the operator wants every webhook to prove itself. */
export function checkVerification(verification: Verification, { config }: ApiParts): void {
  if (verification !== 'none' || config.targets.allowUnverified) return;
  throw refuse('verification-required', 'verification "none" needs the operator’s setting targets.allowUnverified.');
}

/** Refuses `refused-header`: lines that HTTP cannot carry (R13), that are ours, or that come in two spellings. */
export function checkHeaders(
  headers: Readonly<Record<string, string>> = {},
  authorization: string | null = null,
): void {
  const faults: ProblemFault[] = [];
  const seen = new Set<string>();
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase();
    const clause = seen.has(lower) ? `${name} is there twice` : headerClause(name, value);
    if (clause !== null) faults.push(headerProblem(`/headers/${escapePointer(name)}`, clause));
    seen.add(lower);
  }
  const clause = authorization === null ? null : headerFault('Authorization', authorization);
  if (clause !== null) faults.push(headerProblem('/authorization', clause));
  if (faults.length > 0) throw new Refused(problemOf(faults));
}

function headerClause(name: string, value: string): string | null {
  if (name.toLowerCase() !== 'authorization') return customHeaderFault(name, value);
  return 'Authorization has a field of its own, `authorization`, which is never shown';
}

function refusedUrl(detail: string, pointer: string): Refused {
  return new Refused(problemOf([{ pointer, code: 'refused-url', detail }]));
}

function headerProblem(pointer: string, clause: string): ProblemFault {
  return { pointer, code: 'refused-header', detail: `${clause.slice(0, 1).toUpperCase()}${clause.slice(1)}.` };
}
