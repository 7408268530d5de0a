// The contract of the store, on each engine.
import { after, suite } from 'node:test';
import { withoutPostgres } from '../../test/kit/postgres.ts';
import { exerciseStore } from './store-contract.ts';
import { postgresSchemas, sqliteGround } from './store-ground.ts';

suite('the store on SQLite', () => exerciseStore('sqlite', sqliteGround));

suite('the store on PostgreSQL', { skip: withoutPostgres }, () => {
  const closers: (() => Promise<void>)[] = [];
  after(async () => {
    for (const close of closers) await close();
  });
  exerciseStore(
    'postgres',
    postgresSchemas((close) => void closers.push(close)),
  );
});
