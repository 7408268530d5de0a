// The other end of a Cloud Automator post-processing: an array of results, each with its own handler.
import { isUtf8, mediaTypeOf } from './cloud-events.ts';
import { equalBytes, utf8 } from './encoding.ts';
import { parseJson } from './json.ts';
import type { Receiver } from './receiver.ts';
import { readBody, refusal } from './request.ts';

/** The end of a job, as it is sent. */
export interface JobResult {
  readonly type: 'job';
  readonly trigger_job_id: number;
  readonly trigger_job_log_id: number;
  readonly status: 'completed' | 'failed' | 'aborted';
  readonly name: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly started_at: string;
  readonly finished_at: string;
}

/** What one rule of a policy set found, as it is sent. */
export interface PolicyResult {
  readonly type: 'policy';
  readonly status: 'completed' | 'failed';
  readonly policy_set_name: string;
  readonly rule_name: string;
  /** `YYYY-MM-DDTHH:MM:SSZ`. */
  readonly evaluations_time: string;
  readonly evaluations: readonly Evaluation[];
}

/** One resource. Any ComplianceType is taken: there are more of them than the documentation names. */
export interface Evaluation {
  readonly ResourceId: string;
  readonly ResourceName: string;
  readonly ComplianceType: string;
  readonly ResultDetailCode: string | null;
}

/** Settings of such a receiver. */
export interface CloudAutomatorOptions {
  /**
   * The `Authorization` value to insist on, verbatim, or several while it is being changed. Nothing else proves who
   * sends: without it anybody may.
   */
  readonly authorization?: string | readonly string[];
  /** Refuses requests with another `User-Agent`. A hint only: anybody can write it. */
  readonly userAgent?: string;
  /** Handles the end of a job. */
  readonly job?: (result: JobResult, headers: Headers) => unknown;
  /** Handles what a rule found. */
  readonly policy?: (result: PolicyResult, headers: Headers) => unknown;
  /** Is told of elements of other types, which are accepted. */
  readonly otherwise?: (element: unknown, headers: Headers) => unknown;
  /** The greatest body accepted, in bytes; larger ones get 413. Default 4 MiB. */
  readonly maxBytes?: number;
  /** Told about every failure of a handler. Default console.error. */
  readonly onFailure?: (error: unknown, element: unknown) => void;
}

/** The User-Agent of Cloud Automator. */
export const CLOUD_AUTOMATOR_USER_AGENT = 'Cloud Automator (Serverworks Co., Ltd.)';

/**
 * A receiver of post-processings, 0 to n results in one request, each handled by itself.
 *
 * | answer | when |
 * |---|---|
 * | 200, empty | every result is handled, or of a type nobody handles; or there is none |
 * | 400 | no JSON, no array, or an element that is no result: `{"failed":[],"malformed":[indexes]}` |
 * | 401, 403 | wrong or missing Authorization; another User-Agent than the one insisted on |
 * | 405, 413, 415 | not POST, too large, not application/json |
 * | 500 | a handler failed. Cloud Automator, and Bellwire, do not send again after any answer |
 */
export function createCloudAutomatorReceiver(options: CloudAutomatorOptions): Receiver {
  const { maxBytes = 4 * 1024 * 1024 } = options;
  const known = [options.authorization ?? []].flat().map(utf8);
  const isWelcome = (headers: Headers): boolean => {
    const sent = utf8(headers.get('authorization') ?? '');
    // Not `some`: all of them are compared, whichever fits.
    return known.length === 0 || known.filter((one) => equalBytes(one, sent)).length > 0;
  };
  return async (request) => {
    const { headers, method } = request;
    if (method !== 'POST') return refusal(405, 'send a POST', { allow: 'POST' });
    const { essence, charset } = mediaTypeOf(headers.get('content-type') ?? '');
    if (essence !== 'application/json' || !isUtf8(charset)) return refusal(415, 'send application/json in UTF-8');
    if (!isWelcome(headers)) return refusal(401, 'wrong or missing Authorization');
    if (options.userAgent !== undefined && headers.get('user-agent') !== options.userAgent) {
      return refusal(403, 'wrong User-Agent');
    }
    const body = await readBody(request, maxBytes);
    if (body instanceof Response) return body;
    const json = parseJson(body);
    if (!json.ok) return refusal(400, json.fault);
    if (!Array.isArray(json.value)) return refusal(400, 'the body must be a JSON array');
    return handleAll(json.value, headers, options);
  };
}

async function handleAll(
  elements: readonly unknown[],
  headers: Headers,
  options: CloudAutomatorOptions,
): Promise<Response> {
  const { onFailure = reportToConsole } = options;
  const failed: number[] = [];
  const malformed: number[] = [];
  for (const [index, element] of elements.entries()) {
    try {
      if (!(await handle(element, headers, options))) malformed.push(index);
    } catch (error) {
      onFailure(error, element);
      failed.push(index);
    }
  }
  if (failed.length + malformed.length === 0) return new Response(null, { status: 200 });
  return Response.json({ failed, malformed }, { status: failed.length > 0 ? 500 : 400 });
}

/** False for what is no result at all. */
async function handle(element: unknown, headers: Headers, options: CloudAutomatorOptions): Promise<boolean> {
  if (!isObject(element) || typeof element['type'] !== 'string') return false;
  switch (element['type']) {
    case 'job':
      if (!isJobResult(element)) return false;
      await options.job?.(element, headers);
      return true;
    case 'policy':
      if (!isPolicyResult(element)) return false;
      await options.policy?.(element, headers);
      return true;
    default:
      await options.otherwise?.(element, headers);
      return true;
  }
}

type Members = Record<string, unknown>;

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function hasTexts(element: Members, ...names: readonly string[]): boolean {
  return names.every((name) => typeof element[name] === 'string');
}

function isJobResult(element: Members): element is Members & JobResult {
  const { status, trigger_job_id: job, trigger_job_log_id: run } = element;
  if (!['completed', 'failed', 'aborted'].includes(String(status))) return false;
  return (
    Number.isSafeInteger(job) && Number.isSafeInteger(run) && hasTexts(element, 'name', 'started_at', 'finished_at')
  );
}

function isPolicyResult(element: Members): element is Members & PolicyResult {
  const { status, evaluations } = element;
  if (!['completed', 'failed'].includes(String(status)) || !Array.isArray(evaluations)) return false;
  return hasTexts(element, 'policy_set_name', 'rule_name', 'evaluations_time') && evaluations.every(isEvaluation);
}

function isEvaluation(value: unknown): boolean {
  if (!isObject(value) || !hasTexts(value, 'ResourceId', 'ResourceName', 'ComplianceType')) return false;
  const { ResultDetailCode: detail } = value;
  return detail === null || typeof detail === 'string';
}

function reportToConsole(error: unknown, element: unknown): void {
  // oxlint-disable-next-line no-console -- a library has no log of its own, and a failure must not pass in silence
  console.error('a result could not be handled:', element, error);
}
