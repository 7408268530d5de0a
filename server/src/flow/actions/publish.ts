// `publish`: an event of the catalog. Its id is the step's key unless one is given: a repetition is a duplicate.
import type { Clock } from '../../model/clock.ts';
import type { Json } from '../../model/flow/definition.ts';
import { DEPTH_ATTRIBUTE } from '../../model/flow/depth.ts';
import { ActionFailed, type Action } from '../action.ts';
import { PublishRefused, type Publish } from '../outside.ts';

interface PublishInput {
  type: string;
  source?: string;
  id?: string;
  subject?: string;
  time?: string;
  dataschema?: string;
  attributes?: Readonly<Record<string, Json>>;
  data?: Json;
}

/** Makes it. */
export function createPublish(publish: Publish, clock: Pick<Clock, 'now'>): Action {
  return {
    name: 'publish',
    brief: true,
    run: async ({ input, run, idempotencyKey, trace }) => {
      const { type, source, id, attributes = {}, data, ...others } = input as unknown as PublishInput;
      const event = {
        ...attributes,
        [DEPTH_ATTRIBUTE]: run.depth,
        specversion: '1.0',
        type,
        source: source ?? `/jobs/${encodeURIComponent(run.name.toWellFormed())}`,
        id: id ?? idempotencyKey,
        time: new Date(clock.now()).toISOString(),
        ...others,
        ...(data === undefined ? {} : { datacontenttype: 'application/json', data }),
      };
      try {
        const published = await publish(run.workspace, new TextEncoder().encode(JSON.stringify(event)), trace);
        return { event: published.event, source: event.source, id: event.id, duplicate: published.duplicate };
      } catch (error) {
        if (!(error instanceof PublishRefused)) throw error;
        throw new ActionFailed(error.message, { retryable: error.isPassing });
      }
    },
  };
}
