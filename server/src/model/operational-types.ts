// The catalog's entries of operational events, with schema and example of `data`. Pure.
import { END_EXAMPLES } from './flow/end-events.ts';
import { OPERATIONAL_EXAMPLES } from './operational-events.ts';

/** The service they belong to. */
export const OPERATIONAL_SERVICE = {
  service: 'bellwire',
  description: 'Bellwire itself: webhooks, dead letters, backlogs, the ends of jobs, scenarios and policies.',
};

/** All of them. */
export const OPERATIONAL_TYPES = [...OPERATIONAL_EXAMPLES, ...END_EXAMPLES].map(
  ({ event, description, properties }) => {
    const schema = { type: 'object', required: Object.keys(properties), properties };
    return { type: event.type, description, schema, example: event.data };
  },
);
