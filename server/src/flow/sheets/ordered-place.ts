// A place that does what is asked of it as orders: the door of places (place.ts) over one function.
import type { Answer, Answers, Order } from './orders.ts';
import type { SheetAtHand, SheetPlaceDoor } from './place.ts';

/** A place that holds something open. */
export interface OrderedPlace extends SheetPlaceDoor {
  /** Ends what is under way, and what is held open. Twice is harmless. */
  close(): Promise<void>;
}

/** What such a place is made of. */
export interface OrderedPlaceParts {
  /** Resolves what comes of an order, of the order's kind. */
  ask(at: SheetAtHand, order: Order): Promise<Answer>;
  close(): Promise<void>;
}

/** Makes it. */
export function placeOfOrders({ ask, close }: OrderedPlaceParts): OrderedPlace {
  const askAs = <K extends Order['kind']>(at: SheetAtHand, order: Order & { kind: K }): Promise<Answers[K]> =>
    ask(at, order) as Promise<Answers[K]>;
  return {
    append: (at, row) => askAs(at, { kind: 'append', sheet: seen(at), ...row }),
    update: (at, change) => askAs(at, { kind: 'update', sheet: seen(at), ...change }),
    lookup: (at, query) => askAs(at, { kind: 'lookup', sheet: seen(at), ...query }),
    close,
  };
}

function seen({ sheet: { columns, keyColumn } }: SheetAtHand): Order['sheet'] {
  return { columns, keyColumn };
}
