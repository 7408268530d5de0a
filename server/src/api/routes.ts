// The whole API on one screen: method and path, who may call it, what goes in, what comes out, what does it.
import { Type, type Static, type TObject, type TSchema } from 'typebox';
import * as deliveries from './deliveries.ts';
import * as erasures from './erasures.ts';
import * as types from './event-types.ts';
import * as events from './events.ts';
import { trigger, TriggeredOut, TriggerIn } from './flows/http-trigger.ts';
import * as evaluations from './flows/evaluations.ts';
import * as drafts from './flows/drafts.ts';
import * as dryRuns from './flows/dry-runs.ts';
import * as flows from './flows/flows.ts';
import * as push from './flows/push.ts';
import * as replays from './flows/replays.ts';
import * as requests from './flows/requests.ts';
import * as runDetails from './flows/run-details.ts';
import * as runs from './flows/runs.ts';
import * as secrets from './flows/secrets.ts';
import * as versions from './flows/versions.ts';
import * as groups from './groups.ts';
import { receiveByHook } from './hooks.ts';
import type { Access, Operation } from './kernel.ts';
import * as keys from './keys.ts';
import * as operations from './operations.ts';
import * as overview from './overview.ts';
import * as postProcessings from './post-processings.ts';
import { publish } from './publish.ts';
import * as listeners from './listeners.ts';
import * as pulls from './pulls.ts';
import * as reference from './reference/index.ts';
import * as running from './running.ts';
import * as services from './services.ts';
import * as sheetFiles from './sheets/export.ts';
import * as sheetRows from './sheets/rows.ts';
import * as sheets from './sheets/sheets.ts';
import * as live from './stream.ts';
import * as subscriptions from './subscriptions.ts';
import * as actions from './webhook-actions.ts';
import * as webhooks from './webhooks.ts';
import { WorkspaceQuery } from './wire.ts';
import * as workspaces from './workspaces.ts';

// oxfmt-ignore
export const routes: readonly Route[] = [
  //    method and path                        access     In                            Out                           operation
  route('GET /v1/services',                    'read',    null,                         services.ServicesOut,         services.listServices),
  route('POST /v1/services',                   'admin',   services.ServiceIn,           services.ServiceOut,          services.putService),
  route('DELETE /v1/services/{service}',       'admin',   null,                         null,                         services.deleteService),

  route('GET /v1/event-types',                 'read',    null,                         types.EventTypesOut,          types.listEventTypes),
  route('GET /v1/event-types/{type}',          'read',    null,                         types.EventTypeOut,           types.getEventType),
  route('PUT /v1/event-types/{type}',          'manage',  types.EventTypeIn,            types.EventTypeOut,           types.putEventType),
  route('DELETE /v1/event-types/{type}',       'manage',  null,                         null,                         types.deleteEventType),

  route('GET /v1/workspaces',                  'read',    null,                         workspaces.WorkspacesOut,     workspaces.listWorkspaces),
  route('POST /v1/workspaces',                 'admin',   workspaces.WorkspaceIn,       workspaces.WorkspaceOut,      workspaces.createWorkspace),
  route('GET /v1/workspaces/{workspace}',      'read',    null,                         workspaces.WorkspaceOut,      workspaces.getWorkspace),
  route('PATCH /v1/workspaces/{workspace}',    'admin',   workspaces.WorkspacePatchIn,  workspaces.WorkspaceOut,      workspaces.changeWorkspace),
  route('DELETE /v1/workspaces/{workspace}',   'admin',   null,                         null,                         workspaces.deleteWorkspace),

  route('POST /v1/events',                     'publish', events.CloudEvent,            events.PublishOut,            publish),
  route('GET /v1/events',                      'read',    null,                         events.EventsOut,             events.listEvents),
  route('GET /v1/events/{event}',              'read',    null,                         events.EventOut,              events.getEvent),
  route('GET /v1/stream',                      'read',    null,                         live.StreamMessage,           live.stream),

  route('GET /v1/overview',                    'read',    null,                         overview.OverviewOut,         overview.readOverview),

  route('GET /v1/webhooks',                    'read',    null,                         webhooks.WebhooksOut,         webhooks.listWebhooks),
  route('POST /v1/webhooks',                   'manage',  webhooks.WebhookIn,           webhooks.WebhookSecretOut,    webhooks.createWebhook),
  route('GET /v1/webhooks/{webhook}',          'read',    null,                         webhooks.WebhookOut,          webhooks.getWebhook),
  route('PATCH /v1/webhooks/{webhook}',        'manage',  webhooks.WebhookPatchIn,      webhooks.WebhookSecretOut,    webhooks.changeWebhook),
  route('DELETE /v1/webhooks/{webhook}',       'manage',  null,                         null,                         webhooks.deleteWebhook),
  route('POST /v1/webhooks/{webhook}/test',    'manage',  null,                         webhooks.TestOut,             actions.testWebhook),
  route('POST /v1/webhooks/{webhook}/pause',   'manage',  null,                         webhooks.WebhookOut,          actions.pauseWebhook),
  route('POST /v1/webhooks/{webhook}/resume',  'manage',  null,                         webhooks.WebhookOut,          actions.resumeWebhook),
  route('POST /v1/webhooks/{webhook}/enable',  'manage',  null,                         webhooks.WebhookOut,          actions.enableWebhook),
  route('POST /v1/webhooks/{webhook}/disable', 'manage',  null,                         webhooks.WebhookOut,          actions.disableWebhook),
  route('POST /v1/webhooks/{webhook}/unpark',  'manage',  null,                         webhooks.WebhookOut,          actions.unparkWebhook),
  route('POST /v1/webhooks/{webhook}/rotate',  'manage',  webhooks.RotateIn,            webhooks.WebhookSecretOut,    actions.rotateWebhook),
  route('POST /v1/webhooks/{webhook}/recover', 'manage',  operations.RecoverIn,         operations.OperationOut,      operations.recoverWebhook),
  route('POST /v1/webhooks/{webhook}/redrive', 'manage',  operations.RedriveIn,         operations.OperationOut,      operations.redriveWebhook),
  route('POST /v1/webhooks/{webhook}/replay',  'manage',  operations.ReplayIn,          operations.OperationOut,      operations.replayToWebhook),
  route('POST /v1/webhooks/{webhook}/pull',    'pull',    pulls.PullIn,                 pulls.PullOut,                pulls.pull),
  route('POST /v1/webhooks/{webhook}/ack',     'pull',    pulls.AckIn,                  pulls.LeasesOut,              pulls.acknowledge),
  route('POST /v1/webhooks/{webhook}/return',  'pull',    pulls.ReturnIn,               pulls.LeasesOut,              pulls.giveBack),
  route('POST /v1/webhooks/{webhook}/listen',  'manage',  listeners.ListenIn,           listeners.ListenOut,          listeners.listen),
  route('POST /v1/webhooks/{webhook}/answers', 'manage',  listeners.AnswersIn,          listeners.AnswersOut,         listeners.answer),
  route('POST /v1/webhooks/{webhook}/leave',   'manage',  listeners.LeaveIn,            null,                         listeners.leave),
  route('POST /v1/webhooks/{webhook}/extend',  'pull',    pulls.ExtendIn,               pulls.LeasesOut,              pulls.extend),
  route('GET /v1/webhooks/{webhook}/changes',  'read',    null,                         webhooks.WebhookChangesOut,   actions.listChanges),
  route('GET /v1/webhooks/{webhook}/deliveries', 'read',  null,                         deliveries.DeliveriesOut,     actions.listWebhookDeliveries),

  route('GET /v1/subscriptions',               'read',    null,                         subscriptions.SubscriptionsOut, subscriptions.listSubscriptions),
  route('POST /v1/subscriptions',              'manage',  subscriptions.SubscriptionIn, subscriptions.SubscriptionOut,  subscriptions.createSubscription),
  route('GET /v1/subscriptions/{subscription}', 'read',   null,                         subscriptions.SubscriptionOut,  subscriptions.getSubscription),
  route('DELETE /v1/subscriptions/{subscription}', 'manage', null,                      null,                           subscriptions.deleteSubscription),

  route('GET /v1/deliveries',                  'read',    null,                         deliveries.DeliveriesOut,     deliveries.listDeliveries),
  route('GET /v1/deliveries/{delivery}',       'read',    null,                         deliveries.DeliveryDetailOut, deliveries.getDelivery),
  route('POST /v1/deliveries/{delivery}/retry', 'manage', null,                         deliveries.RetryOut,          deliveries.retryDelivery),
  route('POST /v1/deliveries/redrive',         'manage',  operations.RedriveIn,         operations.OperationOut,      operations.redriveAll),

  route('GET /v1/operations',                  'read',    null,                         operations.OperationsOut,     operations.listOperations),
  route('GET /v1/operations/{operation}',      'read',    null,                         operations.OperationOut,      operations.getOperation),
  route('POST /v1/operations/{operation}/pause', 'manage', null,                        operations.OperationOut,      operations.pauseOperation),
  route('POST /v1/operations/{operation}/resume', 'manage', null,                       operations.OperationOut,      operations.resumeOperation),
  route('POST /v1/operations/{operation}/cancel', 'manage', null,                       operations.OperationOut,      operations.cancelOperation),

  route('GET /v1/erasures',                    'read',    null,                         erasures.ErasuresOut,         erasures.listErasures),
  route('POST /v1/erasures',                   'manage',  erasures.ErasureIn,           erasures.ErasureOut,          erasures.eraseSubject),
  route('GET /v1/erasures/{erasure}',          'read',    null,                         erasures.ErasureOut,          erasures.getErasure),

  route('GET /v1/groups',                      'read',    null,                         groups.GroupsOut,             groups.listGroups),
  route('POST /v1/groups',                     'manage',  groups.GroupIn,               groups.GroupOut,              groups.createGroup),
  route('GET /v1/groups/{group}',              'read',    null,                         groups.GroupOut,              groups.getGroup),
  route('PATCH /v1/groups/{group}',            'manage',  groups.GroupIn,               groups.GroupOut,              groups.changeGroup),
  route('DELETE /v1/groups/{group}',           'manage',  null,                         null,                         groups.deleteGroup),

  route('GET /v1/post-processings',            'read',    null,                         postProcessings.PostProcessingsOut, postProcessings.listPostProcessings),
  route('POST /v1/post-processings',           'manage',  postProcessings.PostProcessingIn, postProcessings.PostProcessingOut, postProcessings.createPostProcessing),
  route('GET /v1/post-processings/{postProcessing}', 'read', null,                      postProcessings.PostProcessingOut, postProcessings.getPostProcessing),
  route('PATCH /v1/post-processings/{postProcessing}', 'manage', postProcessings.PostProcessingPatchIn, postProcessings.PostProcessingOut, postProcessings.changePostProcessing),
  route('DELETE /v1/post-processings/{postProcessing}', 'manage', null,                 null,                         postProcessings.deletePostProcessing),
  route('POST /v1/post-processings/{postProcessing}/test', 'manage', postProcessings.TestReportIn, postProcessings.TestReportOut, postProcessings.testPostProcessing),

  route('PUT /v1/flows',                       'manage',  push.PushIn,                  push.PushOut,                 push.pushFlows),
  route('GET /v1/jobs',                        'read',    null,                         flows.FlowsOut,               flows.listJobs),
  route('GET /v1/jobs/{job}',                  'read',    null,                         flows.FlowDetailOut,          flows.getJob),
  route('PUT /v1/jobs/{job}',                  'manage',  null,                         flows.FlowDetailOut,          push.putJob),
  route('DELETE /v1/jobs/{job}',               'manage',  null,                         null,                         flows.deleteJob),
  route('POST /v1/jobs/{job}/trigger',         'manage',  null,                         flows.FlowOut,                flows.renewJobTrigger),
  route('POST /v1/jobs/{job}/runs',            'manage',  runs.RunIn,                   runs.RunOut,                  runs.startJob),
  route('GET /v1/jobs/{job}/runs',             'read',    null,                         runs.RunsOut,                 runs.listJobRuns),
  route('GET /v1/runs',                        'read',    null,                         runs.RunsOut,                 runs.listRuns),
  route('GET /v1/runs/{run}',                  'read',    null,                         runDetails.RunDetailOut,      runDetails.getRun),
  route('GET /v1/runs/{run}/steps',            'read',    null,                         runDetails.StepsOut,          runDetails.listRunSteps),
  route('GET /v1/runs/{run}/log',              'read',    null,                         runDetails.LogOut,            runDetails.readRunLog),
  route('POST /v1/runs/{run}/abort',           'manage',  null,                         runs.RunOut,                  runs.abortRun),
  route('POST /v1/runs/{run}/replay',          'manage',  replays.ReplayIn,             replays.ReplayOut,            replays.replayRun),
  route('POST /v1/runs/{run}/continue',        'manage',  null,                         runs.RunOut,                  replays.continueRun),

  route('GET /v1/scenarios',                   'read',    null,                         flows.FlowsOut,               flows.listScenarios),
  route('GET /v1/scenarios/{scenario}',        'read',    null,                         flows.FlowDetailOut,          flows.getScenario),
  route('PUT /v1/scenarios/{scenario}',        'manage',  null,                         flows.FlowDetailOut,          push.putScenario),
  route('DELETE /v1/scenarios/{scenario}',     'manage',  null,                         null,                         flows.deleteScenario),
  route('POST /v1/scenarios/{scenario}/hook',  'manage',  null,                         flows.FlowOut,                flows.renewScenarioHook),
  route('GET /v1/scenarios/{scenario}/runs',   'read',    null,                         runs.RunsOut,                 runs.listScenarioRuns),
  route('GET /v1/scenarios/{scenario}/requests', 'read',  null,                         requests.RequestsOut,         requests.listScenarioRequests),
  route('GET /v1/scenarios/{scenario}/draft',  'read',    null,                         drafts.DraftOut,              drafts.getDraft),
  route('PUT /v1/scenarios/{scenario}/draft',  'manage',  null,                         drafts.DraftOut,              drafts.putDraft),
  route('DELETE /v1/scenarios/{scenario}/draft', 'manage', null,                        null,                         drafts.deleteDraft),
  route('POST /v1/scenarios/{scenario}/publish', 'manage', null,                        flows.FlowDetailOut,          drafts.publishDraft),
  route('POST /v1/scenarios/{scenario}/dry-run', 'manage', drafts.DryRunIn,             dryRuns.DryRunOut,            drafts.dryRunScenario),
  route('GET /v1/scenarios/{scenario}/versions', 'read',  null,                         versions.VersionsOut,         versions.listVersions),
  route('GET /v1/scenarios/{scenario}/versions/{version}', 'read', null,                versions.VersionDetailOut,    versions.getVersion),
  route('GET /v1/scenarios/{scenario}/difference', 'read', null,                        versions.ComparisonOut,       versions.compareVersions),
  route('GET /v1/requests/{request}',          'read',    null,                         requests.RequestDetailOut,    requests.getRequest),
  route('POST /v1/requests/{request}/replay',  'manage',  replays.ReplayRequestIn,      replays.ReplayOut,            replays.replayRequest),

  route('GET /v1/policy-sets',                 'read',    null,                         flows.FlowsOut,               flows.listPolicySets),
  route('GET /v1/policy-sets/{policySet}',     'read',    null,                         flows.FlowDetailOut,          flows.getPolicySet),
  route('PUT /v1/policy-sets/{policySet}',     'manage',  null,                         flows.FlowDetailOut,          push.putPolicySet),
  route('DELETE /v1/policy-sets/{policySet}',  'manage',  null,                         null,                         flows.deletePolicySet),
  route('POST /v1/policy-sets/{policySet}/trigger', 'manage', null,                     flows.FlowOut,                flows.renewPolicySetTrigger),
  route('POST /v1/policy-sets/{policySet}/evaluations', 'manage', runs.RunIn,           runs.RunOut,                  runs.startPolicySet),
  route('GET /v1/policy-sets/{policySet}/evaluations', 'read', null,                    runs.RunsOut,                 runs.listPolicySetEvaluations),
  route('GET /v1/policy-sets/{policySet}/history', 'read', null,                        evaluations.ResultsOut,       evaluations.readHistory),
  route('GET /v1/evaluations',                 'read',    null,                         runs.RunsOut,                 runs.listEvaluations),
  route('GET /v1/evaluations/{evaluation}',    'read',    null,                         evaluations.EvaluationOut,    evaluations.getEvaluation),
  route('GET /v1/evaluations/{evaluation}/results', 'read', null,                       evaluations.ResultsOut,       evaluations.listResults),
  route('GET /v1/evaluations/{evaluation}/log', 'read',   null,                         runDetails.LogOut,            runDetails.readEvaluationLog),
  route('POST /v1/evaluations/{evaluation}/abort', 'manage', null,                      runs.RunOut,                  runs.abortEvaluation),

  route('GET /v1/secrets',                     'manage',  null,                         secrets.SecretsOut,           secrets.listSecrets),
  route('GET /v1/secrets/{secret}',            'manage',  null,                         secrets.SecretOut,            secrets.getSecret),
  route('PUT /v1/secrets/{secret}',            'manage',  secrets.SecretIn,             secrets.SecretOut,            secrets.putSecret),
  route('DELETE /v1/secrets/{secret}',         'manage',  null,                         null,                         secrets.deleteSecret),

  route('GET /v1/sheets',                      'read',    null,                         sheets.SheetsOut,             sheets.listSheets),
  route('GET /v1/sheets/{sheet}',              'read',    null,                         sheets.SheetOut,              sheets.getSheet),
  route('PUT /v1/sheets/{sheet}',              'manage',  null,                         sheets.SheetOut,              sheets.putSheet),
  route('DELETE /v1/sheets/{sheet}',           'manage',  null,                         null,                         sheets.deleteSheet),
  route('GET /v1/sheets/{sheet}/rows',         'read',    null,                         sheetRows.RowsOut,            sheetRows.listRows),
  route('POST /v1/sheets/{sheet}/rows',        'manage',  sheetRows.RowIn,              sheetRows.RowAddedOut,        sheetRows.addRow),
  route('DELETE /v1/sheets/{sheet}/rows/{row}', 'manage', null,                         null,                         sheetRows.deleteRow),
  route('GET /v1/sheets/{sheet}/rows.csv',     'read',    null,                         sheetFiles.SheetFile,         sheetFiles.exportCsv),
  route('GET /v1/sheets/{sheet}/rows.xlsx',    'read',    null,                         sheetFiles.SheetFile,         sheetFiles.exportXlsx),

  route('GET /v1/keys',                        'manage',  null,                         keys.KeysOut,                 keys.listKeys),
  route('POST /v1/keys',                       'manage',  keys.KeyIn,                   keys.KeyCreatedOut,           keys.createKey),
  route('DELETE /v1/keys/{key}',               'manage',  null,                         null,                         keys.deleteKey),

  route('POST /trigger/{trigger}',             'anybody', TriggerIn,                    TriggeredOut,                 trigger),

  route('ANY /hooks/{token}',                  'anybody', null,                         null,                         receiveByHook),

  route('GET /',                               'anybody', null,                         running.IndexOut,             running.index),
  route('GET /v1',                             'anybody', null,                         running.IndexOut,             running.index),
  route('GET /healthz',                        'anybody', null,                         running.HealthOut,            running.health),
  route('GET /readyz',                         'anybody', null,                         running.HealthOut,            running.readiness),
  route('GET /metrics',                        'anybody', null,                         running.MetricsOut,           running.readMetrics),
  route('GET /openapi.json',                   'anybody', null,                         running.DocumentOut,          running.describe),
  route('GET /docs',                           'anybody', null,                         reference.ReferencePage,      reference.showReference),
];

/** One line of the table. */
export interface Route {
  /** Method and path as they stand in the table: also the label of its metrics. */
  name: string;
  method: string;
  path: string;
  access: Access;
  in: TSchema | null;
  out: TSchema | null;
  /** The operation's query, and the workspace where the operation reaches into one. */
  query: TObject;
  operation: Operation<unknown, unknown>;
}

type StaticOf<S extends TSchema | null> = S extends TSchema ? Static<S> : null;

// oxlint-disable-next-line max-params -- a line of the table is read across
function route<In extends TSchema | null, Out extends TSchema | null>(
  name: string,
  access: Access,
  input: In,
  output: Out,
  operation: Operation<StaticOf<In>, StaticOf<Out>>,
): Route {
  const [method, path] = name.split(' ') as [string, string];
  const own = operation.query?.properties ?? {};
  const reaches = operation.reach !== 'installation' && access !== 'anybody';
  const query = Type.Object(reaches ? { ...WorkspaceQuery, ...own } : own, { additionalProperties: false });
  return {
    name,
    method,
    path,
    access,
    in: input,
    out: output,
    query,
    operation,
  };
}
