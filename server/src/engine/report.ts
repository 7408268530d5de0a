// Reports: what is sent to a post-processing, and a test request that does not need a run (R44–R47).
import type { PendingDelivery } from '../model/delivery.ts';
import { DEPTH_HEADER } from '../model/flow/depth.ts';
import { deliveryId } from '../model/ids.ts';
import type { Outcome } from '../model/outcome.ts';
import { isReported } from '../model/post-processing.ts';
import { reportBody, reportMail, reportOf, TEST_REPORTS, type Report } from '../model/report-body.ts';
import { setTraceHeaders } from '../model/trace-context.ts';
import type { Clock } from '../model/clock.ts';
import type { Settings, TargetKey } from '../store/contract.ts';
import { makeRoute, type ReportRoute, type Route, type RouteDefaults } from './route.ts';
import type { Composed, WaysOut } from './ways-out.ts';

/** Composes a try of a report; the body is made of the event anew, the same each time. Throws on an event that is none. */
export function composeReport(
  route: Route,
  report: ReportRoute,
  { delivery, trace }: { delivery: PendingDelivery; trace: string | null },
): Composed {
  const id = deliveryId(route.token, delivery);
  return composeAs(route, report, { id, report: reportOf(delivery.carried.envelope), isTest: false, trace });
}

interface Saying {
  id: string;
  report: Report;
  isTest: boolean;
  /** The trace context it belongs to, or null. */
  trace: string | null;
}

function composeAs(route: Route, { kind, recipients, dialect }: ReportRoute, saying: Saying): Composed {
  const { id, report, isTest, trace } = saying;
  const { timeoutMs: deadlineMs } = route;
  if (kind === 'email') {
    const words = reportMail(report);
    const subject = isTest ? `[Test] ${words.subject}` : words.subject;
    const shownHeaders = JSON.stringify({ to: recipients.join(', '), subject });
    return { mail: { to: recipients, subject, text: words.text, id, deadlineMs }, shownHeaders };
  }
  const { depth } = report.data;
  const own: Record<string, string> = {
    ...(dialect === 'bellwire' ? { 'webhook-id': id } : {}),
    ...(depth > 0 ? { [DEPTH_HEADER]: String(depth) } : {}),
  };
  setTraceHeaders(own, trace);
  const headers = [...route.headers, ...Object.entries(own).flat()];
  const body = new TextEncoder().encode(reportBody(report));
  return {
    // Its sends are counted (R26): none goes out a second time on a new connection.
    request: {
      target: route.target,
      method: 'POST',
      headers,
      body,
      deadlineMs,
      credentials: null,
      masker: route.masker,
      resend: false,
    },
    shownHeaders: JSON.stringify({ ...(JSON.parse(route.shownHeaders) as object), ...own }),
  };
}

/** What a test stands on. */
export interface TestParts {
  settings: Pick<Settings, 'target'>;
  ways: WaysOut;
  clock: Clock;
  defaults: RouteDefaults;
  uuid(): string;
}

/** What a test request came to. */
export interface TestReportResult {
  outcome: Outcome;
  /** By the post-processing's own rule of what a success is. */
  isSuccess: boolean;
}

/** Sends one test request now, as a job's end or a policy's; null when the post-processing is gone. */
export async function testReport(
  { settings, ways, clock, defaults, uuid }: TestParts,
  key: TargetKey,
  as: keyof typeof TEST_REPORTS,
): Promise<TestReportResult | null> {
  const reached = await settings.target(key);
  if (!reached) return null;
  const route = makeRoute(reached, defaults, clock.now());
  const { report } = route;
  if (report === null) return null;
  const composed = composeAs(route, report, {
    id: `test-${uuid()}`,
    report: TEST_REPORTS[as],
    isTest: true,
    trace: null,
  });
  const outcome = await ways.send(composed, { eager: true });
  return { outcome, isSuccess: isReported(outcome, report) };
}
