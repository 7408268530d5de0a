// What the parameters of paths and queries mean, where a route does not say so itself: one name, one meaning.

/** A parameter in words, with a value for it. */
interface Words {
  description: string;
  example?: string | number;
}

const PATH: Readonly<Record<string, Words>> = {
  delivery: { description: 'The id of a delivery: the `webhook-id` of every try.' },
  erasure: { description: 'The id of an erasure.' },
  evaluation: { description: 'The number of an evaluation.', example: '34' },
  event: { description: 'The id the platform gave the event when it was accepted.' },
  group: { description: 'The id of a group.' },
  job: { description: 'The id of a job, or its name.', example: 'nightly-reindex' },
  key: { description: 'The id of an API key, not the key itself.' },
  operation: { description: 'The id of an operation.' },
  policySet: { description: 'The id of a policy set, or its name.', example: 'storage-baseline' },
  postProcessing: { description: 'The id of a post-processing.' },
  request: { description: 'The id of a request to a hook.', example: 'req_k3v9x2m4q7_2t' },
  row: { description: 'The number of a row, as the list of rows shows it.', example: '2' },
  run: { description: 'The number of a run.', example: '347' },
  scenario: { description: 'The id of a scenario, or its name.', example: 'hello' },
  secret: { description: 'The name of a secret, as expressions say it: `secret.NAME`.', example: 'GREENLAKE' },
  service: { description: 'The name of a service.' },
  sheet: { description: 'The name of a sheet.', example: 'AuditLog' },
  subscription: { description: 'The id of a subscription.' },
  token: { description: 'The last part of the hook’s URL.', example: 'k3v9x2m4q7k3v9x2m4q7k3v9x2m4q7ab' },
  trigger: { description: 'The last part of the trigger’s URL.', example: 'k3v9x2m4q7' },
  type: { description: 'The name of an event type, exact and case-sensitive.' },
  version: { description: 'The number of a version.', example: '3' },
  webhook: { description: 'The id of a webhook.' },
  workspace: { description: 'The id of a workspace, or its name.', example: 'default' },
};

const QUERY: Readonly<Record<string, Words>> = {
  compliance: { description: 'Only results of this verdict.' },
  event: { description: 'Only those of this event.' },
  group: { description: 'Only those of this group, by its name.', example: 'operations' },
  limit: { description: 'Items on a page; 100 when left out.', example: 20 },
  resource: { description: 'Only results of this resource, by its id.', example: 'sg-0a1b2c' },
  rule: { description: 'Only results of this rule, by its name.', example: 'no-open-ssh' },
  service: { description: 'Only those of this service.', example: 'audit-log' },
  since: { description: 'Accepted at or after this instant.', example: '2026-11-22T09:30:00.000Z' },
  source: { description: 'Only events of exactly this source.', example: '//shop.example.com' },
  state: { description: 'Only those in this state.' },
  type: { description: 'An exact type, or a pattern that ends in `.*`.', example: 'com.example.order.*' },
  until: { description: 'Accepted before this instant.', example: '2026-11-23T09:30:00.000Z' },
  webhook: { description: 'Only those of this webhook.' },
  workspace: { description: 'Id or name of the workspace, for keys of several.', example: 'default' },
};

/** The words for a parameter; none where there is nothing to add. */
export function wordsOf(place: 'path' | 'query', name: string): Partial<Words> {
  return (place === 'path' ? PATH : QUERY)[name] ?? {};
}
