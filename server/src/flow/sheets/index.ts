// Sheets by their names: where each is kept, the secrets its place needs, and the door to it.
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../model/clock.ts';
import { secretsOfSheet } from '../../model/flow/document/index.ts';
import { didYouMean } from '../../model/near-names.ts';
import type { SheetPlace } from '../../model/sheet.ts';
import { StoreRefusal, type Store, type StoredSheet } from '../../store/contract.ts';
import { ActionFailed } from '../action.ts';
import { openBuiltIn } from './built-in.ts';
import type { SheetAtHand, SheetPlaceDoor } from './place.ts';

/** Places beside the built-in one, by their kind. */
export type SheetPlaces = Readonly<Partial<Record<Exclude<SheetPlace['kind'], 'built-in'>, SheetPlaceDoor>>>;

/** What sheets stand on. */
export interface SheetsParts {
  store: Pick<Store, 'sheets' | 'flows' | 'on'>;
  places: SheetPlaces;
  clock: Pick<Clock, 'now' | 'after'>;
}

/** Which sheet a step wants. */
export interface Wanted {
  workspace: number;
  name: string;
  run: number;
  signal: AbortSignal;
}

/** Sheets as the actions reach them. */
export interface SheetDesk {
  /** Does something with a sheet. Throws {@link ActionFailed} where it cannot be done. */
  use<T>(wanted: Wanted, work: (door: SheetPlaceDoor, at: SheetAtHand) => Promise<T>): Promise<T>;
}

/** Sheets that are remembered, and for how long another node's change of one may go unseen. */
const REMEMBERED = 1_000;
const REMEMBERED_MS = 2_000;

/** Makes it. */
export function createSheets({ store, places, clock }: SheetsParts): SheetDesk {
  const { sheets, flows } = store;
  const known = new LRUCache<string, StoredSheet>({ max: REMEMBERED, ttl: REMEMBERED_MS });
  let changes = 0;
  const forget = (workspace: number, name: string): void => {
    changes++;
    known.delete(`${workspace}/${name}`);
  };
  store.on({ sheet: forget });

  const find = async (workspace: number, name: string): Promise<StoredSheet> => {
    const remembered = known.get(`${workspace}/${name}`);
    if (remembered) return remembered;
    const before = changes;
    const found = await sheets.one(workspace, name);
    if (!found) {
      const names = (await sheets.list(workspace)).map((one) => one.name);
      throw new ActionFailed(`there is no sheet ${JSON.stringify(name)}${didYouMean(name, names)}`, {
        retryable: false,
      });
    }
    if (changes === before) known.set(`${workspace}/${name}`, found);
    return found;
  };

  const doorTo = (sheet: StoredSheet, run: number): SheetPlaceDoor => {
    const { kind } = sheet.place;
    const door = kind === 'built-in' ? openBuiltIn({ sheets, clock }, { sheet, run }) : places[kind];
    if (door) return door;
    throw new ActionFailed(`the sheet ${sheet.name} is kept in ${kind}, which is not to hand here`, {
      retryable: false,
    });
  };

  const secretsFor = async (workspace: number, sheet: StoredSheet): Promise<Record<string, string>> => {
    const { name } = sheet;
    const names = secretsOfSheet(sheet);
    const secrets = await flows.secrets(workspace, names);
    const missing = names.find((one) => !Object.hasOwn(secrets, one));
    if (missing === undefined) return secrets;
    throw new ActionFailed(`the sheet ${name} needs the secret ${missing}, which is not set`, { retryable: false });
  };

  return {
    async use({ workspace, name, run, signal }, work) {
      const once = async (): ReturnType<typeof work> => {
        const sheet = await find(workspace, name);
        return work(doorTo(sheet, run), {
          workspace,
          sheet,
          secrets: await secretsFor(workspace, sheet),
          signal,
        });
      };
      try {
        return await once();
      } catch (error) {
        if (!(error instanceof StoreRefusal) || error.code !== 'not-found') throw error;
      }
      // It is not what was remembered: deleted, or made anew by another node.
      forget(workspace, name);
      return once();
    },
  };
}
