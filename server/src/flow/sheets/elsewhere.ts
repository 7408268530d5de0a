// All places in which sheets are kept beside the store, put together.
import type { Clock } from '../../model/clock.ts';
import type { AllowedFolders } from '../allowed-file.ts';
import type { Databases } from '../databases/index.ts';
import type { Fetch } from '../fetch.ts';
import { createCsvPlace } from './csv/index.ts';
import { createGooglePlace } from './google/index.ts';
import type { SheetPlaces } from './index.ts';
import { createSqlPlace } from './sql.ts';
import { createXlsxPlace } from './xlsx/index.ts';

/** What they stand on. */
export interface PlacesElsewhereParts {
  /** Where CSV and XLSX files may be. */
  files: AllowedFolders;
  /** An XLSX file is written at most so often, ms. */
  xlsxEveryMs: number;
  /** A tab at Google is asked at most so often, ms; left out, as Google's quota has it. */
  googleEveryMs?: number;
  databases: Pick<Databases, 'open'>;
  /** What the rows of a database that one step looks up may hold together. */
  maxBytes: number;
  fetch: Fetch;
  clock: Pick<Clock, 'now'>;
}

/** Makes them. `close` ends what is under way. */
export function createPlacesElsewhere(parts: PlacesElsewhereParts): { places: SheetPlaces; close(): Promise<void> } {
  const places = {
    csv: createCsvPlace(parts),
    xlsx: createXlsxPlace({ files: parts.files, everyMs: parts.xlsxEveryMs }),
    sql: createSqlPlace(parts),
    google: createGooglePlace({
      fetch: parts.fetch,
      clock: parts.clock,
      ...(parts.googleEveryMs === undefined ? {} : { everyMs: parts.googleEveryMs }),
    }),
  };
  return {
    places,
    close: async () => {
      await Promise.all(Object.values(places).map((place) => place.close()));
    },
  };
}
