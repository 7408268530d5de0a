// A page of a list.

/** `next` continues it; null when the end was reached. */
export interface Page<Row> {
  rows: Row[];
  next: string | null;
}
