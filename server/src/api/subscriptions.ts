// Subscriptions: webhook + event type (or pattern) + optional filter.
import { Type, type Static } from 'typebox';
import { isPattern, type Catalog } from '../model/catalog.ts';
import { formatId, parseId } from '../model/ids.ts';
import { didYouMean } from '../model/near-names.ts';
import { refuse } from '../model/problem.ts';
import type { Subscription, Workspace } from '../store/contract.ts';
import { catalogOf } from './event-types.ts';
import { created, done, ok, operation, type Tools } from './kernel.ts';
import { pageThrough } from './paging.ts';
import { filterOf, typeOf } from './selection.ts';
import { absent, idOf, Instant, instant, numberOf, orNull, pageOf, PageQuery } from './wire.ts';

const EXAMPLE = { webhook: 'wh_k3v9x2m4q7_7', type: 'com.hpe.greenlake.audit-log.v1.logs.created' };

/** What a subscription is made of. The same again answers 200 with the first one instead of 201 (R118). */
export const SubscriptionIn = Type.Object(
  {
    webhook: idOf('wh'),
    type: Type.String({
      minLength: 1,
      maxLength: 300,
      description: 'Exact event type, or a pattern ending in `.*`; white space around it is trimmed (R116).',
    }),
    filter: Type.Optional(
      orNull(
        Type.String({
          minLength: 1,
          maxLength: 4096,
          description:
            'OData subset: `eq ne gt ge lt le in startswith() and or not ( )`, on fields of `data` (`user/username`) and on attributes (`$event/source`).',
        }),
      ),
    ),
  },
  { additionalProperties: false, examples: [{ ...EXAMPLE, filter: "category eq 'user_management'" }] },
);
export type SubscriptionIn = Static<typeof SubscriptionIn>;

/** A subscription as it is shown. */
export const SubscriptionOut = Type.Object(
  {
    id: idOf('sub'),
    webhook: idOf('wh'),
    type: Type.String(),
    filter: orNull(Type.String()),
    createdAt: Instant,
    note: Type.Optional(
      Type.String({ description: 'When it is made: what looks like a slip, such as a pattern that fits no type yet.' }),
    ),
  },
  { examples: [{ id: 'sub_k3v9x2m4q7_8', ...EXAMPLE, filter: null, createdAt: '2026-11-22T09:30:00.000Z' }] },
);
export type SubscriptionOut = Static<typeof SubscriptionOut>;

export const SubscriptionsOut = pageOf(SubscriptionOut);
export type SubscriptionsOut = Static<typeof SubscriptionsOut>;

export const SubscriptionsQuery = Type.Object(
  { ...PageQuery, webhook: Type.Optional(idOf('wh')) },
  { additionalProperties: false },
);
export const SubscriptionParams = Type.Object({ subscription: idOf('sub') });

export const createSubscription = operation<SubscriptionIn, SubscriptionOut>()({
  summary: 'Subscribe a webhook to an event type, or to a pattern of types',
  description: 'It counts for events accepted from now on (R118). The webhook need not be active yet (R114).',
  success: { 201: 'It was made.', 200: 'The same subscription was there already: this is it.' },
  errors: ['unknown-webhook', 'unknown-type', 'invalid-type-pattern', 'invalid-filter', 'limit-reached'],
  async handle({ body, workspace, now }, tools) {
    const { settings } = tools.store;
    const webhook = await webhookOf(body.webhook, workspace, tools);
    const catalog = await catalogOf(workspace, tools);
    const type = judgeType(body.type, catalog);
    const filter = body.filter === undefined || body.filter === null ? null : filterOf(body.filter);
    const made = await settings.createSubscription({ workspace: workspace.workspace, webhook, type, filter, now });
    const note = noteOf(type, catalog);
    const shown = { ...show(made.subscription, workspace), ...(note === null ? {} : { note }) };
    return made.created ? created(shown) : ok(shown);
  },
});

export const listSubscriptions = operation<null, SubscriptionsOut>()({
  summary: 'List the subscriptions, of all webhooks or of one',
  query: SubscriptionsQuery,
  async handle({ query, workspace }, { store }) {
    const webhook = query.webhook === undefined ? undefined : numberOf('wh', workspace, query.webhook);
    const all = await store.settings.subscriptions(workspace.workspace, webhook);
    const { items, next } = pageThrough(
      { list: `subscriptions ${workspace.token}`, items: all, keyOf: ({ subscription }) => subscription },
      query,
    );
    return ok({ items: items.map((one) => show(one, workspace)), next });
  },
});

export const getSubscription = operation<null, SubscriptionOut>()({
  summary: 'Show a subscription',
  params: SubscriptionParams,
  async handle({ params, workspace }, { store }) {
    const number = numberOf('sub', workspace, params.subscription);
    const all = await store.settings.subscriptions(workspace.workspace);
    const found = all.find(({ subscription }) => subscription === number);
    if (found === undefined) throw absent('sub', params.subscription);
    return ok(show(found, workspace));
  },
});

export const deleteSubscription = operation<null, null>()({
  summary: 'Unsubscribe',
  description: 'Deliveries of events that were accepted before are still sent.',
  params: SubscriptionParams,
  success: { 204: 'It is gone.' },
  async handle({ params, workspace }, { store }) {
    await store.settings.deleteSubscription(workspace.workspace, numberOf('sub', workspace, params.subscription));
    return done();
  },
});

/** A webhook named in a body: one that is not there is a fault of the body, not of the path. */
async function webhookOf(id: string, workspace: Workspace, { store }: Tools): Promise<number> {
  const parsed = parseId(id);
  const number = parsed?.kind === 'wh' && parsed.token === workspace.token ? parsed.numbers[0] : undefined;
  const webhook = number === undefined ? null : await store.settings.webhook(workspace.workspace, number);
  if (webhook === null) throw refuse('unknown-webhook', `There is no webhook ${id} in this workspace.`);
  return webhook.webhook;
}

/** An exact type must be in the catalog (R116); a pattern may be for types to come. */
function judgeType(text: string, { types }: Catalog): string {
  const type = typeOf(text, text.trim() === '*' ? everything(types) : '');
  if (isPattern(type) || types.has(type)) return type;
  throw refuse(
    'unknown-type',
    `There is no event type "${type}" in the catalog${didYouMean(type, types.keys()) || '.'}`,
  );
}

/** How to subscribe to everything there is. */
function everything(types: Catalog['types']): string {
  const roots = new Set([...types.keys()].map((type) => (type.includes('.') ? `${type.split('.')[0]}.*` : type)));
  const named = [...roots].sort().slice(0, MAX_ROOTS).join(', ');
  return `Subscribe to what the catalog holds, each by itself: ${named}${roots.size > MAX_ROOTS ? ' …' : ''}.`;
}

const MAX_ROOTS = 10;

/** A pattern may be meant for types to come; more often one that fits nothing is a slip. */
function noteOf(type: string, { types }: Catalog): string | null {
  if (!isPattern(type)) return null;
  const prefixes = new Set<string>();
  for (const known of types.keys()) {
    if (known.startsWith(type.slice(0, -1))) return null;
    for (let dot = known.indexOf('.'); dot > 0; dot = known.indexOf('.', dot + 1)) {
      prefixes.add(`${known.slice(0, dot)}.*`);
    }
  }
  return `No event type of the catalog fits ${type} at present${didYouMean(type, prefixes) || '.'}`;
}

function show(subscription: Subscription, { token }: Workspace): SubscriptionOut {
  return {
    id: formatId('sub', token, subscription.subscription),
    webhook: formatId('wh', token, subscription.webhook),
    type: subscription.type,
    filter: subscription.filter,
    createdAt: instant(subscription.createdAt),
  };
}
