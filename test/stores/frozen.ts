// The frozen stores: where they are, and what is known of each.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A folder for each release. */
export const STORES = join(import.meta.dirname, '..', 'fixtures', 'stores');

/** The engines a store is frozen on. */
export const engines = ['sqlite', 'postgres'] as const;
export type Engine = (typeof engines)[number];

/** What was true as a release was frozen. */
export interface Facts {
  release: string;
  engines: Partial<Record<Engine, EngineFacts>>;
}

/** The same of one engine. Instants epoch ms. */
export interface EngineFacts {
  frozenAt: number;
  adminKey: string;
  /** The migrations it was made by, in order. */
  migrations: { name: string; checksum: string }[];
  /** Rows of each table. */
  tables: Record<string, number>;
  /** What the API shows of its first workspace: see survey.ts. */
  survey: object;
  /** By webhooks: the ids under which what is open must arrive when its endpoint is well again, batches among them. */
  pending: Record<string, string[]>;
}

/** The facts of every frozen release. */
export function frozenReleases(): Facts[] {
  return readdirSync(STORES)
    .sort()
    .map((release) => JSON.parse(readFileSync(join(STORES, release, 'facts.json'), 'utf8')) as Facts);
}

/** The packed store of a release. */
export function fileOf({ release }: Facts, engine: Engine): string {
  return join(STORES, release, `${engine}.gz`);
}
